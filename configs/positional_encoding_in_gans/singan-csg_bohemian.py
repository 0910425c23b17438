# SinGAN with a Cartesian grid (CSG) at the first scale.
_base_ = [
    '../_base_/models/pe_singan.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(
    num_scales=10,
    first_fixed_noises_ch=2,
    generator=dict(
        padding=1,
        pad_at_head=False,
        first_stage_in_channels=2,
        positional_encoding=dict(type='CSG')))

train_dataloader = dict(
    dataset=dict(data_root='data/singan/bohemian.png', max_size=500))
