# Sinusoidal positions (SPE) with few channels: places 6.3 cells of the
# coarsest scale apart have similar codes, so a layout can repeat.
_base_ = ['./patch-diffusion_csg.py']

model = dict(positions=dict(_delete_=True, type='SPE', embedding_dim=4))
