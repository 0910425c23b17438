# As config-d: zero padding and a Cartesian grid (CSG) of the input size.
_base_ = ['../_base_/models/mspie_zero-pad.py', '_base_/small_mspie.py']

model = _base_.small_model
model.generator.head_pos_encoding = dict(type='CSG')
