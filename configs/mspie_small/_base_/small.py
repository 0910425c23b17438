# Data, schedule and changes to the models for the small rows. Works with any
# folder of images: set `data_root`.
_base_ = [
    '../../_base_/datasets/image_folder.py', '../../_base_/default_runtime.py'
]

# Images of any shape become 64 x 64 pixels.
pipeline = [
    dict(type='LoadPhotograph'),
    dict(type='CenterCropLongEdge', keys=['gt']),
    dict(type='Resize', keys=['gt'], scale=(64, 64), interpolation='area'),
    dict(type='PackInputs', keys='gt')
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    # To read the images takes 8 % of an iteration.
    dataset=dict(pipeline=pipeline, num_cached=5000))
val_dataloader = None
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(mirror=True, pipeline=pipeline))

# Neither figure needs a download. The number of images is limited to those in
# the folder, mirrored ones included.
test_cfg = dict(type='MultiTestLoop')
test_evaluator = dict(
    type='MultiScaleEvaluator',
    scales='all',
    metrics=[
        dict(type='SlicedWassersteinDistance', fake_nums=200),
        dict(type='EffLite0Distances', fake_nums=200, figures=['KID'])
    ])

# 32 channels. R1 decreases with the size of the images, from 10 at 256 pixels
# to 0.4 here; the path length penalty is half as frequent, at the same
# strength. The moving average is short, with a half-life of 2000 images.
small_model = dict(
    generator=dict(out_size=64, style_channels=64, num_mlps=4, width=1 / 16),
    discriminator=dict(in_size=64, width=1 / 16),
    ema_config=dict(momentum=1 - 0.5**(4 / 2000)),
    loss_config=dict(
        r1_loss_weight=0.4 / 2 * 16, g_reg_weight=2 * 8., g_reg_interval=8))

optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=0.0025, betas=(0., 0.99))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.0025, betas=(0., 0.99))))

train_cfg = dict(type='ImageTrainLoop', max_iters=54000)
default_hooks = dict(checkpoint=dict(interval=1000, max_keep_ckpts=3))
