# A folder of images of one size, with mirrored copies in training. The file of
# a dataset sets `data_root`.
train_dataloader = dict(
    batch_size=3,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    dataset=dict(type='ImageFolderDataset', data_root=None, mirror=True))

val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageFolderDataset', data_root=None))
test_dataloader = val_dataloader
