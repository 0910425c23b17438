"""The page: what is on it, and which action answers."""
import functools
import html
import itertools
import json
import os.path as osp
import urllib.parse
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import gradio as gr

from mmpe.engine.training_queue import TrainingState
from mmpe.functional.grids import GROWTHS
from mmpe.inference import PhotographSampler, parse_edits
from mmpe.inference.inputs import read_rgb
from mmpe.inference.layout import FLIPS
from mmpe.utils.images import save_image
from . import actions
from .actions import FACE_KINDS, Action, Model
from .studio import Studio, check_mask, plain

__all__ = ['HEAD', 'STYLE', 'THEME', 'make_page']

HEAD = '<script src="/own/canvas.js"></script>' \
       '<script src="/own/alive.js" defer></script>'
_FONTS = ['ui-sans-serif', 'system-ui', 'sans-serif']
_MONO = ['ui-monospace', 'Consolas', 'monospace']
THEME = gr.themes.Soft(
    primary_hue='pink', neutral_hue='slate', font=_FONTS, font_mono=_MONO)
STYLE = '''
.gradio-container { max-width: 1180px !important; margin: auto; }
.mmpe-canvas canvas { border: 1px solid #8886; touch-action: none;
  cursor: crosshair; max-width: 100%; background: #8882; display: block; }
.mmpe-tools { display: flex; gap: .8em; align-items: center; flex-wrap: wrap;
  margin-bottom: .4em; }
.mmpe-tools select, .mmpe-tools button { border: 1px solid #8888;
  border-radius: 6px; padding: .2em .6em; background: transparent; }
.mmpe-hint { opacity: .8; min-height: 1.5em; }
.mmpe-results { display: flex; flex-wrap: wrap; gap: 14px; }
.mmpe-results figure { margin: 0; max-width: 100%; }
.mmpe-results img, .mmpe-results video { max-width: 100%; max-height: 460px;
  display: block; min-width: 190px; }
.mmpe-download { display: inline-block; border: 1px solid #d6006c;
  border-radius: 6px; padding: 0 .6em; margin: .3em 0; color: inherit; }
.mmpe-same pre { white-space: pre-wrap; word-break: break-all; padding: .6em;
  background: #8881; border-radius: 6px; font-size: 12px; }
.mmpe-trainings td { padding: .3em .7em; vertical-align: middle; }
.mmpe-trainings img { max-height: 150px; max-width: 460px; }
.mmpe-trainings button { border: 1px solid #8888; border-radius: 6px;
  padding: .3em .8em; margin-right: .3em; }
.mmpe-trainings progress { width: 11em; accent-color: #d6006c; }
#mmpe-note { position: fixed; inset: 0 0 auto 0; z-index: 9999; padding: 1em;
  background: #a3003f; color: #fff; text-align: center; }
'''
_MOVE_TOOLS = '''<label>Select with <select data-name="tool">
<option value="box">a box</option>
<option value="lasso">a line drawn around it</option></select></label>'''
_BRUSH_TOOLS = '''<label>Brush <select data-name="tool">
<option value="paint">paints a colour</option>
<option value="mark">marks what was changed</option>
<option value="erase">takes away</option></select></label>
<label>colour <input type="color" data-name="colour" value="#d02020"></label>
<label>width <input type="range" data-name="width" min="1" max="60"
value="12"></label> <button type="button" data-name="clear">Clear</button>'''
_START = 'Draw around a part of the photograph.'
_DRAG = 'Now drag it to where it belongs, or use the controls beside.'
PATCHES = 'the photograph itself, at once'
_WORKED = [('small (160 pixels), fastest', 160), ('250 pixels', 250),
           ('400 pixels, slower', 400)]
# Bounds of what is asked for: what a person waits for, and memory holds.
_MOST_SIZE, _MOST_TILED, _MOST_EDITS = 2048, 16384, 100
_NONCES = itertools.count()
Size = Tuple[int, int]


def _canvas(mode: str, name: str) -> gr.HTML:
    tools = dict(move=_MOVE_TOOLS, brush=_BRUSH_TOOLS, frame='')[mode]
    start = dict(
        move=_START,
        brush='Paint on it; what you paint is marked.',
        frame='Drag the corner to the new size.')[mode]
    return gr.HTML(
        value='',
        html_template=f'<div class="mmpe-canvas"><div class="mmpe-tools">'
        f'{tools}</div><canvas></canvas><div class="mmpe-hint" data-start='
        f'"{start}" data-drag="{_DRAG}">{start}</div></div>',
        js_on_load='window.mmpeCanvas(element, props, trigger, watch, '
        f'"{mode}", "moved");',
        apply_default_css=False,
        elem_id=name)


