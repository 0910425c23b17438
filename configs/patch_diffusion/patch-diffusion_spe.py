# Sinusoidal positions of few channels (SPE): places that are 6.3 cells of the
# coarsest scale apart are alike, so that a layout may repeat.
_base_ = ['./patch-diffusion_csg.py']

model = dict(positions=dict(_delete_=True, type='SPE', embedding_dim=4))
