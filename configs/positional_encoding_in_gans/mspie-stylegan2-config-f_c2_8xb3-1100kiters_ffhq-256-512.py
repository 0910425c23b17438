# Tab. 5 config-f: a sinusoidal encoding (SPE) of the input size; zero padding.
_base_ = [
    '../_base_/models/mspie_zero-pad.py', '../_base_/models/spe.py',
    '../_base_/datasets/ffhq_512.py', '../_base_/evaluation/fid-pr.py',
    '../_base_/schedules/mspie.py'
]

model = dict(generator=dict(head_pos_encoding=_base_.spe))
