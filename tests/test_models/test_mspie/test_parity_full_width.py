"""config-f at its full width."""
import pytest
import torch

from .. import oracle

ROW = 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'


@pytest.mark.slow
@pytest.mark.parametrize('part', ['generator', 'discriminator'])
def test_config_f_at_full_width(part):
    ours, theirs = oracle.build_pair(oracle.row_model(ROW)[part])
    assert oracle.shapes(ours) == oracle.shapes(theirs)
    torch.manual_seed(1)
    if part == 'generator':
        args = (torch.randn(1, 512), )
        kwargs = dict(injected_noise=ours.make_injected_noise())
    else:
        args, kwargs = (torch.randn(1, 3, 256, 256), ), {}
    with torch.no_grad():
        oracle.assert_close(ours(*args, **kwargs), theirs(*args, **kwargs))
