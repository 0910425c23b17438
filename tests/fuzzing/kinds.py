"""Kinds of inputs: how they are made, and how the package reads them."""
import copy
import functools
import io
import pickle
import random as random_module
import struct
import zipfile
import zlib
from pathlib import Path
from random import Random
from typing import Any, Dict, Tuple
from unittest import mock

import cv2
import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from mmpe import zoo
from mmpe.checkpoint import CheckpointError, load_pickle, read_checkpoint
from mmpe.evaluation.inception import FrechetInceptionDistance
from mmpe.evaluation.references import read_reference
from mmpe.inference import LayoutEdit, load
from mmpe.inference.inputs import read_displacement, read_mask
from mmpe.registry import MODELS, build_from
from mmpe.weights import fitting_rows

from ..test_inference.conftest import small_config
from ..test_models.test_singan.conftest import model_cfg, random_pyramid
from . import gadgets, servers
from .harness import MARK, Kind
from .mutations import mutate_bytes, mutate_tree, mutate_zip, zipped

SIZE = (40, 52)
_SINGAN_SIZES = [(13, 17), (24, 31), (45, 58)]


# ---------------------------------------------------------------- checkpoints
def _saved(data: Any, is_zip: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(data, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


@functools.cache
def _models() -> Dict[str, Tuple[Config, dict]]:
    """Config and checkpoint of a model of each family, by its name."""
    torch.manual_seed(0)
    config = Config(dict(model=model_cfg('csg', num_scales=2)))
    model = build_from(MODELS, config.model)
    model.reals = random_pyramid(_SINGAN_SIZES)
    model.construct_fixed_noises()
    model.noise_weights, model.curr_stage = [1, .3, .2], 2
    singan = config, model.state_dict()
    config = small_config('mspie_spe_32-48-64')
    mspie = config, build_from(MODELS, config.model).state_dict()
    config = Config(dict(model=dict(type='PatchDiffusion', max_size=48)))
    model = build_from(MODELS, config.model)
    model.set_photograph(_pixels(random_module.Random(0), SIZE))
    patches = config, model.state_dict()
    models = dict(singan=singan, mspie=mspie, patches=patches)
    return {
        name: (config, dict(state_dict=state, meta=dict(iter=3)))
        for name, (config, state) in models.items()
    }


@functools.cache
def _whole(name: str, is_zip: bool) -> bytes:
    return _saved(_models()[name][1], is_zip)


@functools.cache
def _zeros() -> bytes:
    """A zip file that would take 2 GiB of memory."""
    packer = zlib.compressobj(wbits=-15)
    part = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    data, name = 127 * part + packer.flush(), b'key.npy'
    sizes = struct.pack('<4x3I2H', 0, len(data), 127 * 2**24, len(name), 0)
    head = struct.pack('<3H', 20, 0, zipfile.ZIP_DEFLATED) + sizes
    start = b'PK\x03\x04' + head + name + data
    directory = b'PK\x01\x02\x14\x00' + head + bytes(14) + name
    return start + directory + b'PK\x05\x06' + struct.pack(
        '<4H2IH', 0, 0, 1, 1, len(directory), len(start), 0)


def make_checkpoint(random: Random, folder: Path) -> Path:
    """A damaged or malicious ``.pth`` file of one of the models."""
    name, other = random.sample(sorted(_models()), 2)
    tree = _models()[name][1]
    mark = folder / MARK
    change = random.randrange(12)
    if change == 0:
        data = mutate_bytes(random, _whole(name, is_zip=True))
    elif change < 3:
        data = mutate_bytes(random, _whole(name, is_zip=False))
    elif change < 5:
        data = mutate_zip(random, _whole(name, True), _whole(other, True))
    elif change < 9:
        data = _saved(mutate_tree(random, tree), random.random() < .8)
    elif change == 9:
        data = _whole(name, is_zip=True)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {x: archive.read(x) for x in archive.namelist()}
        inside = next(x for x in files if x.endswith('data.pkl'))
        files[inside] = random.choice(
            (gadgets.alone(random, mark),
             gadgets.hidden_in(random, files[inside], mark)))
        data = zipped(files)
    elif change == 10:
        data = random.choice(
            (gadgets.alone(random, mark),
             gadgets.hidden_in(random, _whole(name, False), mark)))
    else:
        data = random.choice(_FOREIGN)(random)
    path = folder / f'{name}.pth'
    path.write_bytes(data)
    return path


def _script(random: Random) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.ones(2)), buffer)
    return buffer.getvalue()


