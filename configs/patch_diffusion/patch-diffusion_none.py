# No positions: the published method, in the fast approximation.
_base_ = ['./patch-diffusion_csg.py']

model = dict(positions=None)
