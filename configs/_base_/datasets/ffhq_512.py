# FFHQ at 512 x 512 pixels.
_base_ = './image_folder.py'

train_dataloader = dict(dataset=dict(data_root='data/ffhq/ffhq_512'))
val_dataloader = dict(dataset=dict(data_root='data/ffhq/ffhq_512'))
test_dataloader = val_dataloader
