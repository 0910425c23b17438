import torch
from mmagic.models.data_preprocessors import DataPreprocessor as MMagics
from mmagic.structures import DataSample

from mmpe.models.data_preprocessor import DataPreprocessor, _pinned

from .test_mspie.networks import batch


def test_same_as_mmagic():
    ours, theirs = (cls()(batch(), True)
                    for cls in (DataPreprocessor, MMagics))
    assert torch.equal(ours['inputs'], theirs['inputs'])
    assert torch.equal(ours['data_samples'].gt_img,
                       theirs['data_samples'].gt_img)


def test_data_samples_are_pinned(monkeypatch):
    pinned = []

    def pin(x):
        pinned.append(x.clone())
        return pinned[-1]

    monkeypatch.setattr(torch.Tensor, 'pin_memory', pin)
    sample = DataSample(
        gt_img=torch.ones(3, 4, 5), name='x', metainfo=dict(path='a.png'))
    result = _pinned(sample)
    assert type(result) is DataSample
    assert result.gt_img is pinned[0] and sample.gt_img is not pinned[0]
    assert (result.name, result.path) == ('x', 'a.png')
    assert _pinned(torch.zeros(2, device='meta')).is_meta
    assert len(pinned) == 1
