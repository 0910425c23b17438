# StyleGAN2 at 256 x 256 with the channels of its config F.
model = dict(
    type='StyleGAN2',
    data_preprocessor=dict(type='DataPreprocessor'),
    generator=dict(
        type='StyleGANv2Generator', out_size=256, style_channels=512),
    discriminator=dict(type='StyleGAN2Discriminator', in_size=256),
    # half-life of 10,000 images, at a batch size of 32
    ema_config=dict(
        type='ExponentialMovingAverage',
        interval=1,
        momentum=1 - 0.5**(32 / 10000)),
    # weights times interval: R1 gamma / 2 = 5 times 16, path length 2 times 4
    loss_config=dict(
        r1_loss_weight=80.,
        r1_interval=16,
        norm_mode='HWC',
        g_reg_interval=4,
        g_reg_weight=8.,
        pl_batch_shrink=2))
