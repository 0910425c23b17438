# MMagic's PGGAN, grown from 8 x 8 pixels: the first map is made from the
# latent; zero padding.
_base_ = ['_base_/faces_32.py']

channels = dict(base_channels=1024, max_channels=32)

model = dict(
    type='PGGAN',
    data_preprocessor=dict(type='DataPreprocessor'),
    noise_size=64,
    generator=dict(
        type='PGGANGenerator', noise_size=64, out_scale=32, **channels),
    discriminator=dict(
        type='PGGANDiscriminator', in_scale=32, label_size=0, **channels),
    # thousands of images
    nkimgs_per_scale={
        '8': 3,
        '16': 6,
        '32': 100
    },
    transition_kimgs=2,
    ema_config=dict(
        type='ExponentialMovingAverage', momentum=1 - 0.5**(16 / 1000)))

optim_wrapper = dict(
    constructor='PGGANOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=0.002, betas=(0., 0.99))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.002, betas=(0., 0.99))),
    lr_schedule=dict(generator=dict(), discriminator=dict()))

train_dataloader = dict(batch_size=16)
train_cfg = dict(type='ImageTrainLoop', max_iters=2400)
