# The fast SinGAN at 80 pixels, trained in a minute or two on a CPU: zero
# padding.
_base_ = '../singan_fast/singan_zero-pad_fast.py'

model = dict(iters_per_scale=600, lr_scheduler_args=dict(milestones=[480]))
train_dataloader = dict(dataset=dict(max_size=80))
default_hooks = dict(checkpoint=dict(interval=200))
