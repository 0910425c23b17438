# Sizes of 32, 48 and 64 pixels: (4 + extra cells) * 2^3. The discriminator
# pools its last map to 4 x 4 cells, as 2 x 2 would be too coarse for small
# images. Real images are resized as in evaluation, not as in the paper's rows.
_base_ = ['./small.py', '../../_base_/models/spe.py']

small_model = dict(
    generator=dict(out_size=32),
    discriminator=dict(in_size=32, pool_size=(4, 4)),
    train_settings=dict(
        num_upblocks=3, multi_input_scales=[0, 2, 4], antialias=True))
spe = dict(embedding_dim=16)

test_evaluator = _base_.test_evaluator
test_evaluator.metrics.append(
    dict(type='CrossScaleConsistency', fake_nums=200))
