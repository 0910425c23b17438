_base_ = ['../default_runtime.py']

# Each scale has its own pair of optimisers. The number of iterations follows
# from the number of scales.
optim_wrapper = dict(
    constructor='SinGANOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=0.0005, betas=(0.5, 0.999))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.0005, betas=(0.5, 0.999))))

train_cfg = dict(type='SinGANTrainLoop')

default_hooks = dict(
    timer=dict(type='SinGANTimerHook'),
    checkpoint=dict(interval=2000, max_keep_ckpts=3))
custom_hooks = [dict(type='SinGANVisualizationHook')]
log_processor = dict(type='SinGANLogProcessor')

# most parameters belong to scales that are not being trained
model_wrapper_cfg = dict(find_unused_parameters=True)
