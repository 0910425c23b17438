"""Networks that the claims compare, and their trainings."""
from typing import Dict

__all__ = [
    'GANS', 'GAN_TRAININGS', 'MSPIES', 'SINGAN', 'SINGANS', 'zero_padded'
]

SINGAN = 'SinGAN'
GANS = dict(dcgan='DCGAN', pggan='PGGAN', stylegan2='StyleGAN2')
SINGANS = [
    f'singan_{name}_80' for name in
    ('zero-pad', 'no-pad', 'csg_no-pad', 'spe_no-pad', 'csg_zero-pad',
     'spe_zero-pad')
] + ['context-singan_csg_80', 'context-singan_spe_80']
GAN_TRAININGS = [
    f'{name}_{cues}_32' for name in GANS
    for cues in ('zero-pad', 'reflect', 'flat')
]
MSPIES = ['mspie_spe_32-48', 'mspie_spe_no-pad_32-48']


def zero_padded() -> Dict[str, str]:
    """Labels of networks with zero padding as their only cue, by training."""
    return dict({'singan_zero-pad_80': SINGAN}, **{
        f'{key}_flat_32': f'{name}, flat first map'
        for key, name in GANS.items()
    })
