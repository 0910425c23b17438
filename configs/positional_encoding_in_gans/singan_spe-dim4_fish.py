# SinGAN with a sinusoidal encoding (SPE), 4 channels per axis; its first fixed
# noise has one channel, which is broadcast, as in the released model.
_base_ = [
    '../_base_/models/pe_singan_spe.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(first_fixed_noises_ch=1)

train_dataloader = dict(dataset=dict(data_root='data/singan/fish-crop.jpg'))
