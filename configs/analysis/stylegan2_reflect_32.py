# The same without zero padding: the generator's layers mirror their maps.
_base_ = './stylegan2_zero-pad_32.py'

custom_hooks = [dict(type='CuesHook', padding='reflect')]
