# A Cartesian grid (CSG) at the first scale; convolutions pad with zeros. The
# encoding sets the first scale's channels.
_base_ = './pe_singan.py'

model = dict(
    first_fixed_noises_ch=2,
    generator=dict(
        padding=1, pad_at_head=False, positional_encoding=dict(type='CSG')))
