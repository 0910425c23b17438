# The quick training with a sinusoidal encoding of 8 channels per axis, whose
# slower waves tell the left of a photograph from its right: for `layout`.
_base_ = ['./singan_spe-dim4_quick.py']

model = dict(
    first_fixed_noises_ch=16,
    generator=dict(positional_encoding=dict(embedding_dim=8)))
