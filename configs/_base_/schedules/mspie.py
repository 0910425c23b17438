_base_ = ['../default_runtime.py']

# Lazy regularisation (StyleGAN2, Appendix B): learning rate and exponents of
# the betas are multiplied by n / (n + 1), where n is 4 for the generator (path
# length) and 16 for the discriminator (R1).
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(
        optimizer=dict(
            type='Adam', lr=0.002 * 4 / 5, betas=(0., 0.99**(4 / 5)))),
    discriminator=dict(
        optimizer=dict(
            type='Adam', lr=0.002 * 16 / 17, betas=(0., 0.99**(16 / 17)))))

train_cfg = dict(type='ImageTrainLoop', max_iters=1100002, val_interval=10000)
val_cfg = dict(type='MultiValLoop')
test_cfg = dict(type='MultiTestLoop')

default_hooks = dict(checkpoint=dict(save_best='FID-50k/fid', rule='less'))
custom_hooks = [dict(type='CheckHook'), dict(type='SampleSheetHook')]
