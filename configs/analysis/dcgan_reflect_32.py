# The same with reflection in place of the generator's zero padding.
_base_ = './dcgan_zero-pad_32.py'

custom_hooks = [dict(type='CuesHook', padding='reflect')]
