# A Cartesian grid at the first scale, whose convolutions pad with zeros. The
# first scale's channels follow from the encoding.
_base_ = './pe_singan.py'

model = dict(
    first_fixed_noises_ch=2,
    generator=dict(
        padding=1, pad_at_head=False, positional_encoding=dict(type='CSG')))
