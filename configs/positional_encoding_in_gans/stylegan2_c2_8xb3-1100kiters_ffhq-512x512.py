# Tab. 5 config-b: StyleGAN2 at 512 x 512.
_base_ = [
    '../_base_/models/stylegan2.py', '../_base_/datasets/ffhq_512.py',
    '../_base_/evaluation/fid-pr_stylegan.py', '../_base_/schedules/mspie.py'
]

model = dict(generator=dict(out_size=512), discriminator=dict(in_size=512))
