# Tab. 5 config-j: a sinusoidal encoding (SPE) of 6 x 6 cells, resized to the
# input size; no padding.
_base_ = [
    '../_base_/models/mspie_interp-pad.py', '../_base_/datasets/ffhq_512.py',
    '../_base_/evaluation/fid-pr.py', '../_base_/schedules/mspie.py'
]

model = dict(
    generator=dict(
        head_pos_encoding=dict(
            type='SPE',
            embedding_dim=256,
            padding_idx=0,
            init_size=256,
            center_shift=100),
        interp_head=True))
