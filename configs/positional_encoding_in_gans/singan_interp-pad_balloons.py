# SinGAN without zero padding.
_base_ = [
    '../_base_/models/pe_singan_interp-pad.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(num_scales=8)

train_dataloader = dict(dataset=dict(data_root='data/singan/balloons.png'))
