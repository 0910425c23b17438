# The fast training with zero padding of each scale's input, as in the original
# SinGAN: positions are implicit. Also the base of the others: doubling sizes,
# 32 channels at all scales, one update of each network per round, on the same
# image, and a lazy gradient penalty.
_base_ = [
    '../_base_/models/pe_singan.py', '../_base_/datasets/singan.py',
    '../_base_/schedules/singan.py'
]

model = dict(
    num_scales=None,
    iters_per_scale=1200,
    generator_steps=1,
    discriminator_steps=1,
    generator=dict(double_channels=False),
    discriminator=dict(double_channels=False),
    objective=dict(penalty_interval=4, reuse_images=True),
    lr_scheduler_args=dict(milestones=[960], gamma=0.1))
optim_wrapper = dict(
    generator=dict(optimizer=dict(lr=0.001)),
    discriminator=dict(optimizer=dict(lr=0.001)))

train_dataloader = dict(
    dataset=dict(min_size=20, max_size=250, doubling=True))

# one checkpoint per scale
default_hooks = dict(
    logger=dict(interval=10**9),
    checkpoint=dict(interval=1200, max_keep_ckpts=2))
custom_hooks = [
    dict(type='SinGANVisualizationHook'),
    dict(type='SinGANEstimateHook'),
    dict(type='SinGANPreviewHook'),
    dict(type='SinGANProgressHook')
]
log_level = 'ERROR'
