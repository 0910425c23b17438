import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mmpe import host
from mmpe.host import helps, installed

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parents[1]
bridged = pytest.mark.skipif(
    installed.mmagic_works(),
    reason='MMagic works by itself in this environment')


def _run(code, *folders):
    """Run code in a new process that sees ``folders`` before all others."""
    path = [str(folder) for folder in (*folders, ROOT)]
    return subprocess.run(
        [
            sys.executable, '-W', 'ignore', '-c',
            f'import sys; sys.path[:0] = {path!r}\n' + textwrap.dedent(code)
        ],
        capture_output=True,
        text=True,
        timeout=600)


@pytest.fixture(scope='module')
def packages(tmp_path_factory):
    """Packages that MMagic imports and that have nothing to do with GANs."""
    folder = tmp_path_factory.mktemp('packages')
    for name in ('diffusers', 'face_alignment', 'mediapipe'):
        (folder / name).mkdir()
        (folder / name / '__init__.py').write_text('value = "the real one"')
    return folder


@pytest.fixture(scope='module')
def facts(packages):
    """What a new process sees that uses the bridge."""
    result = _run(
        '''
        import json, sys
        import mmpe
        heavy = ('diffusers', 'face_alignment', 'mediapipe')
        seen = lambda: [name for name in sys.modules
                        if name.split('.')[0] in heavy]
        facts = {}
        mmpe.utils.register_all_modules()
        facts['registered'] = seen()

        import mmagic.datasets, mmagic.engine, mmagic.evaluation, mmagic.models
        import mmagic.visualization
        import numpy, mmcv
        facts['imported'] = seen()
        facts['bool8'] = 'bool8' in vars(numpy)
        facts['ext'] = 'mmcv._ext' in sys.modules
        facts['attributes'] = [name for name in ('BasicVSR', 'DCGANGenerator')
                               if hasattr(mmagic.models.editors, name)]
        facts['types'] = [name for name in mmagic.registry.MODELS.module_dict
                          if 'diffusers' in name or name.startswith('_')]

        import torch
        import mmagic.models.editors.dcgan as dcgan
        import mmagic.models.editors.mspie as mspie
        import mmagic.models.editors.pggan as pggan
        import mmagic.models.editors.singan as singan
        import mmagic.models.editors.stylegan2 as stylegan2
        facts['shapes'] = [list(image.shape) for image in (
            dcgan.DCGANGenerator(32, base_channels=8)(None, num_batches=2),
            pggan.PGGANGenerator(8, 16, base_channels=8, max_channels=8)(
                None, num_batches=2, transition_weight=1),
            stylegan2.StyleGAN2Generator(32, 16, channel_multiplier=1)(
                None, num_batches=2),
            mspie.MSStyleGANv2Generator(32, 16, channel_multiplier=1)(
                None, num_batches=2, chosen_scale=0),
            singan.SinGANMultiScaleGenerator(3, 3, 2)(
                torch.zeros(1, 3, 20, 30),
                [torch.zeros(1, 3, 20, 30)], [1.], 'recon', 0)
        )]

        import mmcv.ops
        try:
            mmcv.ops.roi_align(torch.zeros(1, 1, 8, 8), torch.zeros(1, 5), 2)
        except ImportError as error:
            facts['operator'] = str(error)

        import diffusers, face_alignment
        facts['values'] = [diffusers.value, face_alignment.value]
        from mmengine.runner.checkpoint import CheckpointLoader
        facts['loader'] = CheckpointLoader._schemes[''].__module__
        facts['finders'] = sum(type(finder) is mmpe.host._Finder
                               for finder in sys.meta_path)
        print(json.dumps(facts))
        ''', packages)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@bridged
def test_imports_neither_diffusers_nor_mediapipe_nor_face_alignment(facts):
    assert facts['registered'] == []
    assert facts['imported'] == []