def told(function: Callable, num_outputs: int) -> Callable:
    """Let a function of the page tell its errors in a plain sentence.

    What was on the page before stays there.

    Args:
        function: Function of an event.
        num_outputs: Number of its outputs.
    """

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            result = function(*args, **kwargs)
            if hasattr(result, '__next__'):
                yield from result
            else:
                yield result
        except (OSError, ValueError, MemoryError, RuntimeError) as error:
            gr.Warning(
                html.escape(plain(error)), duration=None,
                title='That does not work')
            skipped = [gr.skip()] * num_outputs
            yield skipped[0] if num_outputs == 1 else tuple(skipped)

    return call


class Page:
    """Functions behind the page.

    Args:
        studio: Where they work.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    # ------------------------------------------------------------- pictures
    def url(self, path: Path) -> str:
        """Address of a file of the studio."""
        name = Path(osp.relpath(path, self.studio.folder)).as_posix()
        version = Path(path).stat().st_mtime_ns
        return f'/files/{urllib.parse.quote(name)}?v={version}'

    def shown(self, paths: Sequence[Path], command: str, lines: str,
              more: Sequence[Path] = ()) -> str:
        """Results, with downloads and what does the same."""
        figures = ''.join(self._figure(x) for x in paths)
        links = ' '.join(self._link(x) for x in more)
        return (f'<div class="mmpe-results">{figures}</div>{links}'
                f'{same(command, lines)}')

    def _figure(self, path: Path) -> str:
        url = self.url(path)
        show = f'<img src="{url}" alt="{html.escape(path.stem)}">'
        if path.suffix == '.mp4':
            show = ''  # browsers do not play MPEG-4 Part 2
        return (f'<figure>{show}<figcaption>{html.escape(path.stem)} '
                f'{self._link(path)}</figcaption></figure>')

    def _link(self, path: Path) -> str:
        return (f'<a class="mmpe-download" href="{self.url(path)}" download='
                f'"{html.escape(path.name)}">download {path.suffix[1:]}</a>')

    def canvas_value(self, path: Path, size: Tuple[int, int],
                     name: str = '') -> str:
        """What a canvas shows, and what a screen reader says of it."""
        return json.dumps(
            dict(
                image=self.url(path),
                height=size[0],
                width=size[1],
                name=name,
                nonce=next(_NONCES)))

    # --------------------------------------------------------------- models
    def check_photograph(self, photograph: Optional[str]) -> None:
        """See that one of the studio's is chosen."""
        if photograph not in self.studio.photographs():
            raise ValueError('First drop a photograph at the top of the page.')

    def model(self, photograph: Optional[str], drawn_by: Optional[str],
              worked: float) -> Model:
        """The model that is chosen."""
        self.check_photograph(photograph)
        if drawn_by in (None, PATCHES):
            return Model(photograph, max_size=int(worked))
        folders = [
            str(x.training.folder) for x in self.studio.trained(photograph)
        ]
        if drawn_by not in folders:
            raise ValueError('This training is not finished, or belongs to '
                             'another photograph.')
        return Model(drawn_by)

    def model_choices(self, photograph: Optional[str],
                      states: Optional[List[TrainingState]] = None
                      ) -> List[Tuple]:
        """Who can draw a photograph."""
        choices = [(PATCHES, PATCHES)]
        for x in self.studio.trained(photograph or '', states):
            size = 'x'.join(map(str, x.result.size))
            name = x.training.folder.parent.name
            choices.append((f'SinGAN {size} ({name})', str(x.training.folder)))
        return choices

    def photograph_choices(self) -> List[Tuple]:
        """Photographs, the latest first."""
        return [(Path(x).stem, x) for x in self.studio.photographs()]

    # --------------------------------------------------------------- answers
    def open(self, chosen: Optional[str]):
        """What is on the page when it opens."""
        choices = self.photograph_choices()
        known = [x for _, x in choices]
        value = chosen if chosen in known else (known or [None])[0]
        return gr.Dropdown(choices=choices, value=value)

    def upload(self, path: Optional[str]):
        """Keep a photograph that was dropped; the field is empty again."""
        yield gr.skip(), None
        kept = self.studio.keep_photograph(path, osp.basename(path))
        kept.touch()  # the latest one
        yield gr.Dropdown(
            choices=self.photograph_choices(), value=str(kept)), gr.skip()

    def choose(self, photograph: Optional[str], drawn_by: Optional[str],
               worked: float):
        """Show a photograph everywhere, drawn by a model."""
        if not photograph:
            return (*[gr.skip()] * 4, empty(), '', *[gr.skip()] * 5)
        choices = self.model_choices(photograph)
        if drawn_by not in [x for _, x in choices]:
            drawn_by = PATCHES
        model = self.model(photograph, drawn_by, worked)
        sampler = self.studio.sampler(model)
        base = self.base(model, sampler)
        value = self.canvas_value(base, sampler.size, Path(photograph).stem)
        last = sampler.last_scale
        middle = max(1, (last + 1) // 2)
        height, width = sampler.size
        return (gr.Dropdown(choices=choices, value=drawn_by), value, value,
                value, empty(), '', gr.Slider(maximum=max(1, last), value=0),
                gr.Slider(maximum=max(2, last), value=middle),
                gr.Slider(maximum=max(1, last), value=1),
                gr.Number(value=height), gr.Number(value=width))

    def base(self, model: Model, sampler: PhotographSampler) -> Path:
        """The photograph at the model's size."""
        folder = self.studio.folder_of('photograph', model)
        path = folder / 'photograph.png'
        if not path.is_file():
            save_image(path, sampler.training_image)
        return path

    def draw(self, action: Action, folder: Path,
             more: Sequence[Path] = ()) -> Iterator[str]:
        """Draw, and show each picture as soon as it is there."""
        done: List[Path] = []
        texts = action.command(folder), action.lines(folder)
        for path in self.studio.run(action, folder):
            done.append(path)
            yield self.shown(done, *texts, more)

    # ------------------------------------------------------------ move things
    def move(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, state: dict, event: Optional[dict], down: float,
             right: float, tall: float, wide: float, turn: float, flip: str,
             keep: bool, remove: bool, num: float, seed: float):
        """Add an edit, and draw all."""
        event = event or {}
        selection = event.get('selection')
        if not selection:
            raise ValueError('First draw around a part of the photograph.')
        edit = dict(selection)
        if remove:
            edit['remove'] = True
        else:
            shift = event.get('shift') or [0, 0]
            if not any(shift):
                shift = [down, right]
            edit.update(shift=[float(x) for x in shift])
            if (tall, wide) != (1, 1):
                edit['scale'] = [tall, wide]
            if turn:
                edit['angle'] = turn
            if flip in FLIPS:
                edit['flip'] = flip
            if keep:
                edit['keep'] = True
        edits = [*state['edits'], edit]
        return self.show_edits(photograph, drawn_by, worked,
                               dict(edits=edits, undone=[]), num, seed)

    def undo(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, state: dict, num: float, seed: float):
        """Take the last edit back."""
        if not state['edits']:
            raise ValueError('There is nothing to undo.')
        *edits, last = state['edits']
        state = dict(edits=edits, undone=[*state['undone'], last])
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def redo(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, state: dict, num: float, seed: float):
        """Make the edit again that was taken back."""
        if not state['undone']:
            raise ValueError('There is nothing to redo.')
        *undone, last = state['undone']
        state = dict(edits=[*state['edits'], last], undone=undone)
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def open_edits(self, photograph: Optional[str], drawn_by: Optional[str],
                   worked: float, path: Optional[str], num: float,
                   seed: float):
        """Take edits from a file."""
        if path is None:
            return (*[gr.skip()] * 3, )
        if osp.getsize(path) > 2**20:
            raise ValueError('This file is too large for edits.')
        sampler = self.studio.sampler(
            self.model(photograph, drawn_by, worked))
        try:
            content = json.loads(Path(path).read_bytes())
        except (ValueError, RecursionError):
            raise ValueError('This is no file of edits.') from None
        parse_edits(content, sampler.size)
        if content['size'] != list(sampler.size):
            raise ValueError(
                'These edits were drawn on a picture of '
                f'{content["size"][0]} x {content["size"][1]} pixels, and '
                f'this one has {sampler.size[0]} x {sampler.size[1]}: choose '
                'the same size at the top.')
        state = dict(edits=content['edits'], undone=[])
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def show_edits(self, photograph: Optional[str], drawn_by: Optional[str],
                   worked: float, state: dict, num: float, seed: float):
        """Draw with the edits of a state: canvas, results and state."""
        model = self.model(photograph, drawn_by, worked)
        sampler = self.studio.sampler(model)
        if not state['edits']:
            base = self.base(model, sampler)
            yield self.canvas_value(base, sampler.size), '', state
            return
        path = self.studio.keep_edits(state['edits'], sampler.size)
        action = actions.layout(model, path, int(num), int(seed))
        folder = self.studio.folder_of('layout', model, path.name)
        value = None
        for shown in self.draw(action, folder, [path]):
            if value is None:
                value = self.canvas_value(folder / 'layout.png', sampler.size)
                yield value, shown, state
            else:
                yield gr.skip(), shown, state

    # ----------------------------------------------------------- new pictures
    def sample(self, photograph: Optional[str], drawn_by: Optional[str],
               worked: float, num: float, seed: float, height: float,
               width: float, growth: str, start_scale: float,
               is_photograph: bool):
        """Random pictures, or the photograph at another size."""
        model = self.model(photograph, drawn_by, worked)
        size = _size(height, width, _MOST_SIZE)
        sampler = self.studio.sampler(model)
        sampler.check_size(size)
        growth = growth if growth in GROWTHS else None
        if is_photograph:
            action = actions.resize(model, size, growth, int(num) - 1,
                                    int(seed))
        else:
            action = actions.sample(model, int(num), int(seed), size, growth,
                                    int(start_scale))
        yield from self.draw(
            action,
            self.studio.folder_of(action.options[0], model, action.options))

    def framed(self, event: gr.EventData):
        """Height and width of the frame."""
        size = (event._data or {}).get('size')
        return tuple(size) if size else (gr.skip(), gr.skip())

    # ------------------------------------------------------------------- edit
    def edit(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, kind: str, value: Optional[str],
             uploaded: Optional[str], mask_file: Optional[str], low: float,
             high: float, seed: float, colours: float):
        """Edit, harmonize or paint, from scale to scale."""
        model = self.model(photograph, drawn_by, worked)
        sampler = self.studio.sampler(model)
        drawn = _loads(value)
        image = self._given(uploaded, drawn.get('picture'),
                            'Paint on the photograph, or give a picture.')
        low, high = sorted((int(low), int(high)))
        scales = range(low, min(high, sampler.last_scale) + 1)
        if kind == 'paint':
            action = actions.paint(model, image, scales, int(seed),
                                   int(colours))
        else:
            mask = self._given(
                mask_file, drawn.get('mask'), 'Mark with the brush what was '
                'changed, or give a mask.')
            check_mask(mask)
            action = actions.edit(model, kind, image, mask, scales, int(seed))
        yield from self.draw(
            action, self.studio.folder_of(kind, model, action.options))

    def _given(self, file: Optional[str], drawn: object,
               otherwise: str) -> Path:
        """What was handed in as a file, or drawn in the page."""
        if file:
            return self.studio.keep_picture(file)
        if not isinstance(drawn, str):
            raise ValueError(otherwise)
        return self.studio.keep_drawing(drawn)

    def show_uploaded(self, path: Optional[str]):
        """Put an uploaded picture on the canvas, to be marked."""
        if path is None:
            return gr.skip()
        kept = self.studio.keep_picture(path)
        return self.canvas_value(kept, read_rgb(kept).shape[:2])

    # ------------------------------------------------------ enlarge, animate
    def enlarge(self, photograph: Optional[str], drawn_by: Optional[str],
                worked: float, factor: float):
        """Super-resolution."""
        model = self.model(photograph, drawn_by, worked)
        action = actions.enlarge(model, float(factor))
        yield from self.draw(
            action, self.studio.folder_of('enlarged', model, factor))

    def animate(self, photograph: Optional[str], drawn_by: Optional[str],
                worked: float, frames: float, fps: float, alpha: float,
                beta: float, start_scale: float, seed: float):
        """GIF and MP4."""
        model = self.model(photograph, drawn_by, worked)
        action = actions.animate(model, int(frames), int(fps), alpha, beta,
                                 int(start_scale), int(seed))
        yield from self.draw(
            action, self.studio.folder_of('animation', model, action.options))

    def tiled(self, photograph: Optional[str], drawn_by: Optional[str],
              worked: float, height: float, width: float, growth: str,
              seed: float) -> str:
        """A large picture."""
        model = self.model(photograph, drawn_by, worked)
        size = _size(height, width, _MOST_TILED)
        growth = growth if growth in GROWTHS else None
        folder = self.studio.folder_of('tiled', model, size, growth, seed)
        action = actions.tiled(model, folder, int(seed), size, growth)
        path = list(self.studio.run(action, folder))[0]
        return (f'<p>The picture is {size[0]} x {size[1]} pixels. '
                f'{self._link(path)}</p>' + same(
                    action.command(folder), action.lines(folder)))

    # ------------------------------------------------------------------ learn
    def estimate(self, photograph: Optional[str], max_size: float,
                 rounds: float) -> str:
        """How long a training takes."""
        self.check_photograph(photograph)
        seconds = self.studio.estimate(photograph, int(max_size), int(rounds))
        return f'About **{duration(seconds)}** on this machine.'

    def start(self, photograph: Optional[str], max_size: float, rounds: float,
              seed: float):
        """Add a training to the queue."""
        self.check_photograph(photograph)
        what = photograph, int(max_size), int(rounds), int(seed)
        training = self.studio.plan(*what)
        self.studio.queue.add(training)
        command = actions.train_command(*what, training.folder.parent)
        lines = actions.train_lines(*what, training.folder)
        return same(command, lines), self.trainings()

    def ask(self, event: gr.EventData):
        """Stop a training, or let it go on."""
        asked = event._data or {}
        states = {
            str(x.training.folder): x for x in self.studio.queue.states()
        }
        state = states.get(asked.get('folder'))
        if state and asked.get('do') == 'stop':
            self.studio.queue.stop(state.training.folder)
        elif state and asked.get('do') == 'go on':
            self.studio.queue.add(state.training)
        return self.trainings()

    def trainings(self) -> str:
        """A table of all trainings."""
        return self._table(self.studio.queue.states())

    def _table(self, states: Sequence[TrainingState]) -> str:
        rows = [self._training(x) for x in states]
        if not rows:
            return '<p>Nothing has been learnt yet.</p>'
        return f'<table class="mmpe-trainings">{"".join(rows)}</table>'

    def _training(self, x: TrainingState) -> str:
        words = {
            'waiting': 'waits for its turn',
            'training': 'learns',
            'stopping': 'stops',
            'stopped': 'was stopped, and can go on',
            'trained': 'is ready: choose it at the top',
            'failed': 'has failed, and can be tried again'
        }[x.status]
        notes = [f'{100 * x.part:.0f} %']
        if x.status == 'training':
            notes.append(f'about {duration(x.seconds_left)} to go' if x.
                         seconds_left is not None else html.escape(x.said))
        if x.result and x.result.error:
            notes = [html.escape(x.result.error)]
        elif x.result:
            notes = [f'{duration(x.result.seconds)}, PSNR '
                     f'{x.result.psnr:.1f} dB']
        button = ''
        if x.status in ('waiting', 'training'):
            button = 'stop'
        elif x.status in ('stopped', 'failed'):
            button = 'go on'
        folder = html.escape(str(x.training.folder))
        shown = button and (f'<button type="button" data-do="{button}" '
                            f'data-folder="{folder}">{button.capitalize()}'
                            '</button>')
        preview = x.preview and f'<img src="{self.url(x.preview)}" alt="">'
        return (f'<tr data-status="{x.status}"><td><b>'
                f'{html.escape(x.training.folder.parent.name)}</b><br>{words}'
                f'<br><progress value="{x.part}"></progress><br>'
                f'{", ".join(filter(None, notes))}<br>{shown}</td>'
                f'<td>{preview or ""}</td></tr>')

    def look(self, photograph: Optional[str], before: List[str]):
        """The table, and models that have come since."""
        states = self.studio.queue.states()
        table = self._table(states)
        choices = self.model_choices(photograph, states)
        names = [x for _, x in choices]
        if names == before:
            return table, gr.skip(), gr.skip()
        return table, gr.Dropdown(choices=choices), names

    # ------------------------------------------------------------------ faces
    def size_bounds(self, name: str) -> List[dict]:
        """Options of the sliders of height and width: what can be made."""
        sampler = self.studio.sampler(self.studio.faces[name])
        if not hasattr(sampler.model, 'num_upblocks'):  # one size alone
            return [
                dict(value=x, minimum=x, maximum=x + 1, step=1)
                for x in sampler.size
            ]
        step = 2**sampler.model.num_upblocks
        return [
            dict(value=x, minimum=step, maximum=4 * x, step=step)
            for x in sampler.size
        ]

    def show_faces(self, name: Optional[str]):
        """The sliders for another model."""
        if name not in self.studio.faces:
            return gr.skip(), gr.skip()
        return tuple(gr.Slider(**x) for x in self.size_bounds(name))

    def faces(self, name: Optional[str], kind: str, num: float, seed: float,
              height: float, width: float, truncation: float, steps: float):
        """Pictures of a StyleGAN2 or MS-PIE model."""
        if name not in self.studio.faces or kind not in FACE_KINDS:
            raise ValueError('There is no model: start the page with --faces '
                             'CONFIG CHECKPOINT.')
        model = self.studio.faces[name]
        sampler = self.studio.sampler(model)
        size = _size(height, width, _MOST_SIZE)
        sampler.options(size)
        action = actions.faces(model, kind, int(num), int(seed), size,
                               float(truncation), int(steps),
                               [tuple(x) for x in sampler.sizes])
        yield from self.draw(
            action, self.studio.folder_of(kind, model, action.options))


def same(command: str, lines: str) -> str:
    """The command line and the Python that do the same."""
    return ('<details class="mmpe-same"><summary>The same by a command, or in '
            f'Python</summary><pre class="mmpe-command">'
            f'{html.escape(command)}</pre><pre class="mmpe-python">'
            f'{html.escape(lines)}</pre></details>')


def empty() -> dict:
    """No edits."""
    return dict(edits=[], undone=[])


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds >= 5400:
        return f'{seconds / 3600:.1f} hours'
    if seconds >= 90:
        return f'{seconds / 60:.0f} minutes'
    return f'{max(1, round(seconds))} seconds'


def _loads(value: Optional[str]) -> dict:
    try:
        value = json.loads(value or '{}')
    except ValueError:
        value = {}
    return value if isinstance(value, dict) else {}


def _size(height: float, width: float, most: int) -> Tuple[int, int]:
    size = int(height or 0), int(width or 0)
    if min(size) < 16 or max(size) > most:
        raise ValueError(f'Height and width must be from 16 to {most} pixels, '
                         f'but got {size[0]} x {size[1]}.')
    return size


def make_page(studio: Studio) -> gr.Blocks:
    """The page of a studio.

    Args:
        studio: The studio.
    """
    page = Page(studio)
    with gr.Blocks(title='A photograph, and what can be made of it',
                   analytics_enabled=False) as blocks:
        gr.Markdown('# A photograph, and what can be made of it\n'
                    'Drop a photograph. Everything below answers at once; '
                    'nothing is trained unless you ask for it, and nothing '
                    'leaves this machine.')
        with gr.Row():
            upload = gr.File(
                label='Drop a photograph here',
                height=190,
                elem_id='photograph-file')
            with gr.Column():
                photograph = gr.Dropdown(
                    [],
                    label='Photograph',
                    elem_id='photograph')
                drawn_by = gr.Dropdown([PATCHES],
                                       value=PATCHES,
                                       label='Drawn by',
                                       elem_id='drawn-by')
            worked = gr.Radio(
                _WORKED, value=250, label='Drawn at', elem_id='worked')
        source = [photograph, drawn_by, worked]
        state = gr.State(empty())
        with gr.Tab('Move things'):
            move = _move_tab(page, source, state)
        with gr.Tab('New pictures'):
            new = _new_tab(page, source)
        with gr.Tab('Edit, harmonize, paint'):
            edit = _edit_tab(page, source)
        with gr.Tab('Enlarge, animate'):
            animate_scale = _animate_tab(page, source)
        with gr.Tab('Learn'):
            _learn_tab(page, photograph, drawn_by)
        with gr.Tab('Faces'):
            _faces_tab(page)
        everywhere = [
            drawn_by, move['canvas'], new['canvas'], edit['canvas'], state,
            move['results'], new['scale'], edit['low'], animate_scale,
            new['height'], new['width']
        ]
        choose = functools.partial(
            _on, page.choose, source, everywhere, show_progress='hidden')
        _on(page.upload, [upload], [photograph, upload], upload.upload)
        for component in source:
            choose(component.change if component is photograph else
                   component.input)
        # Which changes the photograph, if there is one.
        _on(page.open, [photograph], [photograph], blocks.load,
            show_progress='hidden')
    return blocks


# One drawing at a time, whoever asks.
_DRAWS = dict(concurrency_limit=1, concurrency_id='draw')


def _on(function: Callable, inputs: list, outputs: list, event: Callable,
        **options) -> None:
    event(
        told(function, len(outputs)), inputs, outputs,
        api_visibility='private', **{**_DRAWS, **options})


def _results(name: str) -> gr.HTML:
    return gr.HTML(elem_id=name, apply_default_css=False, min_height=40)


def _seed() -> gr.Number:
    return gr.Number(0, label='Seed', precision=0, minimum=0, maximum=2**31)


def _move_tab(page: Page, source: list, state: gr.State) -> dict:
    with gr.Row():
        with gr.Column(scale=3):
            canvas = _canvas('move', 'move-canvas')
            with gr.Row():
                undo = gr.Button('Undo', elem_id='undo')
                redo = gr.Button('Redo', elem_id='redo')
        with gr.Column(scale=2):
            gr.Markdown('Dragging moves the part. These go with it, or alone '
                        'by “Apply”.')
            with gr.Row():
                down = gr.Number(0, label='Down', precision=0, min_width=80)
                right = gr.Number(0, label='Right', precision=0, min_width=80)
            with gr.Row():
                tall = gr.Slider(0.25, 4, 1, step=0.05, label='Taller')
                wide = gr.Slider(0.25, 4, 1, step=0.05, label='Wider')
            turn = gr.Slider(-180, 180, 0, step=1, label='Turn (degrees)')
            flip = gr.Radio(['no', *FLIPS], value='no', label='Mirror')
            with gr.Row():
                keep = gr.Checkbox(label='Repeat: it also stays')
                remove = gr.Checkbox(label='Remove it', elem_id='remove')
            apply = gr.Button('Apply', variant='primary', elem_id='apply')
            with gr.Accordion('Variants, and edits as a file', open=False):
                num = gr.Slider(0, 8, 0, step=1, label='Variants')
                seed = _seed()
                edits = gr.File(
                    label='Open a file of edits', height=190,
                    elem_id='edits-file')
    results = _results('move-results')
    outputs = [canvas, results, state]
    controls = [down, right, tall, wide, turn, flip, keep, remove, num, seed]

    def dragged(event: gr.EventData, *values):
        *first, state = values[:4]
        return page.move(*first, state, event._data, *values[4:])

    def applied(*values):
        *first, state, value = values[:5]
        return page.move(*first, state, _loads(value), *values[5:])

    _on(dragged, [*source, state, *controls], outputs,
        canvas.moved, show_progress_on=results)
    _on(applied, [*source, state, canvas, *controls], outputs, apply.click,
        show_progress_on=results)
    _on(page.undo, [*source, state, num, seed], outputs, undo.click)
    _on(page.redo, [*source, state, num, seed], outputs, redo.click)
    _on(page.open_edits, [*source, edits, num, seed], outputs, edits.upload)
    return dict(canvas=canvas, results=results)


def _new_tab(page: Page, source: list) -> dict:
    with gr.Row():
        with gr.Column(scale=3):
            canvas = _canvas('frame', 'frame-canvas')
        with gr.Column(scale=2):
            with gr.Row():
                height = gr.Number(label='Height', precision=0, minimum=16)
                width = gr.Number(label='Width', precision=0, minimum=16)
            with gr.Row():
                num = gr.Slider(1, 16, 4, step=1, label='Number')
                seed = _seed()
            growth = gr.Dropdown(['as the model does', *GROWTHS],
                                 value='as the model does',
                                 label='Positions at another size')
            scale = gr.Slider(
                0, 8, 0, step=1,
                label='Start scale: 0 draws all anew, more keep the layout')
            keep = gr.Checkbox(
                label='Keep the photograph, and continue it to this size')
            draw = gr.Button('Draw', variant='primary', elem_id='draw')
    results = _results('new-results')
    _on(page.framed, [], [height, width], canvas.moved,
        show_progress='hidden')
    _on(page.sample,
        [*source, num, seed, height, width, growth, scale, keep], [results],
        draw.click)
    return dict(canvas=canvas, height=height, width=width, scale=scale)


def _edit_tab(page: Page, source: list) -> dict:
    with gr.Row():
        with gr.Column(scale=3):
            canvas = _canvas('brush', 'brush-canvas')
        with gr.Column(scale=2):
            kind = gr.Radio(
                [('Make an edit seamless', 'edit'),
                 ('Harmonize a pasted thing', 'harmonize'),
                 ('Turn a painting into a photograph', 'paint')],
                value='edit',
                label='What to do',
                elem_id='edit-kind')
            with gr.Row():
                low = gr.Slider(1, 8, 1, step=1, label='From scale: changes '
                                'most')
                high = gr.Slider(1, 8, 8, step=1, label='To scale')
            with gr.Row():
                seed = _seed()
                colours = gr.Number(32, label='Colours (paintings; 0 keeps '
                                    'them)', precision=0)
            picture = gr.File(
                label='An edited picture of yours, in place of painting',
                height=190, elem_id='picture-file')
            mask = gr.File(
                label='A mask of yours, white where it was changed',
                height=190, elem_id='mask-file')
            draw = gr.Button('Do it', variant='primary', elem_id='do-edit')
    results = _results('edit-results')
    _on(page.show_uploaded, [picture], [canvas], picture.upload)
    _on(page.edit, [
        *source, kind, canvas, picture, mask, low, high, seed, colours
    ], [results], draw.click)
    return dict(canvas=canvas, low=low)


def _animate_tab(page: Page, source: list) -> gr.Slider:
    with gr.Row():
        with gr.Column():
            factor = gr.Slider(1.5, 8, 4, step=0.5,
                               label='Enlarge so many times')
            enlarge = gr.Button('Enlarge', variant='primary',
                                elem_id='enlarge')
        with gr.Column():
            with gr.Row():
                frames = gr.Slider(2, 200, 40, step=1, label='Frames')
                fps = gr.Slider(1, 30, 12, step=1, label='A second')
            with gr.Row():
                alpha = gr.Slider(0, 1, 0.1, step=0.05,
                                  label='How near to the photograph')
                beta = gr.Slider(0, 1, 0.9, step=0.05, label='How smooth')
            with gr.Row():
                scale = gr.Slider(0, 8, 1, step=1,
                                  label='First scale that moves')
                seed = _seed()
            animate = gr.Button('Animate', variant='primary',
                                elem_id='animate')
        with gr.Column():
            with gr.Row():
                height = gr.Number(1000, label='Height', precision=0)
                width = gr.Number(1000, label='Width', precision=0)
            growth = gr.Dropdown(['as the model does', *GROWTHS],
                                 value='tile', label='Positions')
            tiled_seed = _seed()
            tiled = gr.Button('Draw a large picture, in tiles',
                              variant='primary', elem_id='tiled')
    results = _results('animate-results')
    _on(page.enlarge, [*source, factor], [results], enlarge.click)
    _on(page.animate, [*source, frames, fps, alpha, beta, scale, seed],
        [results], animate.click)

    # Made here, since it changes tqdm for the whole process.
    def draw_tiled(photograph: Optional[str], drawn_by: Optional[str],
                   worked: float, height: float, width: float, growth: str,
                   seed: float,
                   progress: gr.Progress = gr.Progress(  # noqa: B008
                       track_tqdm=True)) -> str:
        return page.tiled(photograph, drawn_by, worked, height, width, growth,
                          seed)

    _on(draw_tiled, [*source, height, width, growth, tiled_seed], [results],
        tiled.click)
    return scale


def _learn_tab(page: Page, photograph: Optional[str],
               drawn_by: Optional[str]) -> None:
    with gr.Row():
        with gr.Column(scale=2):
            gr.Markdown('A SinGAN learns the photograph, beside everything '
                        'else. It then draws faster, draws new textures, and '
                        'may be chosen at the top.')
            max_size = gr.Slider(32, 400, 160, step=1, elem_id='learn-size',
                                 label='Long side of the pictures')
            rounds = gr.Slider(2, 4000, 1200, step=1, elem_id='learn-rounds',
                               label='Rounds at each scale: more take longer, '
                               'and are better')
            seed = _seed()
            with gr.Row():
                ask = gr.Button('How long?', elem_id='how-long')
                start = gr.Button('Start', variant='primary', elem_id='start')
            told_time = gr.Markdown(elem_id='learn-time')
            command = _results('learn-command')
        with gr.Column(scale=3):
            table = gr.HTML(
                page.trainings,
                elem_id='trainings',
                apply_default_css=False,
                js_on_load="element.addEventListener('click', (press) => {"
                "const button = press.target.closest('button[data-do]');"
                "if (button) trigger('asked', {do: button.dataset.do, "
                'folder: button.dataset.folder}); });')
    names = gr.State([PATCHES])
    hidden = dict(show_progress='hidden', concurrency_id=None)
    _on(page.estimate, [photograph, max_size, rounds], [told_time], ask.click)
    _on(page.start, [photograph, max_size, rounds, seed], [command, table],
        start.click, **hidden)
    _on(page.ask, [], [table], table.asked, **hidden)
    _on(page.look, [photograph, names], [table, drawn_by, names],
        gr.Timer(2).tick, **hidden)


def _faces_tab(page: Page) -> None:
    names = list(page.studio.faces)
    if not names:
        gr.Markdown('For faces, or what else a StyleGAN2 or MS-PIE model has '
                    'learnt, start the page with `python demo/web.py --faces '
                    'CONFIG CHECKPOINT`.')
        return
    height, width = _first_sizes(page, names[0])
    with gr.Row():
        with gr.Column():
            name = gr.Dropdown(names, value=names[0], label='Model')
            kind = gr.Radio(
                [('Random pictures', 'random'),
                 ('From the mean to all variety', 'truncation'),
                 ('Mixed styles', 'mixing'),
                 ('One picture at all sizes', 'sizes'),
                 ('From one to the next (GIF)', 'interpolation')],
                value='random', label='What to draw', elem_id='faces-kind')
        with gr.Column():
            with gr.Row():
                num = gr.Slider(1, 12, 4, step=1, label='Pictures')
                seed = _seed()
            with gr.Row():
                height.render()
                width.render()
            with gr.Row():
                truncation = gr.Slider(0, 1, 1, step=0.05, label='Truncation: '
                                       'from the mean to all variety')
                steps = gr.Slider(1, 60, 15, step=1,
                                  label='Frames to the next one')
            draw = gr.Button('Draw', variant='primary', elem_id='draw-faces')
    results = _results('faces-results')
    _on(page.show_faces, [name], [height, width], name.change)
    _on(page.faces, [name, kind, num, seed, height, width, truncation, steps],
        [results], draw.click)


def _first_sizes(page: Page, name: str) -> Tuple[gr.Slider, gr.Slider]:
    bounds = page.size_bounds(name)
    return (gr.Slider(label='Height', render=False, **bounds[0]),
            gr.Slider(label='Width', render=False, **bounds[1]))
