"""Claims (a) to (c): where layout comes from, and what it is worth."""
from typing import Dict, List

import numpy as np

from .networks import GAN_TRAININGS, GANS, MSPIES, SINGAN, SINGANS
from .rows import Claim, Record, Records, Row, get

__all__ = ['LAYOUT']

_NOTHING = -100.  # in dB; anything below is rounding


def _layout_of_singan(records: Records) -> List[Row]:
    zero, none = 'singan_zero-pad_80', 'singan_no-pad_80'
    return [
        Row(SINGAN, 'layout, correlation with the photograph', 'zero padding',
            get(records, zero, 'layout_data'), 'trained without padding',
            get(records, none, 'layout_data')),
        Row(SINGAN, 'layout, correlation with the photograph', 'zero padding',
            get(records, zero, 'layout_data'),
            'the same network on a larger input, cropped',
            get(records, zero, 'unpadded', 'layout_data')),
        Row(SINGAN, 'location share of the image', 'zero padding',
            get(records, zero, 'output', 'share'), 'trained without padding',
            get(records, none, 'output', 'share')),
        *(Row(SINGAN, 'layout, correlation with the photograph',
              f'{code.upper()}, no padding',
              get(records, f'singan_{code}_no-pad_80', 'layout_data'),
              'no padding, no encoding', get(records, none, 'layout_data'))
          for code in ('csg', 'spe'))
    ]


def _layout_of_gans(records: Records) -> List[Row]:
    rows = []
    for key, name in GANS.items():
        zero, reflect, flat = (f'{key}_{cues}_32'
                               for cues in ('zero-pad', 'reflect', 'flat'))
        measure = 'layout, agreement with the data'
        rows += [
            Row(name, 'part of the way from the border to the middle that '
                'zero padding reaches', 'flat first map',
                [_reach(x) for x in records[flat]], 'bound', [0.99]),
            Row(name, measure, 'flat first map, zero padding',
                get(records, flat, 'layout_data'),
                'the same network on a larger input, cropped',
                get(records, flat, 'unpadded', 'layout_data')),
            Row(name, measure, 'zero padding',
                get(records, zero, 'layout_data'),
                'the same network on a larger input, cropped',
                get(records, zero, 'unpadded', 'layout_data')),
            Row(name, measure, 'zero padding',
                get(records, zero, 'layout_data'), 'trained with reflection',
                get(records, reflect, 'layout_data'))
        ]
    return rows


def _reach(record: Record) -> float:
    """Fraction of distances to the border where padding changes the image."""
    profile = record['output']['padding_db_profile']
    return float(np.mean([float(x) > _NOTHING for x in profile]))


def _fidelity(records: Records) -> List[Row]:
    rows = []
    pairs = [(name, f'{key}_zero-pad_32', f'{key}_reflect_32', 'reflection')
             for key, name in GANS.items()]
    pairs.append(('MS-PIE, SPE', 'mspie_spe_32-48', 'mspie_spe_no-pad_32-48',
                  'no padding'))
    for name, zero, other, label in pairs:
        for key, measure in (('swd', 'SWD'), ('kid', 'EffLite0-KID x 1000')):
            rows.append(
                Row(name, measure, 'zero padding', get(records, zero, key),
                    label, get(records, other, key), '<', 0))
    for key, measure in (('swd', 'SWD'), ('sifid', 'SIFID-EffLite0')):
        rows.append(
            Row(SINGAN, measure, 'zero padding',
                get(records, 'singan_zero-pad_80', key), 'no padding',
                get(records, 'singan_no-pad_80', key), '<', 0))
    return rows


LAYOUT: Dict[str, Claim] = {
    'a':
    Claim('Zero padding is where SinGAN has its layout from', SINGANS[:4],
          _layout_of_singan),
    'b':
    Claim('The same in StyleGAN2, DCGAN and PGGAN', GAN_TRAININGS,
          _layout_of_gans),
    'c':
    Claim(
        '"Indispensable for generating images with high fidelity": trained '
        'alike without zero padding, images are worse',
        GAN_TRAININGS + SINGANS[:2] + MSPIES, _fidelity)
}
