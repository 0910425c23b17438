"""Changes of bytes, archives and nested values."""
import copy
import io
import math
import struct
import zipfile
from random import Random
from typing import Any, Dict, List, Tuple

import numpy as np
import torch

_EDGES = (0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, -2**31, 2**32 - 1,
          2**63 - 1)


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """Up to eight changes; half of the places are near the ends."""
    data = bytearray(data)
    for _ in range(random.randint(1, 8)):
        place = _place(random, len(data))
        length = random.choice((1, 2, 4, 8, 64, 4096))
        change = random.choice(_CHANGES)
        change(random, data, place, length)
    return bytes(data)


def _place(random: Random, length: int) -> int:
    place = random.randrange(length + 1)
    near = min(place, random.randrange(400))
    return random.choice((place, place, near, max(0, length - near)))


def _flip(random: Random, data: bytearray, place: int, length: int) -> None:
    if place < len(data):
        data[place] ^= 1 << random.randrange(8)


def _number(random: Random, data: bytearray, place: int, length: int) -> None:
    size = random.choice('BHIQ')
    value = random.choice(_EDGES) % 2**(8 * struct.calcsize(size))
    data[place:place + struct.calcsize(size)] = struct.pack(
        random.choice('<>') + size, value)


def _remove(random: Random, data: bytearray, place: int, length: int) -> None:
    del data[place:place + length]


def _repeat(random: Random, data: bytearray, place: int, length: int) -> None:
    data[place:place] = data[place:place + length]


def _fill(random: Random, data: bytearray, place: int, length: int) -> None:
    length = len(data[place:place + length])
    data[place:place + length] = bytes([random.choice((0, 255))]) * length


def _cut(random: Random, data: bytearray, place: int, length: int) -> None:
    if random.random() < 0.3:  # else few whole files would be left
        del data[place:]


_CHANGES = (_flip, _flip, _number, _number, _remove, _repeat, _fill, _cut)


def members(data: bytes) -> Dict[str, bytes]:
    """What a zip file holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Dict[str, bytes],
           compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def mutate_zip(random: Random, data: bytes, other: bytes) -> bytes:
    """A whole archive whose members are changed, gone, swapped, packed."""
    files, others = members(data), members(other)
    name = random.choice(sorted(files))
    change = random.randrange(6)
    if change < 3:
        files[name] = mutate_bytes(random, files[name])
    elif change == 3:
        del files[name]
    elif change == 4:  # the same member of another file
        tail = name.split('/')[-1]
        same = [x for x in others if x.split('/')[-1] == tail]
        files[name] = others[random.choice(same or sorted(others))]
    else:
        names = random.sample(sorted(files), 2)
        files[names[0]], files[names[1]] = files[names[1]], files[names[0]]
    packed = zipfile.ZIP_DEFLATED if random.random() < .1 else 0
    return zipped(files, packed)


def mutate_tree(random: Random, tree: Any) -> Any:
    """A copy of nested containers with one to three odd values in it."""
    tree = copy.deepcopy(tree)
    for _ in range(random.randint(1, 3)):
        places = _places(tree)
        if not places:
            break
        parent, key = random.choice(places)
        change = random.randrange(5)
        if change == 0:
            del parent[key]
        elif change == 1:
            other, other_key = random.choice(places)
            parent[key] = copy.deepcopy(other.get(other_key) if isinstance(
                other, dict) else other[other_key])
        else:
            parent[key] = odd_value(random, parent[key])
    return tree


def _places(tree: Any) -> List[Tuple[Any, Any]]:
    found, rest, seen = [], [tree], set()
    while rest:
        node = rest.pop()
        if id(node) in seen:  # as in a list that holds itself
            continue
        seen.add(id(node))
        keys = node if isinstance(node, dict) else range(len(node))
        for key in list(keys):
            found.append((node, key))
            if isinstance(node[key], (dict, list)):
                rest.append(node[key])
    return found


def odd_value(random: Random, value: Any) -> Any:
    """What does not belong in the place of a value."""
    if isinstance(value, torch.Tensor) and value.layout == torch.strided \
            and not value.is_meta and random.random() < .6:
        return random.choice(_TENSORS)(value)
    return random.choice(_VALUES)()


def _cyclic() -> list:
    values: list = []
    values.append(values)
    return values


def _deep() -> list:
    values: list = []
    for _ in range(150):
        values = [values]
    return values


_TENSORS = (
    lambda x: x.double(),
    lambda x: x.half(),
    lambda x: x.to(torch.int64),
    lambda x: x.to(torch.complex64),
    lambda x: x > 0,
    lambda x: x * math.nan,
    lambda x: x / 0,
    lambda x: x.flatten(),
    lambda x: x[None],
    lambda x: x[:0] if x.ndim else x,
    lambda x: x.to_sparse(),
    lambda x: x.to('meta'),
    lambda x: torch.nn.Parameter(x.float()),
    lambda x: x.detach().numpy(),
    lambda x: x.new_zeros(1).expand(10**6, 10**6),
    lambda x: x.new_zeros(1).expand(1, max(1, x.numel()), 3000, 3000),
    lambda x: torch.cat((x, x), -1) if x.ndim else x)
_VALUES = (
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 2**40,
    lambda: 10**400,
    lambda: math.nan,
    lambda: -math.inf,
    lambda: '',
    lambda: 'x' * 5000,
    lambda: 'a\nb',
    lambda: b'\x00',
    lambda: [],
    lambda: {},
    lambda: {1: {}},
    lambda: [None] * 1000,
    _cyclic,
    _deep,
    lambda: torch.tensor(3),
    lambda: torch.zeros(0),
    lambda: np.float64(math.nan),
    lambda: np.zeros((2, 3, 4), np.uint8),
    lambda: np.zeros((0, 5)),
)
