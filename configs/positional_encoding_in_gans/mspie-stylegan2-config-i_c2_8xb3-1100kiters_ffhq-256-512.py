# Tab. 5 config-i: a Cartesian grid (CSG) of the input size; no padding.
_base_ = [
    '../_base_/models/mspie_interp-pad.py', '../_base_/datasets/ffhq_512.py',
    '../_base_/evaluation/fid-pr.py', '../_base_/schedules/mspie.py'
]

model = dict(generator=dict(head_pos_encoding=dict(type='CSG')))
