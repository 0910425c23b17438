# ContextSinGAN: a Cartesian grid (CSG), and no padding anywhere.
_base_ = '../singan_fast/singan_csg_fast.py'

model = dict(iters_per_scale=600, lr_scheduler_args=dict(milestones=[480]))
train_dataloader = dict(dataset=dict(max_size=80))
default_hooks = dict(checkpoint=dict(interval=200))
