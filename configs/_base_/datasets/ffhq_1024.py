# FFHQ at 1024 x 1024 pixels.
_base_ = './image_folder.py'

train_dataloader = dict(dataset=dict(data_root='data/ffhq/images'))
val_dataloader = dict(dataset=dict(data_root='data/ffhq/images'))
test_dataloader = val_dataloader