def _allocation(random: Random) -> bytes:
    """A short pickle that asks for gigabytes."""
    size = random.choice((2**33, 2**36, 2**62))
    number = pickle.dumps(size, 2)[2:-1]
    call = random.choice((
        b'cbuiltins\nbytearray\n(' + number,
        b'ctorch\nTensor\n(' + number,
        b'ctorch\nFloatStorage\n(' + number,
        b'cnumpy\nndarray\n(' + number,
        b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(' + number
        + b'tU\x01d'))
    data = b'\x80\x02' + call + b'tR.'
    if random.random() < .5:
        return zipped({'x/data.pkl': data, 'x/version': b'3\n'})
    return data


# Other files that may stand in the place of a checkpoint.
_FOREIGN = (
    lambda random: b'',
    lambda random: b'PK\x05\x06' + bytes(18),
    lambda random: b'\x80\x02' + b']' * 10**5 + b'.',
    lambda random: b'\x80\x04' + b'(' * 10**5,
    lambda random: b'<!DOCTYPE html>',
    lambda random: _image(random, 'RGB', 'PNG'),
    lambda random: zipped({'a.npy': b'x', 'data.pkl': b''}),
    lambda random: _zeros(),
    _script,
    _allocation,
    _allocation)


def read_model(path: Path) -> None:
    """Read a checkpoint, load it into its model and draw."""
    try:
        read_checkpoint(path)
    except ValueError as error:
        if not isinstance(error, CheckpointError):
            raise AssertionError('another kind of error') from error
        raise
    config = copy.deepcopy(_models()[path.stem][0])
    load(config, path).sample(1)


# -------------------------------------------------------------------- pickles
def make_pickle(random: Random, folder: Path) -> Path:
    """A damaged or malicious ``.pkl`` file of a SinGAN, or of statistics."""
    name = random.choice(('singan', 'statistics'))
    tree = _pickled(name)
    mark = folder / MARK
    protocol = random.randint(0, pickle.HIGHEST_PROTOCOL)
    change = random.randrange(8)
    if change < 3:
        data = mutate_bytes(random, pickle.dumps(tree, protocol))
    elif change < 6:
        tree = mutate_tree(random, tree)
        data = pickle.dumps(tree, protocol)
    elif change == 6:
        data = gadgets.alone(random, mark)
    else:
        data = gadgets.hidden_in(random, pickle.dumps(tree, protocol), mark)
    path = folder / f'{name}.pkl'
    path.write_bytes(data)
    if name == 'singan':
        path.with_suffix('.pth').write_bytes(_without_state())
    return path


@functools.cache
def _pickled(name: str) -> dict:
    if name == 'statistics':
        return dict(real_mean=np.zeros(8), real_cov=np.eye(8), size=256)
    state = _models()['singan'][1]['state_dict']['_extra_state']
    return dict(
        noise_weights=state['noise_weights'],
        fixed_noises=[x.numpy() for x in state['fixed_noises']],
        curr_stage=state['curr_stage'])


@functools.cache
def _without_state() -> bytes:
    """A checkpoint beside which MMagic writes a ``.pkl`` file."""
    state = dict(_models()['singan'][1]['state_dict'])
    del state['_extra_state']
    return _saved(dict(state_dict=state))


def read_pickle(path: Path) -> None:
    """Read a pickle as a checkpoint's or a metric's."""
    if path.stem == 'statistics':
        metric = FrechetInceptionDistance.__new__(FrechetInceptionDistance)
        metric.reference = metric.read(path, 'key')
        metric.figures(torch.eye(8)[[0, 1, 2, 3, 4, 5, 6, 7, 0]])
        return
    load_pickle(path)
    config = copy.deepcopy(_models()['singan'][0])
    load(config, path.with_suffix('.pth')).sample(1)


# ------------------------------------------------------------------- pictures
_MODES = ('1', 'L', 'LA', 'I;16', 'I', 'F', 'P', 'PA', 'RGB', 'RGBA', 'CMYK',
          'YCbCr')
_FORMATS = ('PNG', 'JPEG', 'TIFF', 'WEBP', 'BMP', 'GIF', 'PPM', 'JPEG2000')


def _pixels(random: Random, size: Tuple[int, int]) -> np.ndarray:
    generator = np.random.default_rng(random.getrandbits(32))
    return generator.integers(0, 256, (*size, 3), dtype=np.uint8)


def _image(random: Random, mode: str, kind: str) -> bytes:
    """A picture file of a mode and format, or of the next that can be."""
    size = random.choice((SIZE, SIZE, (1, 60), (60, 1), (1, 1), (24, 300),
                          (200, 150)))
    image = Image.fromarray(_pixels(random, size))
    image = image.convert('L').convert(mode) if mode in (
        'I', 'I;16', 'F', 'PA') else image.convert(mode)
    options: Dict[str, Any] = {}
    if random.random() < .3:
        exif = Image.Exif()
        exif[274] = random.randint(0, 9)  # orientation
        exif[282] = random.choice(_EDGES)  # resolution
        options['exif'] = exif
    if kind == 'TIFF':
        options['compression'] = random.choice(
            (None, 'tiff_lzw', 'tiff_deflate', 'packbits'))
    if kind == 'JPEG':
        options['progressive'] = random.random() < .5
    if kind in ('GIF', 'WEBP', 'TIFF', 'PNG') and random.random() < .3:
        options.update(save_all=True, append_images=[image] * 3)
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, KeyError, RuntimeError):
        buffer = io.BytesIO()
        image.convert('RGB').save(buffer, 'PNG')
    return buffer.getvalue()


