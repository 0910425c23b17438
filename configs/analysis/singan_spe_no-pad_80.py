# A sinusoidal encoding (SPE) without padding.
_base_ = './singan_no-pad_80.py'

model = dict(
    first_fixed_noises_ch=8,
    generator=dict(positional_encoding=dict(type='SPE', embedding_dim=4)))
