# MS-PIE trained at 32 and 48 pixels, which leaves 64 as a new size.
_base_ = '../../mspie_small/_base_/small_mspie.py'

small_model = dict(
    train_settings=dict(
        multi_input_scales=[0, 2], multi_scale_probability=[0.5, 0.5]))

train_cfg = dict(max_iters=3000)
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1))