_EDGES = (0, 1, 8, 2**16, 2**31, 2**32 - 1)


def _png(height: int, width: int, depth: int, colour: int,
         data: bytes) -> bytes:
    """A PNG file with any header."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (struct.pack('>I', len(content)) + name + content +
                struct.pack('>I', zlib.crc32(name + content)))

    header = struct.pack('>2I5B', width, height, depth, colour, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + chunk(b'PLTE', bytes(12)) * (colour == 3)
            + chunk(b'IDAT', data) + chunk(b'IEND', b''))


@functools.cache
def _bomb(side: int, depth: int, colour: int) -> bytes:
    """Few bytes that are a picture of side x side pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + side * channels * depth // 8)
    packer, data = zlib.compressobj(1), b''
    for _ in range(side):
        data += packer.compress(row)
    return _png(side, side, depth, colour, data + packer.flush())


def _odd_picture(random: Random) -> bytes:
    size = random.choice(((2**16, 2**16), (0, 5), (2**31 - 1, 1), (1, 10**6),
                          (10**6, 1), (9000, 9000), (20000, 10000)))
    return random.choice((
        lambda: _png(*size, random.choice((1, 2, 4, 8, 16, 3)),
                     random.choice((0, 2, 3, 4, 6, 1)),
                     zlib.compress(bytes(1000))),
        lambda: b'P6 %d %d 255\n' % size,
        lambda: b'P5 %d %d 65535\n' % size + bytes(100),
        lambda: b'P1 %d %d\n' % size + b'1 ' * 100,
        lambda: b'GIF89a' + struct.pack('<2H3B', size[0] % 65536, size[1] %
                                        65536, 0, 0, 0) + bytes(50),
        lambda: b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage',
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        lambda: b'%PDF-1.4',
        lambda: b'',
        lambda: b'BM' + struct.pack('<IIIIiiHH', 54, 0, 54, 40, size[0] %
                                    2**31, -size[1], 1, 24) + bytes(40),
        lambda: b'8BPS\x00\x01' + bytes(6) + struct.pack(
            '>HIIHH', 3, size[0] % 2**32, size[1], 8, 3) + bytes(60),
    ))()


