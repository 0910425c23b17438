# The fast training with a sinusoidal encoding (SPE), 8 channels per axis.
_base_ = ['./singan_csg_fast.py']

model = dict(
    generator=dict(
        positional_encoding=dict(_delete_=True, type='SPE', embedding_dim=8)))
