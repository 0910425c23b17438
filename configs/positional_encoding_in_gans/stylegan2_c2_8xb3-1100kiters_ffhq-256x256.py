# Tab. 5 config-a: StyleGAN2.
_base_ = [
    '../_base_/models/stylegan2.py', '../_base_/datasets/ffhq_256.py',
    '../_base_/evaluation/fid-pr_stylegan.py', '../_base_/schedules/mspie.py'
]
