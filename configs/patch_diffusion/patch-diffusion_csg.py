# A photograph's patches with Cartesian positions (CSG): distances in the
# plane. What is used where a photograph is named instead of a model.
default_scope = 'mmpe'

model = dict(
    type='PatchDiffusion',
    positions=dict(type='CSG'),
    # the coarsest scale keeps the layout, finer ones follow it
    spread=[0.06, float('inf')])
