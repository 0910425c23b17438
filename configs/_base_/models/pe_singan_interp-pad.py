# No zero padding: maps are enlarged by interpolation to make room.
_base_ = './pe_singan.py'

model = dict(
    fixed_noise_with_pad=True,
    generator=dict(interp_pad=True, noise_with_pad=True))
