"""The tab "Faces"."""
from typing import Any, Dict, Iterator, List, Optional, Tuple

import gradio as gr

from .. import actions
from ..actions import FACE_KINDS
from .base import MOST_SIZE, Tab, on, make_results, make_seed, size_of

__all__ = ['FacesTab']


class FacesTab(Tab):
    """The tab."""

    def size_bounds(self, name: str) -> List[Dict[str, Any]]:
        """Options of the sliders for height and width."""
        sampler = self.studio.sampler(self.studio.faces[name])
        if not hasattr(sampler.model, 'num_upblocks'):  # a single size
            return [
                dict(value=x, minimum=x, maximum=x + 1, step=1)
                for x in sampler.size
            ]
        step = 2**sampler.model.num_upblocks
        return [
            dict(value=x, minimum=step, maximum=4 * x, step=step)
            for x in sampler.size
        ]

    def show_faces(self, name: Optional[str]) -> Tuple[Any, ...]:
        """Adapt the sliders to another model."""
        if name not in self.studio.faces:
            return gr.skip(), gr.skip()
        return tuple(gr.Slider(**x) for x in self.size_bounds(name))

    def faces(self, name: Optional[str], kind: str, num: float, seed: float,
              height: float, width: float, truncation: float,
              steps: float) -> Iterator[str]:
        """Draw with a StyleGAN2 or MS-PIE model."""
        if name not in self.studio.faces or kind not in FACE_KINDS:
            raise ValueError('There is no model: start the page with --faces '
                             'CONFIG CHECKPOINT.')
        model = self.studio.faces[name]
        sampler = self.studio.sampler(model)
        size = size_of(height, width, MOST_SIZE)
        sampler.options(size)
        action = actions.faces(model, kind, int(num), int(seed), size,
                               float(truncation), int(steps),
                               [tuple(x) for x in sampler.sizes])
        yield from self.draw(
            action, self.studio.folder_of(kind, model, action.options))

    def build(self) -> None:
        """Build the components of the tab and connect them."""
        names = list(self.studio.faces)
        if not names:
            gr.Markdown(
                'To draw with a StyleGAN2 or MS-PIE model, start the page '
                'with `python demo/web.py --faces CONFIG CHECKPOINT`.')
            return
        height, width = (gr.Slider(label=label, render=False, **bounds)
                         for label, bounds in zip((
                             'Height', 'Width'), self.size_bounds(names[0])))
        with gr.Row():
            with gr.Column():
                name = gr.Dropdown(names, value=names[0], label='Model')
                kind = gr.Radio([('Random pictures', 'random'),
                                 ('Truncation sweep', 'truncation'),
                                 ('Style mixing', 'mixing'),
                                 ('One latent at all sizes', 'sizes'),
                                 ('Interpolation (GIF)', 'interpolation')],
                                value='random',
                                label='What to draw',
                                elem_id='faces-kind')
            with gr.Column():
                with gr.Row():
                    num = gr.Slider(1, 12, 4, step=1, label='Pictures')
                    seed = make_seed()
                with gr.Row():
                    height.render()
                    width.render()
                with gr.Row():
                    truncation = gr.Slider(
                        0,
                        1,
                        1,
                        step=0.05,
                        label='Truncation, '
                        'from the mean (0) to none (1)')
                    steps = gr.Slider(
                        1, 60, 15, step=1, label='Frames between pictures')
                draw = gr.Button(
                    'Draw', variant='primary', elem_id='draw-faces')
        results = make_results('faces-results')
        on(self.show_faces, [name], [height, width], name.change)
        on(self.faces,
           [name, kind, num, seed, height, width, truncation, steps],
           [results], draw.click)
