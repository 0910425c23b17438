# MMagic's DCGAN: the first map is made from the latent; zero padding.
_base_ = ['_base_/faces_32.py']

model = dict(
    type='DCGAN',
    data_preprocessor=dict(type='DataPreprocessor'),
    noise_size=64,
    generator=dict(
        type='DCGANGenerator', output_scale=32, base_channels=128),
    discriminator=dict(
        type='DCGANDiscriminator',
        input_scale=32,
        output_scale=4,
        out_channels=1,
        base_channels=32))

optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=0.0005, betas=(0.5, 0.999))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.0001, betas=(0.5, 0.999))))

train_dataloader = dict(batch_size=32)
train_cfg = dict(type='ImageTrainLoop', max_iters=2000)
