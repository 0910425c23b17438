# The fast training without spatial cues: no zero padding and no encoding.
_base_ = ['./singan_zero-pad_fast.py']

model = dict(
    fixed_noise_with_pad=True,
    generator=dict(interp_pad=True, noise_with_pad=True))
