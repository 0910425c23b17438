# A SinGAN whose only cue of place is a Cartesian grid (CSG), trained in
# minutes on a processor. What the demo trains when it is given no checkpoint.
_base_ = ['./singan_zero-pad_fast.py']

model = dict(
    type='ContextSinGAN',
    jitter=0.7,
    jitter_width=14,
    growth='tile',
    generator=dict(
        _delete_=True,
        type='SinGANContextGenerator',
        in_channels=3,
        out_channels=3,
        positional_encoding=dict(type='CSG')),
    objective=dict(type='EditedLayouts', reconstruction_weight=20))
