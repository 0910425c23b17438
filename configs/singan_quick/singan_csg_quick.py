# The quick training with a Cartesian grid (CSG).
_base_ = ['./singan_spe-dim4_quick.py']

model = dict(
    first_fixed_noises_ch=2,
    generator=dict(positional_encoding=dict(_delete_=True, type='CSG')))
