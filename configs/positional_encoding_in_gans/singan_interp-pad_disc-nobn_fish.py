# SinGAN without zero padding and without BatchNorm in the discriminator.
_base_ = [
    '../_base_/models/pe_singan_interp-pad.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(num_scales=10, discriminator=dict(norm_cfg=None))

train_dataloader = dict(dataset=dict(data_root='data/singan/fish-crop.jpg'))
