"""The tab "Move things"."""
import json
import os.path as osp
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import gradio as gr

from mmpe.inference import parse_edits
from mmpe.inference.layout import FLIPS
from .. import actions
from .base import Tab, make_canvas, loads, on, make_results, make_seed

__all__ = ['MoveTab']

State = Dict[str, Any]
# Canvas, results and state.
Shown = Tuple[Any, ...]


class MoveTab(Tab):
    """The tab."""

    def move(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, state: State, event: Optional[Dict[str, Any]],
             down: float, right: float, tall: float, wide: float, turn: float,
             flip: str, keep: bool, remove: bool, num: float,
             seed: float) -> Iterator[Shown]:
        """Add an edit; draw all edits."""
        event = event or {}
        selection = event.get('selection')
        if not selection:
            raise ValueError('Draw around a part of the photograph first.')
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
             worked: float, state: State, num: float,
             seed: float) -> Iterator[Shown]:
        """Undo the last edit."""
        if not state['edits']:
            raise ValueError('There is nothing to undo.')
        *edits, last = state['edits']
        state = dict(edits=edits, undone=[*state['undone'], last])
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def redo(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, state: State, num: float,
             seed: float) -> Iterator[Shown]:
        """Redo the last undone edit."""
        if not state['undone']:
            raise ValueError('There is nothing to redo.')
        *undone, last = state['undone']
        state = dict(edits=[*state['edits'], last], undone=undone)
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def open_edits(self, photograph: Optional[str], drawn_by: Optional[str],
                   worked: float, path: Optional[str], num: float,
                   seed: float) -> Iterable[Any]:
        """Open a file of edits."""
        if path is None:
            return (*[gr.skip()] * 3, )
        if osp.getsize(path) > 2**20:
            raise ValueError('This file is too large for a file of edits.')
        sampler = self.studio.sampler(self.model(photograph, drawn_by, worked))
        try:
            content = json.loads(Path(path).read_bytes())
        except (ValueError, RecursionError):
            raise ValueError('This is not a file of edits.') from None
        parse_edits(content, sampler.size)
        if content['size'] != list(sampler.size):
            raise ValueError(
                'These edits belong to a picture of '
                f'{content["size"][0]} x {content["size"][1]} pixels, but '
                f'this one has {sampler.size[0]} x {sampler.size[1]}: select '
                'the same size at the top.')
        state = dict(edits=content['edits'], undone=[])
        return self.show_edits(photograph, drawn_by, worked, state, num, seed)

    def show_edits(self, photograph: Optional[str], drawn_by: Optional[str],
                   worked: float, state: State, num: float,
                   seed: float) -> Iterator[Shown]:
        """Draw the edits; gives canvas, results and state."""
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

    def build(self, source: List[Any], state: gr.State) -> Dict[str, Any]:
        """Build the components of the tab and connect them."""
        with gr.Row():
            with gr.Column(scale=3):
                canvas = make_canvas('move', 'move-canvas')
                with gr.Row():
                    undo = gr.Button('Undo', elem_id='undo')
                    redo = gr.Button('Redo', elem_id='redo')
            with gr.Column(scale=2):
                gr.Markdown(
                    'Dragging moves the part. These settings apply to it, '
                    'too, or alone with “Apply”.')
                with gr.Row():
                    down = gr.Number(
                        0, label='Down', precision=0, min_width=80)
                    right = gr.Number(
                        0, label='Right', precision=0, min_width=80)
                with gr.Row():
                    tall = gr.Slider(
                        0.25, 4, 1, step=0.05, label='Height factor')
                    wide = gr.Slider(
                        0.25, 4, 1, step=0.05, label='Width factor')
                turn = gr.Slider(
                    -180, 180, 0, step=1, label='Rotate (degrees)')
                flip = gr.Radio(['no', *FLIPS], value='no', label='Mirror')
                with gr.Row():
                    keep = gr.Checkbox(label='Repeat: keep it in place, too')
                    remove = gr.Checkbox(label='Remove', elem_id='remove')
                apply = gr.Button('Apply', variant='primary', elem_id='apply')
                with gr.Accordion('Variants, and edits as a file', open=False):
                    num = gr.Slider(0, 8, 0, step=1, label='Variants')
                    seed = make_seed()
                    edits = gr.File(
                        label='Open a file of edits',
                        height=190,
                        elem_id='edits-file')
        results = make_results('move-results')
        outputs = [canvas, results, state]
        controls = [
            down, right, tall, wide, turn, flip, keep, remove, num, seed
        ]

        def dragged(event: gr.EventData, *values: Any) -> Iterator[Shown]:
            given = [*values[:4], event._data, *values[4:]]
            return self.move(*given)

        def applied(*values: Any) -> Iterator[Shown]:
            given = [*values[:4], loads(values[4]), *values[5:]]
            return self.move(*given)

        on(dragged, [*source, state, *controls],
           outputs,
           canvas.moved,
           show_progress_on=results)
        on(applied, [*source, state, canvas, *controls],
           outputs,
           apply.click,
           show_progress_on=results)
        on(self.undo, [*source, state, num, seed], outputs, undo.click)
        on(self.redo, [*source, state, num, seed], outputs, redo.click)
        on(self.open_edits, [*source, edits, num, seed], outputs, edits.upload)
        return dict(canvas=canvas, results=results)
