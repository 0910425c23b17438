"""Small MS-PIE networks: 32 pixels, 16 channels."""
import copy

import torch
from mmagic.structures import DataSample
from mmengine import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmpe.registry import MODELS, build_from

BILINEAR = dict(scale_factor=2, mode='bilinear', align_corners=True)
SPE = dict(
    type='SPE', embedding_dim=8, padding_idx=0, init_size=32, center_shift=10)
PADDED = dict(deconv2conv=True, up_after_conv=True, up_config=BILINEAR)
UNPADDED = dict(
    deconv2conv=True,
    no_pad=True,
    interp_pad=4,
    head_pos_size=(6, 6),
    up_config=BILINEAR)
# The policies of rows c to k, and the transposed convolution of row b.
POLICIES = dict(
    c=dict(PADDED, interp_head=True),
    d=dict(PADDED, head_pos_encoding=dict(type='CSG')),
    e=dict(PADDED, head_pos_encoding=SPE, interp_head=True),
    f=dict(PADDED, head_pos_encoding=SPE),
    h=dict(UNPADDED, interp_head=True),
    i=dict(UNPADDED, head_pos_encoding=dict(type='CSG')),
    j=dict(UNPADDED, head_pos_encoding=SPE, interp_head=True),
    k=dict(UNPADDED, head_pos_encoding=SPE),
    transposed=dict())
DISCRIMINATOR = dict(
    type='MSStyleGAN2Discriminator',
    in_size=32,
    width=1 / 32,
    with_adaptive_pool=True)


def generator(row='f', **kwargs):
    torch.manual_seed(0)
    config = dict(
        type='MSStyleGANv2Generator',
        out_size=32,
        style_channels=16,
        width=1 / 32)
    return build_from(MODELS, {**config, **POLICIES[row], **kwargs})


def mspie(row='f', train_settings=None, loss_config=None, **kwargs):
    """An MSPIEStyleGAN2 with everything training needs."""
    settings = dict(num_upblocks=3, multi_input_scales=[0, 2, 4])
    return build_from(
        MODELS,
        dict(
            dict(
                type='MSPIEStyleGAN2',
                generator=generator(row),
                discriminator=DISCRIMINATOR,
                ema_config=dict(type='ExponentialMovingAverage', momentum=0.1),
                loss_config=dict(norm_mode='HWC', **(loss_config or {})),
                train_settings=dict(settings, **(train_settings or {}))),
            **kwargs))


def optimizers(model, wrapper=OptimWrapper, **kwargs):
    return OptimWrapperDict(
        **{
            name: wrapper(
                optimizer=torch.optim.Adam(
                    getattr(model, name).parameters(),
                    lr=1e-3,
                    betas=(0., 0.99)),
                **kwargs)
            for name in ('generator', 'discriminator')
        })


def batch(num=2, size=32, seed=0):
    images = torch.rand(
        num, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return dict(
        inputs=list(images * 255),
        data_samples=[DataSample(gt_img=image * 255) for image in images])


def train(model, wrappers, iterations, size=32):
    """Train for some iterations; returns what is logged."""
    hub = MessageHub.get_current_instance()
    logs = []
    for iteration in iterations:
        hub.update_info('iter', iteration)
        logs.append(
            model.train_step(batch(size=size, seed=iteration), wrappers))
    return logs


def assert_resume_is_exact(**kwargs):
    """Training goes on from a saved state as if it had not been stopped.

    Args:
        kwargs: Of the model, as for `mspie`.

    Returns:
        The state that was saved, and what was logged from there on.
    """
    whole = mspie(**kwargs)
    wrappers = optimizers(whole)
    torch.manual_seed(5)
    train(whole, wrappers, range(5))
    saved = (copy.deepcopy(whole.state_dict()),
             copy.deepcopy(wrappers.state_dict()), torch.get_rng_state())
    logs = train(whole, wrappers, range(5, 10))

    resumed = mspie(**kwargs)
    wrappers = optimizers(resumed)
    resumed.load_state_dict(saved[0])
    wrappers.load_state_dict(saved[1])
    torch.set_rng_state(saved[2])
    assert train(resumed, wrappers, range(5, 10)) == logs
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    return saved[0], logs