@bridged
def test_leaves_nothing_behind(facts):
    assert not facts['bool8'] and not facts['ext']
    assert facts['types'] == []
    assert facts['values'] == ['the real one'] * 2
    assert facts['finders'] == 1


@bridged
def test_imports_single_editors(facts):
    assert facts['attributes'] == []
    assert facts['shapes'] == [[2, 3, 32, 32], [2, 3, 16, 16], [2, 3, 32, 32],
                               [2, 3, 32, 32], [1, 3, 20, 30]]


@bridged
def test_imports_torchvision_when_it_is_used():
    result = _run('''
        import mmpe
        import mmagic.models
        assert 'torchvision' not in sys.modules
        from mmagic.models.losses.perceptual_loss import vgg
        from mmagic.utils.img_utils import make_grid
        import torch
        assert make_grid(torch.zeros(2, 3, 8, 8)).shape == (3, 12, 22)
        assert type(vgg.vgg11()).__module__ == 'torchvision.models.vgg'
        import torchvision.ops
        ''')
    assert result.returncode == 0, result.stderr


@bridged
def test_optional_packages_may_be_missing():
    """MMagic is imported without them; who calls them is told which to get."""
    result = _run('''
        packages = 'albumentations', 'click', 'imageio', 'lpips', 'requests'
        sys.modules.update(dict.fromkeys(packages))
        import mmpe
        mmpe.utils.register_all_modules()
        import mmagic.datasets, mmagic.evaluation, mmagic.models
        import mmagic.visualization
        from mmagic.datasets.transforms import PairedAlbuTransForms
        from mmagic.evaluation.metrics import ppl
        from mmagic.utils import io_utils
        from mmagic.visualization import vis_backend
        assert not any(sys.modules[package] for package in packages)
        assert 'requests.exceptions' not in sys.modules
        for call in (lambda: PairedAlbuTransForms(8),
                     lambda: io_utils.click.progressbar([]),
                     lambda: vis_backend.imageio.mimsave('x.gif', []),
                     lambda: ppl.lpips.LPIPS(net='vgg'),
                     lambda: io_utils.get_content_from_url('http://x')):
            try:
                call()
            except ImportError as error:
                print(error)
        ''')
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f'`{name}` requires the package {name.split(".")[0]!r}, which is not '
        f'installed: run `pip install {name.split(".")[0]}`, or `pip install '
        "'mmpe[mmagic]'` for all packages that MMagic uses."
        for name in ('albumentations.HorizontalFlip', 'click.progressbar',
                     'imageio.mimsave', 'lpips.LPIPS', 'requests.get')
    ]


@bridged
def test_optional_packages_are_used_where_they_are(tmp_path):
    for name in ('imageio', 'lpips'):
        (tmp_path / f'{name}.py').write_text('value = "the real one"')
    result = _run(
        '''
        import mmpe
        from mmagic.evaluation.metrics import ppl
        from mmagic.visualization import vis_backend
        import imageio, lpips
        assert ppl.lpips is lpips and vis_backend.imageio is imageio
        assert lpips.value == imageio.value == 'the real one'
        ''', tmp_path)
    assert result.returncode == 0, result.stderr


@bridged
def test_tensors_can_be_asked_for_devices_that_torch_does_not_know():
    """As onedl-mmcv does in the activation of MMagic's StyleGAN2."""
    result = _run('''
        import mmpe
        import mmagic.models.editors.stylegan2
        import torch
        assert torch.zeros(1).is_musa is False
        ''')
    assert result.returncode == 0, result.stderr


@bridged
@pytest.mark.skipif(installed.has_compiled_ops(), reason='mmcv is compiled')
def test_missing_operator_says_so_when_it_is_used(facts):
    assert 'one of the compiled operators of mmcv' in facts['operator']
    assert 'roi_align_forward' in facts['operator']


@bridged
def test_makes_loading_safe_when_mmengine_is_imported_later(facts):
    assert facts['loader'] == 'mmpe.checkpoint'


