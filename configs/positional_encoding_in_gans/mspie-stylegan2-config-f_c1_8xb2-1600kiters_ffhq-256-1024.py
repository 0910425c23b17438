# Higher resolution: config-f at 256, 512 and 1024, with half of the
# generator's channels from 64 x 64 on. The public configs stop after 1,500,002
# iterations; this one runs 1600k, as its name says.
_base_ = [
    '../_base_/models/mspie_zero-pad.py', '../_base_/models/spe.py',
    '../_base_/datasets/ffhq_1024.py', '../_base_/evaluation/fid-pr.py',
    '../_base_/schedules/mspie.py'
]

model = dict(
    generator=dict(channel_multiplier=1, head_pos_encoding=_base_.spe),
    train_settings=dict(multi_input_scales=[0, 4, 12]))

train_dataloader = dict(batch_size=2)
train_cfg = dict(max_iters=1600002)
