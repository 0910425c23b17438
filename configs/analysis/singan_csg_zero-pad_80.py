# Zero padding and a Cartesian grid (CSG).
_base_ = './singan_zero-pad_80.py'

model = dict(
    first_fixed_noises_ch=2,
    generator=dict(positional_encoding=dict(type='CSG')))
