"""The code of docs/positions_for_others.md, with a few iterations."""
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmpe.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'docs/positions_for_others.md').read_text()


@pytest.mark.slow
def test_tutorial(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MODELS.module_dict, 'ToldDCGANGenerator', None)
    del MODELS.module_dict['ToldDCGANGenerator']
    (tmp_path / 'photos').mkdir()
    random = np.random.default_rng(0)
    for index in range(3):
        pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'photos/{index}.png')
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(ROOT / 'configs/analysis/dcgan_zero-pad_32.py')
    cfg.train_dataloader.batch_size = 2
    cfg.dump('config.py')
    code = '\n'.join(re.findall(r'```python\n(.*?)```', TEXT, re.DOTALL))
    for old, new in (("'photos', 1000", "'photos', 2"),
                     ('configs/analysis/dcgan_zero-pad_32.py', 'config.py')):
        assert old in code
        code = code.replace(old, new)
    exec(compile(code, 'tutorial', 'exec'), {'__name__': 'tutorial'})
    lines = [x for x in capsys.readouterr().out.splitlines()
             if ': location share ' in x]
    assert [x.split(':')[0] for x in lines] == ['zeros', 'nothing', 'CSG',
                                                'SPE']
    shares = [float(re.search(r'share (-?[\d.]+)', x)[1]) for x in lines]
    # told nothing, cells are alike also before any training
    assert abs(shares[1]) < 0.05
    assert min(shares[0], shares[2], shares[3]) > 0.1
