# All patches at all scales and noise levels, without the fast approximation.
_base_ = ['./patch-diffusion_csg.py']

model = dict(search='exact', fine_sigmas=[1 - i / 9 for i in range(10)])
