# One photograph; a row sets `data_root`.
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='SinGANDataset',
        data_root=None,
        min_size=25,
        max_size=300,
        scale_factor_init=0.75,
        num_samples=1))
