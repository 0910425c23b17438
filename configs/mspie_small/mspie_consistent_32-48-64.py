# The same picture at all sizes: positions in the picture, context in place of
# padding, regions of finer grids, whose place the discriminator knows, and a
# consistency loss between sizes.
_base_ = ['../_base_/models/mspie_zero-pad.py', './_base_/small_mspie.py']

model = _base_.small_model
model.type = 'ContextMSPIEStyleGAN2'
model.show_places = True
model.consistency_weight = 10
model.discriminator.img_channels = 5
# Half of the iterations: what the largest size teaches shows at every size.
model.train_settings.multi_scale_probability = [0.25, 0.25, 0.5]
model.generator = dict(
    _delete_=True,
    type='MSContextStyleGANv2Generator',
    out_size=32,
    style_channels=64,
    num_mlps=4,
    width=1 / 16,
    head_pos_encoding=dict(type='SPE', embedding_dim=16))

# Regions of finer grids need more pixels than the largest scale.
pipeline = _base_.pipeline
pipeline[2].scale = (192, 192)
train_dataloader = dict(dataset=dict(pipeline=pipeline))
