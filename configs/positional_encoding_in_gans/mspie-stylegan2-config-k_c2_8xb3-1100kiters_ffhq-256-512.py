# Tab. 5 config-k: a sinusoidal encoding (SPE) of the input size; no padding.
_base_ = [
    '../_base_/models/mspie_interp-pad.py', '../_base_/models/spe.py',
    '../_base_/datasets/ffhq_512.py', '../_base_/evaluation/fid-pr.py',
    '../_base_/schedules/mspie.py'
]

model = dict(generator=dict(head_pos_encoding=_base_.spe))
