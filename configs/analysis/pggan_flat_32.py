# The same with a first map that has one value everywhere: only zero padding
# tells layers their place.
_base_ = './pggan_zero-pad_32.py'

custom_hooks = [dict(type='CuesHook', flat_first_map=True)]
