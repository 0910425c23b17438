"""Pickles that would create a file if anything in them ran."""
import pickle
import pickletools
from pathlib import Path
from random import Random
from typing import Any, Tuple

_CODE = 'open({!r}, "w").close()'


def _calls(mark: Path) -> Tuple[Tuple[str, str, tuple], ...]:
    """Module, name and arguments of functions that would create the mark."""
    path, code = str(mark), _CODE.format(str(mark))
    script = str(mark.with_name('script.py'))
    return (
        ('os', 'system', (f'touch {path}', )),
        ('posix', 'system', (f'touch {path}', )),
        ('nt', 'system', (f'touch {path}', )),
        ('os', 'mkdir', (path, )),
        ('os', 'popen', (f'touch {path}', )),
        ('os', 'putenv', ('PYTHONSTARTUP', script)),
        ('subprocess', 'Popen', (['touch', path], )),
        ('subprocess', 'check_output', (['touch', path], )),
        ('_posixsubprocess', 'fork_exec', ()),
        ('builtins', 'exec', (code, )),
        ('builtins', 'eval', (code, )),
        ('builtins', 'open', (path, 'w')),
        ('builtins', '__import__', ('antigravity', )),
        ('builtins', 'breakpoint', ()),
        ('__builtin__', 'execfile', (script, )),
        ('io', 'open', (path, 'w')),
        ('_io', 'FileIO', (path, 'w')),
        ('codecs', 'open', (path, 'w')),
        ('_codecs', 'encode', ('x' * 100, 'no_such_codec')),
        ('pathlib', 'Path.touch', (path, )),
        ('shutil', 'copy', (__file__, path)),
        ('shutil', 'rmtree', (str(mark.parent / 'precious'), )),
        ('runpy', 'run_path', (script, )),
        ('runpy', '_run_code', (code, {})),
        ('code', 'interact', ()),
        ('pdb', 'run', (code, )),
        ('timeit', 'timeit', (code, )),
        ('cProfile', 'run', (code, )),
        ('importlib', 'import_module', ('antigravity', )),
        ('functools', 'partial', (code, )),
        ('operator', 'methodcaller', ('system', code)),
        ('logging', 'FileHandler', (path, )),
        ('sqlite3', 'connect', (path, )),
        ('zipfile', 'ZipFile', (path, 'w')),
        ('tempfile', 'mktemp', (path, )),
        ('ctypes', 'CDLL', (path, )),
        ('numpy', 'save', (path, 0)),
        ('numpy', 'memmap', (path, 'u1', 'w+', 0, 1)),
        ('numpy', 'load', (path, None, True)),
        ('numpy', 'ndarray.tofile', (path, )),
        ('numpy.testing._private.utils', 'runstring', (code, {})),
        ('torch', 'save', (0, path)),
        ('torch', 'load', (path, )),
        ('torch.hub', 'load', (path, 'x')),
        ('torch.jit', 'load', (path, )),
        ('torch.serialization', 'load', (path, )),
        ('torch.utils.collect_env', 'run', (f'touch {path}', )),
        ('torch._dynamo.guards', 'builtins.exec', (code, )),
        ('torch.fx._symbolic_trace', 'exec', (code, )),
        ('mmengine.config', 'Config.fromstring', (code, '.py')),
        ('mmengine.fileio', 'dump', (0, path)),
        ('mmengine.fileio', 'load', (path, )),
        ('mmpe.checkpoint', 'os.system', (f'touch {path}', )),
        ('mmpe.checkpoint', 'save_pickle', (0, path)),
    )


def _value(value: Any) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def call(random: Random, mark: Path) -> bytes:
    """Opcodes that call a function and leave its result on the stack."""
    module, name, args = random.choice(_calls(mark))
    values = b''.join(map(_value, args))
    plain = f'{module}\n{name}\n'.encode()
    stacked = _value(module) + _value(name) + b'\x93'
    function = random.choice((b'c' + plain, stacked))
    return random.choice((
        function + b'(' + values + b'tR',
        function + b'(' + values + b't\x81',
        function + b'(' + values + b't}\x92',
        b'(' + values + b'i' + plain,
        b'(' + function + values + b'o',
        # by way of what is allowed
        _by_getattr(random, module, name, values),
        b'cbuiltins\nset\n)R}(' + _value('__reduce__') + function + b'ub',
    ))


def _by_getattr(random: Random, module: str, name: str,
                values: bytes) -> bytes:
    owner = random.choice((
        b'cmmengine.logging.history_buffer\nHistoryBuffer\n',
        f'c{module}\n{name}\n'.encode(), b'cnumpy\nndarray\n'))
    attribute = random.choice(('__init__', '__class__', '__globals__',
                               '__subclasses__', 'mean', name))
    return (b'cbuiltins\ngetattr\n(' + owner + _value(attribute) + b'tR(' +
            values + b'tR')


def alone(random: Random, mark: Path) -> bytes:
    """A pickle of nothing else."""
    protocol = random.choice((b'\x80\x02', b'\x80\x04', b'\x80\x05', b''))
    return protocol + call(random, mark) + b'.'


def hidden_in(random: Random, data: bytes, mark: Path) -> bytes:
    """A pickle in which a call comes before any of its other opcodes."""
    try:
        places = [place for *_, place in pickletools.genops(data)]
    except ValueError:  # what follows a pickle in an old checkpoint
        places = [2]
    place = random.choice(places)
    return data[:place] + call(random, mark) + b'0' + data[place:]
