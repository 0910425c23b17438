"""The tab "Enlarge, animate"."""
from typing import Any, Iterator, List, Optional

import gradio as gr

from mmpe.functional.grids import GROWTHS
from .. import actions
from .base import Tab, on, make_results, same, make_seed, size_of

__all__ = ['AnimateTab']

# Largest side of a picture drawn in tiles.
_MOST_TILED = 16384


class AnimateTab(Tab):
    """The tab."""

    def enlarge(self, photograph: Optional[str], drawn_by: Optional[str],
                worked: float, factor: float) -> Iterator[str]:
        """Enlarge the photograph."""
        model = self.model(photograph, drawn_by, worked)
        action = actions.enlarge(model, float(factor))
        yield from self.draw(action,
                             self.studio.folder_of('enlarged', model, factor))

    def animate(self, photograph: Optional[str], drawn_by: Optional[str],
                worked: float, frames: float, fps: float, alpha: float,
                beta: float, start_scale: float, seed: float) -> Iterator[str]:
        """Animate the photograph."""
        model = self.model(photograph, drawn_by, worked)
        action = actions.animate(model, int(frames), int(fps), alpha, beta,
                                 int(start_scale), int(seed))
        yield from self.draw(
            action, self.studio.folder_of('animation', model, action.options))

    def tiled(self, photograph: Optional[str], drawn_by: Optional[str],
              worked: float, height: float, width: float,
              growth: Optional[str], seed: float) -> str:
        """Draw a large picture in tiles."""
        model = self.model(photograph, drawn_by, worked)
        size = size_of(height, width, _MOST_TILED)
        growth = growth if growth in GROWTHS else None
        folder = self.studio.folder_of('tiled', model, size, growth, seed)
        action = actions.tiled(model, folder, int(seed), size, growth)
        path = list(self.studio.run(action, folder))[0]
        return (f'<p>The picture has {size[0]} x {size[1]} pixels. '
                f'{self.link(path)}</p>' +
                same(action.command(folder), action.lines(folder)))

    def build(self, source: List[Any]) -> gr.Slider:
        """Build the components of the tab and connect them."""
        with gr.Row():
            with gr.Column():
                factor = gr.Slider(1.5, 8, 4, step=0.5, label='Factor')
                enlarge = gr.Button(
                    'Enlarge', variant='primary', elem_id='enlarge')
            with gr.Column():
                with gr.Row():
                    frames = gr.Slider(2, 200, 40, step=1, label='Frames')
                    fps = gr.Slider(
                        1, 30, 12, step=1, label='Frames per second')
                with gr.Row():
                    alpha = gr.Slider(
                        0,
                        1,
                        0.1,
                        step=0.05,
                        label='Closeness to the photograph')
                    beta = gr.Slider(0, 1, 0.9, step=0.05, label='Smoothness')
                with gr.Row():
                    scale = gr.Slider(
                        0, 8, 1, step=1, label='First scale that moves')
                    seed = make_seed()
                animate = gr.Button(
                    'Animate', variant='primary', elem_id='animate')
            with gr.Column():
                with gr.Row():
                    height = gr.Number(1000, label='Height', precision=0)
                    width = gr.Number(1000, label='Width', precision=0)
                growth = gr.Dropdown(['default of the model', *GROWTHS],
                                     value='tile',
                                     label='Positions')
                tiled_seed = make_seed()
                tiled = gr.Button(
                    'Draw a large picture in tiles',
                    variant='primary',
                    elem_id='tiled')
        results = make_results('animate-results')
        on(self.enlarge, [*source, factor], [results], enlarge.click)
        on(self.animate, [*source, frames, fps, alpha, beta, scale, seed],
           [results], animate.click)

        # Not at import, as it changes tqdm for the whole process.
        def draw_tiled(
            photograph: Optional[str],
            drawn_by: Optional[str],
            worked: float,
            height: float,
            width: float,
            growth: Optional[str],
            seed: float,
            progress: gr.Progress = gr.Progress(  # noqa: B008
                track_tqdm=True)
        ) -> str:
            return self.tiled(photograph, drawn_by, worked, height, width,
                              growth, seed)

        on(draw_tiled, [*source, height, width, growth, tiled_seed], [results],
           tiled.click)
        return scale
