# SinGAN with a sinusoidal encoding (SPE), 4 channels per axis.
_base_ = [
    '../_base_/models/pe_singan_spe.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

train_dataloader = dict(
    dataset=dict(data_root='data/singan/bohemian.png', max_size=500))
