import pytest
import torch

from mmpe.models.stylegan2 import StyleGAN2Generator

from ..oracle import assert_close, build_pair, shapes

SMALL = dict(out_size=16, style_channels=16)


def generator(**kwargs):
    torch.manual_seed(0)
    return StyleGAN2Generator(**dict(SMALL, width=1 / 32, **kwargs)).eval()


@pytest.mark.parametrize('kwargs', [
    dict(cond_size=3),
    dict(cond_size=3, cond_mapping_channels=5, noise_size=7),
    dict(out_channels=4, bgr2rgb=True, num_mlps=2, blur_kernel=[1, 2, 2, 1]),
    dict(update_mean_latent_with_ema=True, norm_eps=1e-2),
])
def test_options_against_mmagic(kwargs):
    config = dict(type='StyleGANv2Generator', out_size=16, style_channels=512)
    ours, theirs = build_pair(dict(config, **kwargs), 1 / 32)
    assert shapes(ours) == shapes(theirs)
    ours.train(), theirs.train()
    z, label = torch.randn(2, ours.noise_size), torch.rand(2, 3)
    call = dict(label=label, injected_noise=ours.make_injected_noise(),
                update_ws=True)
    assert_close(ours(z, **call), theirs(z, **call))
    if hasattr(ours, 'w_avg'):
        assert_close(ours.w_avg, theirs.w_avg)
        assert torch.equal(ours.get_mean_latent(), ours.w_avg)


def test_random_noise_of_one_seed_is_mmagics():
    ours, theirs = build_pair(
        dict(type='StyleGANv2Generator', out_size=32, style_channels=512),
        1 / 32)
    z = torch.randn(2, 16)
    images = []
    for model in (ours, theirs):
        torch.manual_seed(4)
        images.append(model(z))
    assert_close(*images)


def test_noise_can_be_left_out_or_fixed():
    model = generator()
    for name, param in model.named_parameters():
        if name.endswith('noise_injector.weight'):
            torch.nn.init.ones_(param)
    z = torch.randn(1, 16)
    assert torch.equal(model(z, add_noise=False), model(z, add_noise=False))
    assert not torch.equal(model(z), model(z))
    fixed = generator(fixed_noise=True)
    fixed.load_state_dict(model.state_dict())
    assert torch.equal(fixed(z), model(z, randomize_noise=False))


def test_features_against_mmagic():
    ours, theirs = build_pair(
        dict(type='StyleGANv2Generator', out_size=16, style_channels=512),
        1 / 32)
    kwargs = dict(injected_noise=ours.make_injected_noise(),
                  return_latents=True, return_features=True, feat_idx=1)
    z = torch.randn(2, 16)
    assert_close(ours(z, **kwargs)['feats'], theirs(z, **kwargs)['feats'])


def test_outputs():
    model = generator()
    z = torch.randn(2, 16)
    latent = model(z, return_latent_only=True)
    assert latent.shape == (2, 6, 16)
    outputs = model(z, return_latents=True, return_features=True, feat_idx=1)
    assert outputs['feats'].shape == (2, 16, 8, 8)
    assert torch.equal(outputs['latent'], latent)
    sampled = model(torch.randn, num_batches=2)
    assert sampled.shape == (2, 3, 16, 16)


def test_half_precision_blocks():
    model = generator(num_fp16_scales=1)
    dtypes = []
    for layer in (model.conv1, *model.convs):
        layer.register_forward_hook(
            lambda module, args, output: dtypes.append(output[0].dtype))
    z = torch.randn(1, 16)
    image = model(z, randomize_noise=False)
    assert dtypes == 3 * [torch.float32] + 2 * [torch.bfloat16]
    assert image.dtype == torch.float32
    exact = generator()
    exact.load_state_dict(model.state_dict())
    assert_close(image, exact(z, randomize_noise=False), rtol=0.05)


def test_pretrained_weights(tmp_path):
    model = generator()
    state = {f'generator_ema.{k}': v for k, v in model.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'weights.pth')
    torch.manual_seed(1)
    loaded = StyleGAN2Generator(
        **SMALL,
        width=1 / 32,
        pretrained=dict(
            ckpt_path=str(tmp_path / 'weights.pth'), prefix='generator_ema'))
    assert torch.equal(loaded.conv1.conv.weight_orig,
                       model.conv1.conv.weight_orig)


def test_label_is_checked():
    with pytest.raises(ValueError, match='`label` must have 3 channels'):
        generator(cond_size=3)(torch.randn(1, 16))
