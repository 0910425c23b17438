# MS-PIE with zero padding: convolution, then bilinear upsampling. A row sets
# the head.
_base_ = './stylegan2.py'

model = dict(
    type='MSPIEStyleGAN2',
    generator=dict(
        type='MSStyleGANv2Generator',
        deconv2conv=True,
        up_after_conv=True,
        up_config=dict(scale_factor=2, mode='bilinear', align_corners=True),
        head_pos_size=(4, 4)),
    discriminator=dict(
        type='MSStyleGAN2Discriminator', with_adaptive_pool=True),
    # Images have (4 + extra cells) * 64 pixels per side. The public code sets
    # probabilities of 0.5, 0.25 and 0.25, but draws uniformly: as trained.
    train_settings=dict(
        num_upblocks=6,
        multi_input_scales=[0, 2, 4],
        multi_scale_probability=[1 / 3, 1 / 3, 1 / 3]))
