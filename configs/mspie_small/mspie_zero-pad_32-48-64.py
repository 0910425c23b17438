# As config-c: zero padding only, a learned constant resized to the input
# size.
_base_ = ['../_base_/models/mspie_zero-pad.py', '_base_/small_mspie.py']

model = _base_.small_model
model.generator.interp_head = True
