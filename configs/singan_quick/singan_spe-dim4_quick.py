# A PE-SinGAN that is trained in minutes on a processor: small pictures, few
# scales and rounds. What the demo trains when it is given no checkpoint.
_base_ = ['../positional_encoding_in_gans/singan_spe-dim4_bohemian.py']

model = dict(
    num_scales=None,
    iters_per_scale=340,
    lr_scheduler_args=dict(milestones=[272], gamma=0.1))

train_dataloader = dict(
    dataset=dict(data_root=None, max_size=112, scale_factor_init=0.6))

# a checkpoint after each scale: 3 iterations are one round
default_hooks = dict(
    logger=dict(interval=10**9),
    checkpoint=dict(interval=3 * 340, max_keep_ckpts=2))
custom_hooks = [
    dict(type='SinGANVisualizationHook'),
    dict(type='SinGANEstimateHook'),
    dict(type='SinGANPreviewHook'),
    dict(type='SinGANProgressHook')
]
log_level = 'ERROR'
