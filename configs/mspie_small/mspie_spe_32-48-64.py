# As config-f: zero padding and a sinusoidal encoding (SPE) of the input size.
_base_ = ['../_base_/models/mspie_zero-pad.py', '_base_/small_mspie.py']

model = _base_.small_model
model.generator.head_pos_encoding = _base_.spe
