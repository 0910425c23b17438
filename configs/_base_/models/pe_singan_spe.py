# A sinusoidal encoding (SPE) at the first scale, 4 channels per axis, and ten
# scales; convolutions pad with zeros. A row with another `embedding_dim` sets
# the first scale's channels, too.
_base_ = './pe_singan.py'

model = dict(
    num_scales=10,
    first_fixed_noises_ch=8,
    generator=dict(
        padding=1,
        pad_at_head=False,
        positional_encoding=dict(
            type='SPE',
            padding_idx=0,
            init_size=512,
            div_half_dim=False,
            center_shift=200,
            embedding_dim=4)))
