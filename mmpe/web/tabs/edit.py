"""The tab "Edit, harmonize, paint"."""
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import gradio as gr

from mmpe.inference.inputs import read_rgb
from .. import actions
from ..studio import check_mask
from .base import Tab, make_canvas, loads, on, make_results, make_seed

__all__ = ['EditTab']


class EditTab(Tab):
    """The tab."""

    def edit(self, photograph: Optional[str], drawn_by: Optional[str],
             worked: float, kind: str, value: Optional[str],
             uploaded: Optional[str], mask_file: Optional[str], low: float,
             high: float, seed: float, colours: float) -> Iterator[str]:
        """Edit, harmonize or paint at a range of start scales."""
        model = self.model(photograph, drawn_by, worked)
        sampler = self.studio.sampler(model)
        drawn = loads(value)
        image = self._given(uploaded, drawn.get('picture'),
                            'Paint on the photograph, or upload a picture.')
        low, high = sorted((int(low), int(high)))
        scales = range(low, min(high, sampler.last_scale) + 1)
        if kind == 'paint':
            action = actions.paint(model, image, scales, int(seed),
                                   int(colours))
        else:
            mask = self._given(
                mask_file, drawn.get('mask'), 'Mark the changed pixels with '
                'the brush, or upload a mask.')
            check_mask(mask)
            action = actions.edit(model, kind, image, mask, scales, int(seed))
        yield from self.draw(
            action, self.studio.folder_of(kind, model, action.options))

    def _given(self, file: Optional[str], drawn: object,
               otherwise: str) -> Path:
        """A picture that was uploaded, or drawn in the page."""
        if file:
            return self.studio.keep_picture(file)
        if not isinstance(drawn, str):
            raise ValueError(otherwise)
        return self.studio.keep_drawing(drawn)

    def show_uploaded(self, path: Optional[str]) -> object:
        """Show an uploaded picture on the canvas."""
        if path is None:
            return gr.skip()
        kept = self.studio.keep_picture(path)
        return self.canvas_value(kept, read_rgb(kept).shape[:2])

    def build(self, source: List[Any]) -> Dict[str, Any]:
        """Build the components of the tab and connect them."""
        with gr.Row():
            with gr.Column(scale=3):
                canvas = make_canvas('brush', 'brush-canvas')
            with gr.Column(scale=2):
                kind = gr.Radio(
                    [('Blend an edit in', 'edit'),
                     ('Harmonize a pasted object', 'harmonize'),
                     ('Turn a painting into a photograph', 'paint')],
                    value='edit',
                    label='Task',
                    elem_id='edit-kind')
                with gr.Row():
                    low = gr.Slider(
                        1,
                        8,
                        1,
                        step=1,
                        label='First start scale: '
                        'changes most')
                    high = gr.Slider(1, 8, 8, step=1, label='Last start scale')
                with gr.Row():
                    seed = make_seed()
                    colours = gr.Number(
                        32,
                        label='Colours of a painting (0: '
                        'its own)',
                        precision=0)
                picture = gr.File(
                    label='Edited picture, instead of painting here',
                    height=190,
                    elem_id='picture-file')
                mask = gr.File(
                    label='Mask, white where changed',
                    height=190,
                    elem_id='mask-file')
                draw = gr.Button('Run', variant='primary', elem_id='do-edit')
        results = make_results('edit-results')
        on(self.show_uploaded, [picture], [canvas], picture.upload)
        on(self.edit,
           [*source, kind, canvas, picture, mask, low, high, seed, colours],
           [results], draw.click)
        return dict(canvas=canvas, low=low, high=high)
