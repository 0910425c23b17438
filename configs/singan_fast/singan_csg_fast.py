# A SinGAN with a Cartesian grid (CSG) as its only spatial cue, trained in
# minutes on a CPU. The demo trains it if no checkpoint is given.
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
