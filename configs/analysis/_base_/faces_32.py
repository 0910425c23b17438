# Any folder of images at 32 x 32 pixels, for trainings of a few minutes on a
# CPU. The file of a model sets the number of iterations.
_base_ = [
    '../../_base_/datasets/image_folder.py', '../../_base_/default_runtime.py'
]

# Networks of MMagic, and the hook that removes spatial cues.
custom_imports = dict(
    imports=[
        'mmpe.analysis.dcgan', 'mmagic.models.editors.pggan',
        'mmpe.analysis.cues'
    ],
    allow_failed_imports=False)

train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=[
        dict(type='LoadPhotograph'),
        dict(type='CenterCropLongEdge', keys=['gt']),
        dict(
            type='Resize', keys=['gt'], scale=(32, 32), interpolation='area'),
        dict(type='PackInputs', keys='gt')
    ]))
val_dataloader = None
test_dataloader = None

default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1))
