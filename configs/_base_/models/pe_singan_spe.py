# A sinusoidal encoding (SPE) at the first scale; convolutions pad with zeros.
# A row sets `embedding_dim`, and with it the first scale's channels.
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
