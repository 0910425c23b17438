"""The tab "New pictures"."""
from typing import Any, Dict, Iterator, List, Optional, Tuple

import gradio as gr

from mmpe.functional.grids import GROWTHS
from .. import actions
from .base import (MOST_SIZE, Tab, make_canvas, make_results, make_seed, on,
                   size_of)

__all__ = ['NewTab']


class NewTab(Tab):
    """The tab."""

    def sample(self, photograph: Optional[str], drawn_by: Optional[str],
               worked: float, num: float, seed: float, height: float,
               width: float, growth: Optional[str], start_scale: float,
               is_photograph: bool) -> Iterator[str]:
        """Draw random pictures, or the photograph at another size."""
        model = self.model(photograph, drawn_by, worked)
        size = size_of(height, width, MOST_SIZE)
        sampler = self.studio.sampler(model)
        sampler.check_size(size)
        growth = growth if growth in GROWTHS else None
        if is_photograph:
            action = actions.resize(model, size, growth,
                                    int(num) - 1, int(seed))
        else:
            action = actions.sample(model, int(num), int(seed), size, growth,
                                    int(start_scale))
        yield from self.draw(
            action,
            self.studio.folder_of(action.options[0], model, action.options))

    def framed(self, event: gr.EventData) -> Tuple[Any, ...]:
        """Size of the frame."""
        size = (event._data or {}).get('size')
        return tuple(size) if size else (gr.skip(), gr.skip())

    def build(self, source: List[Any]) -> Dict[str, Any]:
        """Build the components of the tab and connect them."""
        with gr.Row():
            with gr.Column(scale=3):
                canvas = make_canvas('frame', 'frame-canvas')
            with gr.Column(scale=2):
                with gr.Row():
                    height = gr.Number(label='Height', precision=0, minimum=16)
                    width = gr.Number(label='Width', precision=0, minimum=16)
                with gr.Row():
                    num = gr.Slider(1, 16, 4, step=1, label='Number')
                    seed = make_seed()
                growth = gr.Dropdown(['default of the model', *GROWTHS],
                                     value='default of the model',
                                     label='Positions at another size')
                scale = gr.Slider(
                    0,
                    8,
                    0,
                    step=1,
                    label='Start scale: 0 draws everything anew, higher '
                    'scales keep the layout')
                keep = gr.Checkbox(
                    label='Keep the photograph and extend it to this size')
                draw = gr.Button('Draw', variant='primary', elem_id='draw')
        results = make_results('new-results')
        on(self.framed, [], [height, width],
           canvas.moved,
           show_progress='hidden')
        on(self.sample,
           [*source, num, seed, height, width, growth, scale, keep], [results],
           draw.click)
        return dict(canvas=canvas, height=height, width=width, scale=scale)
