"""Base class and components of the tabs."""
import functools
import html
import itertools
import json
import os.path as osp
import urllib.parse
from pathlib import Path
from typing import (Any, Callable, Dict, Iterator, List, Optional, Sequence,
                    Tuple)

import gradio as gr

from mmpe.engine.training_queue import TrainingState
from mmpe.inference import PhotographSampler
from mmpe.utils.images import save_image
from ..action import Action, Model
from ..studio import Studio, plain

__all__ = [
    'MOST_SIZE', 'PATCHES', 'Tab', 'duration', 'empty', 'loads', 'make_canvas',
    'make_results', 'make_seed', 'on', 'same', 'size_of', 'told'
]

_MOVE_TOOLS = '''<label>Select with <select data-name="tool">
<option value="box">a box</option>
<option value="lasso">a lasso</option></select></label>'''
_BRUSH_TOOLS = '''<label>Brush <select data-name="tool">
<option value="paint">paints a colour</option>
<option value="mark">marks changed pixels</option>
<option value="erase">erases</option></select></label>
<label>colour <input type="color" data-name="colour" value="#d02020"></label>
<label>width <input type="range" data-name="width" min="1" max="60"
value="12"></label> <button type="button" data-name="clear">Clear</button>'''
_START = 'Draw around a part of the photograph.'
_DRAG = 'Now drag it to its new place, or use the controls on the right.'
PATCHES = 'the photograph itself, at once'
# Largest side in pixels: a matter of patience and of memory.
MOST_SIZE = 2048
Handler = Callable[..., Any]
_NONCES = itertools.count()


class Tab:
    """Part of the page.

    Args:
        studio: The studio behind the page.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def url(self, path: Path) -> str:
        """URL of a file in the studio's folder."""
        name = Path(osp.relpath(path, self.studio.folder)).as_posix()
        version = Path(path).stat().st_mtime_ns
        return f'/files/{urllib.parse.quote(name)}?v={version}'

    def shown(self,
              paths: Sequence[Path],
              command: str,
              lines: str,
              more: Sequence[Path] = ()) -> str:
        """HTML of results, with downloads, the command and the code."""
        figures = ''.join(self._figure(x) for x in paths)
        links = ' '.join(self.link(x) for x in more)
        return (f'<div class="mmpe-results">{figures}</div>{links}'
                f'{same(command, lines)}')

    def _figure(self, path: Path) -> str:
        url = self.url(path)
        show = f'<img src="{url}" alt="{html.escape(path.stem)}">'
        if path.suffix == '.mp4':
            show = ''  # browsers do not play MPEG-4 Part 2
        return (f'<figure>{show}<figcaption>{html.escape(path.stem)} '
                f'{self.link(path)}</figcaption></figure>')

    def link(self, path: Path) -> str:
        """HTML of a download link."""
        return (f'<a class="mmpe-download" href="{self.url(path)}" download='
                f'"{html.escape(path.name)}">download {path.suffix[1:]}</a>')

    def canvas_value(self,
                     path: Path,
                     size: Tuple[int, int],
                     name: str = '') -> str:
        """Value of a canvas: the image, and its name for screen readers."""
        return json.dumps(
            dict(
                image=self.url(path),
                height=size[0],
                width=size[1],
                name=name,
                nonce=next(_NONCES)))

    def check_photograph(self, photograph: Optional[str]) -> str:
        """Check that a photograph of the studio is selected; returns it."""
        if photograph is None or photograph not in self.studio.photographs():
            raise ValueError('Drop a photograph at the top of the page first.')
        return photograph

    def model(self, photograph: Optional[str], drawn_by: Optional[str],
              worked: float) -> Model:
        """The selected model."""
        photograph = self.check_photograph(photograph)
        if drawn_by is None or drawn_by == PATCHES:
            return Model(photograph, max_size=int(worked))
        folders = [
            str(x.training.folder) for x in self.studio.trained(photograph)
        ]
        if drawn_by not in folders:
            raise ValueError('This training is not finished, or belongs to '
                             'another photograph.')
        return Model(drawn_by)

    def model_choices(
            self,
            photograph: Optional[str],
            states: Optional[List[TrainingState]] = None
    ) -> List[Tuple[str, str]]:
        """Models of a photograph: its patches, and trained SinGANs."""
        choices = [(PATCHES, PATCHES)]
        for x in self.studio.trained(photograph or '', states):
            result: Any = x.result  # not None, as it is trained
            size = 'x'.join(map(str, result.size))
            name = x.training.folder.parent.name
            choices.append((f'SinGAN {size} ({name})', str(x.training.folder)))
        return choices

    def photograph_choices(self) -> List[Tuple[str, str]]:
        """Photographs, newest first."""
        return [(Path(x).stem, x) for x in self.studio.photographs()]

    def base(self, model: Model, sampler: PhotographSampler) -> Path:
        """Path of the photograph at the model's size."""
        folder = self.studio.folder_of('photograph', model)
        path = folder / 'photograph.png'
        if not path.is_file():
            save_image(path, sampler.training_image)
        return path

    def draw(self, action: Action, folder: Path,
             more: Sequence[Path] = ()) -> Iterator[str]:
        """Draw; show each picture as soon as it is ready."""
        done: List[Path] = []
        texts = action.command(folder), action.lines(folder)
        for path in self.studio.run(action, folder):
            done.append(path)
            yield self.shown(done, *texts, more)


