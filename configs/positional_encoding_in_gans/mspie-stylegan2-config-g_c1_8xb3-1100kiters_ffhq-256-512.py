# Tab. 5 config-g: config-f with half of the channels from 64 x 64 on.
_base_ = './mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py'

model = dict(
    generator=dict(channel_multiplier=1),
    discriminator=dict(channel_multiplier=1))