def make_picture(random: Random, folder: Path) -> Path:
    """A picture of any mode and format, most of them damaged."""
    change = random.random()
    if .5 < change < .503:
        data = _bomb(
            random.choice((9000, 13000, 20000)),
            *random.choice(((8, 0), (8, 2), (8, 4), (8, 6), (16, 0),
                            (16, 6))))
    elif change < .12:
        data = _odd_picture(random)
    else:
        data = _image(random, random.choice(_MODES), random.choice(_FORMATS))
        if change < .85:
            data = mutate_bytes(random, data)
    path = folder / random.choice(('picture.png', 'picture.jpg', 'picture'))
    path.write_bytes(data)
    return path


def read_picture(path: Path) -> None:
    """Read a photograph as a model."""
    load(path, max_size=32)


def read_region(path: Path) -> None:
    """Read a mask, and remove what it shows."""
    LayoutEdit(region=read_mask(path), remove=True).change(SIZE, 2)


# --------------------------------------------------------------------- arrays
def make_displacement(random: Random, folder: Path) -> Path:
    """A ``.npy`` file or a flow PNG, most of them damaged."""
    if random.random() < .25:
        path = folder / 'flow.png'
        flow = _pixels(random, SIZE).astype(np.uint16) * random.choice(
            (1, 100, 257))
        data = cv2.imencode('.png', flow)[1].tobytes()
        if random.random() < .2:
            data = random.choice(
                (lambda: _odd_picture(random),
                 lambda: _image(random, 'RGB', 'PNG'),
                 lambda: _bomb(9000, 16, 2) if .5 < random.random() < .55
                 else _png(2**16, 2**16, 16, 2, b'')))()
    else:
        path = folder / 'flow.npy'
        data = _npy(random, _array(random))
        if random.random() < .2:
            data = random.choice((_wrong_header, _npz_data))(random)
    if random.random() < .5:
        data = mutate_bytes(random, data)
    path.write_bytes(data)
    return path


def _array(random: Random) -> np.ndarray:
    shape = random.choice(((*SIZE, 2), (*SIZE, 2), (*SIZE, 3), (2, *SIZE),
                           (0, 5, 2), (), (2, ), (1, 1, 2), (*SIZE, 2, 1)))
    generator = np.random.default_rng(random.getrandbits(32))
    values = generator.normal(0, 5, shape)
    flat = values.reshape(-1)
    if flat.size and random.random() < .4:
        flat[random.randrange(flat.size)] = random.choice(
            (np.nan, np.inf, -np.inf, 1e300, 1e38, -1e18, 2**63))
    with np.errstate(all='ignore'):
        return values.astype(random.choice(
            ('f4', 'f8', 'f2', '>f4', 'i4', 'u1', 'c8', '?', 'g', 'O', 'U3',
             'm8[s]')), order=random.choice('CF'))


def _npy(random: Random, array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(
        buffer, array, random.choice(((1, 0), (2, 0), (3, 0))))
    return buffer.getvalue()


def _wrong_header(random: Random) -> bytes:
    shape = random.choice(('(10**9,)', '(1000000000, 2)', '(-1, 5, 2)',
                           '(99999999999, 9, 2)', '(40, 52)', '2.5', '()',
                           "('a',)",
                           '(' * 3000, f'({"1, " * 70}2)',
                           '(4611686018427387904, 4, 2)'))
    kind = random.choice(("'<f4'", "'|O'", "'|V0'", "'<U9999999'",
                          "[('a', '<f4')]", "'<f4', 'x': 1", "None",
                          "'<f8'"))
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}\n"
    return (b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header) % 65536)
            + header.encode() + bytes(random.choice((0, 100, 16640))))


