# SinGAN with a sinusoidal encoding (SPE), 8 channels per axis.
_base_ = [
    '../_base_/models/pe_singan_spe.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(
    first_fixed_noises_ch=16,
    generator=dict(positional_encoding=dict(embedding_dim=8)))

train_dataloader = dict(
    dataset=dict(data_root='data/singan/bohemian.png', max_size=500))