@bridged
def test_mmcv_versions_and_safe_loading_in_the_other_order():
    result = _run('''
        import sys
        import mmcv
        from mmengine.runner.checkpoint import CheckpointLoader
        import mmpe
        assert CheckpointLoader._schemes[''].__module__ == 'mmpe.checkpoint'
        mmcv.__version__ = '1.7.0'
        try:
            import mmagic
        except AssertionError as error:
            print(error)
        mmcv.__version__ = '2.2.0'
        import mmagic
        assert mmcv.__version__ == '2.2.0'
        ''')
    assert result.returncode == 0, result.stderr
    assert 'mmcv==1.7.0 is used but incompatible' in result.stdout


@pytest.mark.parametrize('package, message', [
    ('mmengine', 'mmpe requires mmengine, which is not installed: run `pip '
     'install mmengine`, or `pip install onedl-mmengine`, which is '
     'maintained.'),
    ('mmcv', 'mmpe requires mmcv, which is not installed: run `pip install '
     '"mmcv-lite>=2,<2.2"` (no compiler needed), install a compiled mmcv, or '
     'run `pip install onedl-mmcv`, which is maintained.'),
    ('mmagic', 'mmpe requires mmagic, which is not installed: run `pip '
     'install --no-deps mmagic==1.2.0`.'),
])
def test_missing_package_is_one_sentence(package, message):
    result = _run(f'''
        sys.modules[{package!r}] = None
        import mmpe
        ''')
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f'ImportError: {message}'


def test_leaves_an_imported_mmagic_alone():
    result = _run('''
        import types
        sys.modules['mmagic.models'] = types.ModuleType('mmagic.models')
        import mmpe
        finder, = [finder for finder in sys.meta_path
                   if type(finder) is mmpe.host._Finder]
        assert list(finder.helps) == ['mmengine.runner.checkpoint']
        ''')
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize('changed, works', [
    ({}, True),
    (dict(numpy=(2, 0)), False),
    (dict(diffusers=(0, 42)), False),
    (dict(diffusers=(0, )), False),
    (dict(transformers=(5, 1)), False),
    (dict(mmcv=(2, 2)), False),
    (dict(mmcv=(1, 7)), False),
])
def test_knows_where_mmagic_works(monkeypatch, changed, works):
    versions = dict(
        numpy=(1, 26), diffusers=(0, 24), transformers=(4, 37), mmcv=(2, 1))
    versions.update(changed)
    monkeypatch.setattr(installed, 'version', versions.__getitem__)
    monkeypatch.setattr(installed, 'has_compiled_ops', lambda: True)
    monkeypatch.setattr(installed, 'is_installed', lambda name: True)
    assert installed.mmagic_works() is works
    monkeypatch.setattr(installed, 'is_installed', 'lpips'.__ne__)
    assert not installed.mmagic_works()
    monkeypatch.setattr(installed, 'is_installed', lambda name: True)
    monkeypatch.setattr(installed, 'has_compiled_ops', lambda: False)
    assert not installed.mmagic_works()


def test_reads_installed_versions():
    import numpy
    assert installed.version('numpy') == installed.numbers(numpy.__version__)
    assert installed.version('mmcv') >= (2, 0)
    assert installed.version('no_such_package') == (0, )
    assert installed.numbers('2.10.0rc1') == (2, 10)


def test_stands_aside():
    finder = host._Finder(stand_aside=True)
    for name in ('mmagic', 'mmagic.models.editors', 'mmagic.models.archs'):
        assert finder.find_spec(name) is None


def test_replaced_modules_come_back_after_an_error():
    import json.decoder
    with pytest.raises(ModuleNotFoundError, match='json'):
        with helps._modules({'json': None}):
            assert 'json.decoder' not in sys.modules
            import json
    assert sys.modules['json'] is json
    assert sys.modules['json.decoder'] is json.decoder
