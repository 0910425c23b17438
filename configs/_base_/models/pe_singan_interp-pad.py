# No zero padding: inputs of each scale are enlarged by interpolation.
_base_ = './pe_singan.py'

model = dict(
    fixed_noise_with_pad=True,
    generator=dict(interp_pad=True, noise_with_pad=True))
