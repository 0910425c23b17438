# Neither padding nor positions: inputs are enlarged by interpolation.
_base_ = './singan_zero-pad_80.py'

model = dict(
    fixed_noise_with_pad=True,
    generator=dict(interp_pad=True, noise_with_pad=True))
