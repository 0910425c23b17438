import pytest
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import mmpe.registry
from mmpe.utils import register_all_modules


@pytest.fixture
def layer():
    """A type that only mmpe's registry knows."""

    class OnlyHere(nn.Module):
        pass

    mmpe.registry.MODELS.register_module(module=OnlyHere)
    yield OnlyHere
    mmpe.registry.MODELS.module_dict.pop('OnlyHere')


def test_register_all_modules_sets_the_scope_when_asked(layer):
    with DefaultScope.overwrite_default_scope('mmagic'):
        register_all_modules(init_default_scope=False)
        assert DefaultScope.get_current_instance().scope_name == 'mmagic'
        register_all_modules()
        assert DefaultScope.get_current_instance().scope_name == 'mmpe'
        assert isinstance(MODELS.build(dict(type='OnlyHere')), layer)


def test_full_names_work_without_our_scope(layer):
    import mmagic.registry
    with DefaultScope.overwrite_default_scope('mmengine'):
        for registry in (MODELS, mmagic.registry.MODELS):
            assert isinstance(
                registry.build(dict(type='mmpe.OnlyHere')), layer)


def test_types_of_mmagic_are_found_from_our_registries():
    from mmagic.models import DataPreprocessor
    get = mmpe.registry.MODELS.get
    assert get('mmagic.DataPreprocessor') is DataPreprocessor
    assert mmpe.registry.DATASETS.get('BasicImageDataset') is not None
    assert mmpe.registry.METRICS.get('FrechetInceptionDistance') is not None
    assert mmpe.registry.HOOKS.get('ExponentialMovingAverageHook') is not None
    assert mmpe.registry.VISUALIZERS.get('ConcatImageVisualizer') is not None


def test_mmagic_keeps_its_own_types_of_the_same_name():
    import mmagic.models.editors.singan as theirs
    import mmagic.registry
    assert mmagic.registry.MODELS.get('SinGAN') is theirs.SinGAN
