# SinGAN without zero padding: maps are enlarged by interpolation.
_base_ = [
    '../_base_/models/pe_singan.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(
    num_scales=8,
    fixed_noise_with_pad=True,
    generator=dict(interp_pad=True, noise_with_pad=True))

train_dataloader = dict(dataset=dict(data_root='data/singan/balloons.png'))
