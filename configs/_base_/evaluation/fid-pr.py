# At the largest scale of the model, against real images of that size.
val_evaluator = dict(
    type='MultiScaleEvaluator',
    scales='largest',
    metrics=[
        dict(
            type='FrechetInceptionDistance',
            prefix='FID-50k',
            fake_nums=50000,
            real_nums=50000,
            inception_style='pytorch',
            sample_model='ema'),
        dict(
            type='PrecisionAndRecall',
            prefix='PR-10k',
            fake_nums=10000,
            real_nums=10000,
            k=3,
            sample_model='ema')
    ])
test_evaluator = val_evaluator