def make_canvas(mode: str, name: str) -> gr.HTML:
    """A canvas to draw on.

    Args:
        mode: 'move' to select and drag regions, 'brush' to paint, 'frame' to
            choose a size.
        name: Its id in the page.
    """
    tools = dict(move=_MOVE_TOOLS, brush=_BRUSH_TOOLS, frame='')[mode]
    start = dict(
        move=_START,
        brush='Paint on the picture; painted pixels are marked.',
        frame='Drag the corner to choose a size.')[mode]
    return gr.HTML(
        value='',
        html_template=f'<div class="mmpe-canvas"><div class="mmpe-tools">'
        f'{tools}</div><canvas></canvas><div class="mmpe-hint" data-start='
        f'"{start}" data-drag="{_DRAG}">{start}</div></div>',
        js_on_load='window.mmpeCanvas(element, props, trigger, watch, '
        f'"{mode}", "moved");',
        apply_default_css=False,
        elem_id=name)


def told(function: Handler, num_outputs: int) -> Handler:
    """Show the errors of an event handler in plain words.

    The outputs are left unchanged in this case.

    Args:
        function: The handler.
        num_outputs: Number of its outputs.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            result = function(*args, **kwargs)
            if hasattr(result, '__next__'):
                yield from result
            else:
                yield result
        except (OSError, ValueError, MemoryError, RuntimeError) as error:
            gr.Warning(
                html.escape(plain(error)),
                duration=None,
                title='This did not work')
            skipped = [gr.skip()] * num_outputs
            yield skipped[0] if num_outputs == 1 else tuple(skipped)

    return call


# One drawing at a time, from all open pages.
_DRAWS = dict(concurrency_limit=1, concurrency_id='draw')


def on(function: Handler, inputs: List[Any], outputs: List[Any],
       event: Handler, **options: Any) -> None:
    """Connect an event to its handler.

    Args:
        function: The handler.
        inputs, outputs: Its components.
        event: Event of a component.
        options: Further options of the event.
    """
    event(
        told(function, len(outputs)),
        inputs,
        outputs,
        api_visibility='private',
        **{
            **_DRAWS,
            **options
        })


def make_results(name: str) -> gr.HTML:
    """Place for results, with an id."""
    return gr.HTML(elem_id=name, apply_default_css=False, min_height=40)


def make_seed() -> gr.Number:
    """Field for a seed."""
    return gr.Number(0, label='Seed', precision=0, minimum=0, maximum=2**31)


def same(command: str, lines: str) -> str:
    """HTML of the command and the Python code with the same results."""
    return (
        '<details class="mmpe-same"><summary>Do this with a command, or in '
        f'Python</summary><pre class="mmpe-command">'
        f'{html.escape(command)}</pre><pre class="mmpe-python">'
        f'{html.escape(lines)}</pre></details>')


def empty() -> Dict[str, Any]:
    """State without edits."""
    return dict(edits=[], undone=[])


def duration(seconds: float) -> str:
    """Duration in words."""
    if seconds >= 5400:
        return f'{seconds / 3600:.1f} hours'
    if seconds >= 90:
        return f'{seconds / 60:.0f} minutes'
    return f'{max(1, round(seconds))} seconds'


def loads(value: Optional[str]) -> Dict[str, Any]:
    """Read a JSON object; an empty one if it cannot be read."""
    try:
        content = json.loads(value or '{}')
    except ValueError:
        content = {}
    return content if isinstance(content, dict) else {}


def size_of(height: float, width: float, most: int) -> Tuple[int, int]:
    """Check a size.

    Args:
        height, width: The size in pixels.
        most: Upper bound of both.

    Raises:
        ValueError: A side is out of bounds.
    """
    size = int(height or 0), int(width or 0)
    if min(size) < 16 or max(size) > most:
        raise ValueError(f'Height and width must be from 16 to {most} pixels, '
                         f'but got {size[0]} x {size[1]}.')
    return size
