# The same with a constant first map: zero padding is the only spatial cue.
_base_ = './stylegan2_zero-pad_32.py'

custom_hooks = [dict(type='CuesHook', flat_first_map=True)]
