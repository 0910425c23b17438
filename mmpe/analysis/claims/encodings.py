"""Claims (g) to (i): what explicit positions do."""
from typing import Dict, List

from .codes import Relations, encoding_relations
from .networks import SINGAN, SINGANS
from .rows import Claim, Records, Row, get

__all__ = ['ENCODINGS']

_KINDS = dict(
    stretched='all of it like the photograph, stretched',
    kept='its first part like the photograph')


def _relations(records: Records) -> List[Row]:
    relations = encoding_relations()
    spe, csg = relations['SPE'], relations['CSG']

    def variation(codes: Relations) -> float:
        return max(x['variation'] for x in codes['1.0'])

    def stretch(codes: Relations) -> float:
        return codes['2.0'][0]['distance'] / codes['1.0'][0]['distance']

    same = 'largest variation over places of the distance of codes'
    step = 'step to the neighbour at twice the size, in parts of that before'
    return [
        Row('SPE itself', same, 'SPE', [variation(spe)], 'bound', [1e-3], '<',
            3),
        Row('CSG itself', same, 'CSG', [variation(csg)], 'bound', [1e-3], '<',
            3),
        Row('SPE itself', step, 'SPE', [stretch(spe)], 'bound', [0.99]),
        Row('CSG itself', step, 'CSG', [stretch(csg)], 'SPE', [stretch(spe)],
            '<')
    ]


def _resizing(records: Records) -> List[Row]:
    rows = []
    for factor in ('1.5', '2.0'):
        for code, kind, other in (('csg', 'stretched', 'kept'),
                                  ('spe', 'kept', 'stretched')):
            for label, name in (
                (f'{SINGAN}, {code.upper()}, zero padding',
                 f'singan_{code}_zero-pad_80'),
                (f'{SINGAN}, {code.upper()}, no padding',
                 f'singan_{code}_no-pad_80'),
                (f'ContextSinGAN, {code.upper()}',
                 f'context-singan_{code}_80')):
                path = name, 'sizes', factor
                rows.append(
                    Row(label,
                        f'layout at {factor} times the size', _KINDS[kind],
                        get(records, *path, kind), _KINDS[other],
                        get(records, *path, other)))
    return rows


def _patches(records: Records) -> List[Row]:
    """Rows of patch diffusion: a small spread against no positions."""
    rows = []
    for code in ('CSG', 'SPE'):
        told, none = (
            [run[name] for run in records['patches']]
            for name in (f'{code} 0.06', 'none'))
        for key, expects, digits in (('layout', '>', 2), ('swd', '<', 0),
                                     ('coverage', '>', 2)):
            rows.append(
                Row('patch diffusion', {
                    'swd': 'SWD'
                }.get(key, key), f'{code}, τ = 0.06', [x[key] for x in told],
                    'no positions', [x[key] for x in none], expects, digits))
    return rows


ENCODINGS: Dict[str, Claim] = {
    'g':
    Claim("SPE's relation between places is the same everywhere, CSG's "
          'stretches with the size', [], _relations),
    'h':
    Claim('At another size CSG stretches the structure, and SPE goes on',
          SINGANS, _resizing),
    'i':
    Claim('Beyond the abstract: positions alone make the layout, without '
          'padding and training', [], _patches)
}
