# PE-SinGAN: five 3x3 convolutions per scale, 32 channels, doubled every four
# scales. A row sets the head and the number of scales.
model = dict(
    type='PESinGAN',
    data_preprocessor=dict(
        type='DataPreprocessor',
        non_image_keys=['input_sample'],
        data_keys=None),
    generator=dict(type='SinGANMSGeneratorPE', in_channels=3, out_channels=3),
    discriminator=dict(type='SinGANMultiScaleDiscriminator', in_channels=3),
    generator_steps=3,
    discriminator_steps=3,
    iters_per_scale=2000,
    noise_weight_init=0.1,
    lr_scheduler_args=dict(milestones=[1600], gamma=0.1),
    # MMagic's .pkl file beside a released checkpoint
    test_pkl_data=None)
