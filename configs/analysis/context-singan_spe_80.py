# ContextSinGAN: a sinusoidal encoding (SPE), and no padding anywhere.
_base_ = '../singan_fast/singan_spe-dim8_fast.py'

model = dict(iters_per_scale=600, lr_scheduler_args=dict(milestones=[480]))
train_dataloader = dict(dataset=dict(max_size=80))
default_hooks = dict(checkpoint=dict(interval=200))
