# FFHQ at 256 x 256 pixels.
_base_ = './image_folder.py'

train_dataloader = dict(dataset=dict(data_root='data/ffhq/ffhq_256'))
val_dataloader = dict(dataset=dict(data_root='data/ffhq/ffhq_256'))
test_dataloader = val_dataloader
