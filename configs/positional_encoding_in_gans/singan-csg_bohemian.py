# SinGAN with a Cartesian grid (CSG).
_base_ = [
    '../_base_/models/pe_singan_csg.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(num_scales=10)

train_dataloader = dict(
    dataset=dict(data_root='data/singan/bohemian.png', max_size=500))
