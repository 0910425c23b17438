# SinGAN with a sinusoidal encoding (SPE), 8 channels per axis.
_base_ = [
    '../_base_/models/pe_singan.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(
    num_scales=10,
    first_fixed_noises_ch=16,
    generator=dict(
        padding=1,
        pad_at_head=False,
        first_stage_in_channels=16,
        positional_encoding=dict(
            type='SPE',
            embedding_dim=8,
            padding_idx=0,
            init_size=512,
            div_half_dim=False,
            center_shift=200)))

train_dataloader = dict(
    dataset=dict(data_root='data/singan/bohemian.png', max_size=500))
