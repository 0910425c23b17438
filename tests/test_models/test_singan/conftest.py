import pytest
import torch

NUM_SCALES = 5
SIZES = [(13, 17), (15, 20), (18, 23), (21, 27), (24, 31), (28, 36)]
SPE = dict(
    type='SPE',
    padding_idx=0,
    init_size=512,
    div_half_dim=False,
    center_shift=200)
PAD_ONE = dict(padding=1, pad_at_head=False)
INTERP_PAD = dict(interp_pad=True, noise_with_pad=True)

# The heads of the eight rows and of the original SinGAN: arguments of
# generator, discriminator and model.
HEADS = {
    'original': (dict(type='SinGANMultiScaleGenerator'), dict(),
                 dict(type='SinGAN')),
    'zero-pad': (dict(), dict(), dict()),
    'reflect-pad': (dict(padding_mode='reflect'), dict(), dict()),
    'interp-pad': (INTERP_PAD, dict(), dict(fixed_noise_with_pad=True)),
    'disc-nobn': (INTERP_PAD, dict(norm_cfg=None),
                  dict(fixed_noise_with_pad=True)),
    'csg': (dict(
        first_stage_in_channels=2,
        positional_encoding=dict(type='CSG'),
        **PAD_ONE), dict(), dict(first_fixed_noises_ch=2)),
    'spe4-noise1': (dict(
        first_stage_in_channels=8,
        positional_encoding=dict(embedding_dim=4, **SPE),
        **PAD_ONE), dict(), dict()),
    'spe4-noise8': (dict(
        first_stage_in_channels=8,
        positional_encoding=dict(embedding_dim=4, **SPE),
        **PAD_ONE), dict(), dict(first_fixed_noises_ch=8)),
    'spe8': (dict(
        first_stage_in_channels=16,
        positional_encoding=dict(embedding_dim=8, **SPE),
        **PAD_ONE), dict(), dict(first_fixed_noises_ch=16)),
}


def context_cfg(num_scales=2, positional_encoding=None, **kwargs):
    """Config of a small SinGAN with context instead of padding."""
    widths = dict(base_channels=8, min_feat_channels=8)
    return dict(
        type='ContextSinGAN',
        num_scales=num_scales,
        generator=dict(
            type='SinGANContextGenerator',
            in_channels=3,
            out_channels=3,
            positional_encoding=positional_encoding or dict(type='CSG'),
            **widths),
        discriminator=dict(
            type='SinGANMultiScaleDiscriminator', in_channels=3, **widths),
        **kwargs)


def model_cfg(head, num_scales=NUM_SCALES, **kwargs):
    """Config of a small PESinGAN with the head of a row."""
    generator, discriminator, model = HEADS[head]
    cfg = dict(
        type='PESinGAN',
        data_preprocessor=dict(
            type='DataPreprocessor', non_image_keys=['input_sample']),
        generator={
            **dict(
                type='SinGANMSGeneratorPE',
                in_channels=3,
                out_channels=3,
                num_scales=num_scales,
                base_channels=8,
                min_feat_channels=8),
            **generator
        },
        discriminator=dict(
            type='SinGANMultiScaleDiscriminator',
            in_channels=3,
            num_scales=num_scales,
            base_channels=8,
            min_feat_channels=8,
            **discriminator),
        generator_steps=3,
        discriminator_steps=3,
        num_scales=num_scales,
        iters_per_scale=2,
        lr_scheduler_args=dict(milestones=[1], gamma=0.1))
    return {**cfg, **model, **kwargs}


def random_pyramid(sizes=None):
    generator = torch.Generator().manual_seed(3)
    return [
        torch.rand(1, 3, *size, generator=generator) * 2 - 1
        for size in sizes or SIZES
    ]


@pytest.fixture(params=list(HEADS))
def head(request):
    return request.param
