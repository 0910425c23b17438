# Zero padding and a sinusoidal encoding (SPE).
_base_ = './singan_zero-pad_80.py'

model = dict(
    first_fixed_noises_ch=8,
    generator=dict(positional_encoding=dict(type='SPE', embedding_dim=4)))
