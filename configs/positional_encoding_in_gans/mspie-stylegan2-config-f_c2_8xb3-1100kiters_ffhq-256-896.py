# Higher resolution: config-f at 256, 512 and 896.
_base_ = [
    '../_base_/models/mspie_zero-pad.py', '../_base_/models/spe.py',
    '../_base_/datasets/ffhq_1024.py', '../_base_/evaluation/fid-pr.py',
    '../_base_/schedules/mspie.py'
]

model = dict(
    generator=dict(head_pos_encoding=_base_.spe),
    train_settings=dict(multi_input_scales=[0, 4, 10]))
