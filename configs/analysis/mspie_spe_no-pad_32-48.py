# A sinusoidal encoding (SPE) and no padding.
_base_ = ['../_base_/models/mspie_interp-pad.py', './_base_/mspie_32-48.py']

model = _base_.small_model
model.generator.head_pos_encoding = _base_.spe
