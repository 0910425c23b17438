# Patch diffusion with Cartesian positions (CSG): distances in the plane. Used
# if a photograph is given in place of a model.
default_scope = 'mmpe'

model = dict(
    type='PatchDiffusion',
    positions=dict(type='CSG'),
    # The coarsest scale keeps the layout, finer ones follow it.
    spread=[0.06, float('inf')])
