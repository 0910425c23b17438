# A sinusoidal encoding at the first scale, whose convolutions pad with zeros.
# A row sets `embedding_dim`; the first scale's channels follow from it.
_base_ = './pe_singan.py'

model = dict(
    generator=dict(
        padding=1,
        pad_at_head=False,
        positional_encoding=dict(
            type='SPE',
            padding_idx=0,
            init_size=512,
            div_half_dim=False,
            center_shift=200)))
