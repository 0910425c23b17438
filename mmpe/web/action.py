"""Actions of the page: drawn here, or by a command or code to copy."""
import os.path as osp
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import (Any, Dict, Iterator, List, NamedTuple, Optional, Sequence,
                    Tuple)

import numpy as np

from mmpe.inference.edits import read_edits
from mmpe.inference.inputs import read_mask, read_rgb
from mmpe.utils.images import save_gif, save_image, save_mp4
from mmpe.zoo import root

__all__ = ['Action', 'Call', 'Model', 'Name', 'call', 'command_line']


class Model(NamedTuple):
    """Arguments of :func:`mmpe.inference.load`.

    Args:
        path: Photograph, folder of a training, or config.
        checkpoint: Checkpoint of a config.
        max_size: Long side that a photograph is reduced to.
    """

    path: str
    checkpoint: Optional[str] = None
    max_size: Optional[int] = None

    @property
    def options(self) -> List[str]:
        """The model on the command line."""
        options = [self.path]
        if self.checkpoint:
            options.append(self.checkpoint)
        if self.max_size:
            options += ['--max-size', str(self.max_size)]
        return options


class Name(NamedTuple):
    """A name in Python code, such as ``sampler.size``."""

    name: str

    def __str__(self) -> str:
        return self.name

    def value(self, names: Dict[str, Any]) -> Any:
        """Look the name up."""
        first, *rest = self.name.split('.')
        value = names[first]
        for part in rest:
            value = getattr(value, part)
        return value


class Call(NamedTuple):
    """A function call that can be both run and shown."""

    name: str
    options: Dict[str, object]

    def __str__(self) -> str:
        options = ', '.join(
            f'{name}={x if isinstance(x, (Call, Name)) else repr(x)}'
            for name, x in self.options.items())
        return f'{self.name}({options})'

    def value(self, names: Dict[str, Any]) -> Any:
        """Run the call."""
        function = Name(self.name).value(names)
        return function(
            **{
                name: x.value(names) if isinstance(x, (Call, Name)) else x
                for name, x in self.options.items()
            })


def call(name: str, **options: Any) -> Call:
    """A call without the options that are None."""
    return Call(name, {k: v for k, v in options.items() if v is not None})


# File names, and the call that draws their pictures.
Calls = List[Tuple[List[str], Call]]
_READERS = dict(read_edits=read_edits, read_mask=read_mask, read_rgb=read_rgb)
# Functions that the Python code may call, by module.
_MODULES = {
    'mmpe.inference': ('read_edits', ),
    'mmpe.inference.inputs': ('read_mask', 'read_rgb'),
    'mmpe.utils.images': ('save_gif', 'save_mp4')
}


@dataclass(frozen=True)
class Action:
    """Something to draw.

    Attributes:
        model: The model.
        script: Demo script with the same results.
        options: Arguments of the script, except the output folder.
        calls: File names, and the call that draws their pictures.
        fps: Frames per second, if the pictures are an animation.
        film: Whether to write an MP4, too.
    """

    model: Model
    script: str
    options: List[Any]
    calls: Calls = field(default_factory=list)
    fps: Optional[float] = None
    film: bool = False

    def command(self, folder: Path) -> str:
        """Command with the same results.

        Args:
            folder: Output folder.
        """
        return command_line(self.script, self.options, folder)

    def lines(self, folder: Path) -> str:
        """Python code with the same results.

        Args:
            folder: Output folder, for results that are files.
        """
        text = '\n'.join(self._drawing() + self._saving(folder))
        lines = ['from mmpe.inference import load']
        for module, names in _MODULES.items():
            used = ', '.join(x for x in names if f'{x}(' in text)
            if used:
                lines.append(f'from {module} import {used}')
        return '\n'.join([*lines, '', f'sampler = {self.load}', text])

    @property
    def load(self) -> Call:
        """The call that loads the model."""
        return call(
            'load',
            row_or_config=self.model.path,
            checkpoint=self.model.checkpoint,
            max_size=self.model.max_size)

    def _drawing(self) -> List[str]:
        calls = [x for _, x in self.calls]
        if len(calls) > 1:
            return ['images = [', *[f'    {x},' for x in calls], ']']
        one = str(calls[0])
        if self.fps:
            return [f'frames = list({one})']
        several = len(self.calls[0][0]) > 1 or 'sample(' in one
        return [f'{"images" if several else "image"} = {one}']

    def _saving(self, folder: Path) -> List[str]:
        if not self.fps:
            return []
        (name, *_), _ = self.calls[0]
        gif = str(folder / name)
        lines = [f'save_gif({gif!r}, frames, seconds=1 / {self.fps!r})']
        if self.film:
            film = str(folder / name.replace('.gif', '.mp4'))
            lines.append(f'save_mp4({film!r}, frames, fps={self.fps!r})')
        return lines

    def run(self, sampler: Any, folder: Path) -> Iterator[Path]:
        """Draw.

        Args:
            sampler: The model.
            folder: Output folder.

        Yields:
            Path of each file, once it is written.

        Raises:
            OSError: A file cannot be written.
            ValueError: See the methods of the sampler.
        """
        for names, step in self.calls:
            value = step.value(dict(_READERS, sampler=sampler))
            if self.fps:
                yield from self._save_frames(
                    list(value), folder / names[0], self.fps)
            elif isinstance(value, Path):  # written in tiles
                yield value
            else:
                images = [value] if isinstance(value, np.ndarray) else value
                if isinstance(images[0], list):  # a table
                    images = sum(images, [])
                for name, image in zip(names, images):
                    yield save_image(folder / name, image)

    def _save_frames(self, frames: List[np.ndarray], path: Path,
                     fps: float) -> Iterator[Path]:
        yield save_gif(path, frames, 1 / fps)
        if self.film:
            yield save_mp4(path.with_suffix('.mp4'), frames, fps)


def command_line(script: str, options: Sequence[object],
                 folder: Path) -> str:
    """Command of a demo script, to copy.

    Args:
        script: Name of the script.
        options: Its arguments.
        folder: Output folder.
    """
    path = osp.relpath(root() / 'demo' / script)
    words = [path, *map(str, options), '--out-dir', str(folder)]
    return shlex.join(['python', *words])
