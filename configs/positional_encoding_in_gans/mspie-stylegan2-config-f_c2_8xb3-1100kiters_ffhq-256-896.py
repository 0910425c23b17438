# Higher resolution: config-f at 256, 512 and 896.
_base_ = [
    '../_base_/models/mspie_zero-pad.py', '../_base_/datasets/ffhq_1024.py',
    '../_base_/evaluation/fid-pr.py', '../_base_/schedules/mspie.py'
]

model = dict(
    generator=dict(
        head_pos_encoding=dict(
            type='SPE',
            embedding_dim=256,
            padding_idx=0,
            init_size=256,
            center_shift=100)),
    train_settings=dict(multi_input_scales=[0, 4, 10]))
