# A Cartesian grid (CSG) without padding.
_base_ = './singan_no-pad_80.py'

model = dict(
    first_fixed_noises_ch=2,
    generator=dict(positional_encoding=dict(type='CSG')))
