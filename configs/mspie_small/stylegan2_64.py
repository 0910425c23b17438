# Plain StyleGAN2 at the largest size. Half of the channels at 64 x 64 give it
# the same amount of work per iteration as the others.
_base_ = ['../_base_/models/stylegan2.py', '_base_/small.py']

model = _base_.small_model
model.generator.channel_multiplier = 1
model.discriminator.channel_multiplier = 1
