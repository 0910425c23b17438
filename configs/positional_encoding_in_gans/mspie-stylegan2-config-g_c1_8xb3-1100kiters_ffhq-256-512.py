# Tab. 5 config-g: config-f with half of the channels from 64 x 64 on.
_base_ = [
    '../_base_/models/mspie_zero-pad.py', '../_base_/models/spe.py',
    '../_base_/datasets/ffhq_512.py', '../_base_/evaluation/fid-pr.py',
    '../_base_/schedules/mspie.py'
]

model = dict(
    generator=dict(channel_multiplier=1, head_pos_encoding=_base_.spe),
    discriminator=dict(channel_multiplier=1))
