# mmpe's StyleGAN2: a learned constant, and zero padding.
_base_ = ['_base_/faces_32.py']

model = dict(
    type='StyleGAN2',
    data_preprocessor=dict(type='DataPreprocessor'),
    generator=dict(
        type='StyleGANv2Generator',
        out_size=32,
        style_channels=64,
        num_mlps=4,
        width=1 / 16),
    discriminator=dict(
        type='StyleGAN2Discriminator', in_size=32, width=1 / 16),
    # a half-life of 1000 images
    ema_config=dict(
        type='ExponentialMovingAverage',
        interval=1,
        momentum=1 - 0.5**(8 / 1000)),
    # R1 of strength 0.1, for small images
    loss_config=dict(
        r1_loss_weight=0.1 / 2 * 16,
        r1_interval=16,
        norm_mode='HWC',
        g_reg_interval=8,
        g_reg_weight=2 * 8.,
        pl_batch_shrink=2))

optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=0.0025, betas=(0., 0.99))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.0025, betas=(0., 0.99))))

train_dataloader = dict(batch_size=8)
train_cfg = dict(type='ImageTrainLoop', max_iters=4000)