def _npz_data(random: Random) -> bytes:
    buffer = io.BytesIO()
    save = random.choice((np.savez, np.savez, np.savez_compressed))
    arrays = {x: _array(random) for x in random.sample(('a', 'b', 'c'), 2)}
    key = random.choice((np.array('key'), np.array('other'), _array(random)))
    save(buffer, key=key, **arrays)
    return buffer.getvalue()


def make_reference(random: Random, folder: Path) -> Path:
    """An ``.npz`` file of real features, most of them damaged."""
    data = _npz_data(random)
    change = random.random()
    if change < .3:
        data = mutate_bytes(random, data)
    elif change < .6:
        data = mutate_zip(random, data, _npz_data(random))
    elif change < .7:
        data = zipped({
            'key.npy': _npy(random, np.array('key')),
            'a.npy': _wrong_header(random)
        }, random.choice((0, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))
    elif change < .73:
        data = _zeros()
    elif change < .8:
        data = _npy(random, _array(random))
    path = folder / 'reference.npz'
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------ metafiles
_YAML = (
    '!!python/object/apply:os.system ["touch {mark}"]',
    '!!python/object/new:subprocess.Popen [[touch, {mark}]]',
    '!!python/name:os.system',
    '!!python/module:os',
    '!!python/object/apply:builtins.exec ["open(\'{mark}\', \'w\')"]',
    '&a [&b [*a, *a], *b]', '!!binary "x"', '!!set {{a, b}}', '!x y',
    '1e400', '~', '[]', '{{}}', '2026-99-99', '"\\x00"', '? {{}}', '*no',
    '[' * 3000, '!!int x', '!!timestamp x')


@functools.cache
def _metafile() -> str:
    return (zoo.root() / zoo._METAFILE).read_text()


def make_metafile(random: Random, folder: Path) -> Path:
    """A damaged or malicious ``metafile.yml``."""
    text = _metafile()
    change = random.randrange(4)
    if change == 0:
        data = mutate_bytes(random, text.encode())
    elif change == 1:  # a value is something else
        lines = text.split('\n')
        for _ in range(random.randint(1, 3)):
            index = random.randrange(len(lines))
            name = lines[index].split(':')[0]
            value = random.choice(_YAML).format(mark=folder / MARK)
            lines[index] = f'{name}: {value}'
        data = '\n'.join(lines).encode()
    elif change == 2:
        lines = text.split('\n')
        del lines[random.randrange(len(lines))]
        data = '\n'.join(lines).encode()
    else:
        text = random.choice(_YAML).format(mark=folder / MARK)
        layers = ''.join(f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]\n'
                         for i in range(1, 12))
        bomb = f'a0: &a0 [x]\n{layers}Models: *a11'
        data = random.choice((text, bomb, f'Models: {text}',
                              f'Models: [{text}]')).encode()
    path = folder / zoo._METAFILE
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return folder


def read_metafile(folder: Path) -> None:
    """List the rows, and look for one."""
    with mock.patch.object(zoo, 'root', return_value=folder):
        for name in zoo.rows():
            zoo.find_row(name)


def prepare() -> None:
    """Make what all inputs need, before there are child processes."""
    for name, (_, checkpoint) in _models().items():
        fitting_rows(checkpoint['state_dict'])
        for is_zip in (True, False):
            _whole(name, is_zip)
    _without_state()


_ERRORS = (OSError, ValueError)
KINDS = (
    Kind('checkpoint', make_checkpoint, read_model, _ERRORS, 30),
    Kind('pickle', make_pickle, read_pickle, _ERRORS, 15),
    Kind('photograph', make_picture, read_picture, _ERRORS, 20),
    Kind('mask', make_picture, read_region, _ERRORS, 8),
    Kind('displacement', make_displacement, lambda path: LayoutEdit(
        displacement=read_displacement(path)).change(SIZE, 1), _ERRORS, 12),
    Kind('reference', make_reference, lambda path: read_reference(
        path, 'key'), _ERRORS, 6),
    Kind('metafile', make_metafile, read_metafile, _ERRORS, 5),
    Kind('server', servers.make, servers.read, (OSError, ), 4),
)
