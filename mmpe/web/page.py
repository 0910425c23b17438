"""The page: choice of a photograph and a model, and the tabs."""
import functools
import os.path as osp
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import gradio as gr

from .studio import Studio
from .tabs import (AnimateTab, EditTab, FacesTab, LearnTab, MoveTab, NewTab,
                   Tab)
from .tabs.base import PATCHES, empty, on

__all__ = ['Top', 'make_page']

_WORKED = [('small (160 pixels), fastest', 160), ('250 pixels', 250),
           ('400 pixels, slower', 400)]


class Top(Tab):
    """What is above the tabs: photograph, model and size."""

    def open(self, chosen: Optional[str]) -> gr.Dropdown:
        """Initial choice of the photograph."""
        choices = self.photograph_choices()
        known = [x for _, x in choices]
        value = chosen if chosen in known else next(iter(known), None)
        return gr.Dropdown(choices=choices, value=value)

    def upload(self, path: str) -> Iterator[Tuple[Any, ...]]:
        """Keep an uploaded photograph, and clear the field."""
        yield gr.skip(), None
        kept = self.studio.keep_photograph(path, osp.basename(path))
        kept.touch()  # makes it the newest
        yield gr.Dropdown(
            choices=self.photograph_choices(), value=str(kept)), gr.skip()

    def choose(self, photograph: Optional[str], drawn_by: Optional[str],
               worked: float) -> Tuple[Any, ...]:
        """Show a photograph in all tabs, at the size of a model."""
        if not photograph:
            return (*[gr.skip()] * 4, empty(), '', *[gr.skip()] * 6)
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
        return (gr.Dropdown(choices=choices,
                            value=drawn_by), value, value, value, empty(), '',
                gr.Slider(maximum=max(1, last), value=0),
                gr.Slider(maximum=max(2, last), value=middle),
                gr.Slider(maximum=max(2, last), value=max(2, last)),
                gr.Slider(maximum=max(1, last), value=1),
                gr.Number(value=height), gr.Number(value=width))


def make_page(studio: Studio) -> gr.Blocks:
    """The page of a studio.

    Args:
        studio: The studio.
    """
    page = Top(studio)
    with gr.Blocks(
            title='Edit and extend a photograph',
            analytics_enabled=False) as blocks:
        gr.Markdown('# Edit and extend a photograph\n'
                    'Drop a photograph and start: nothing is trained unless '
                    'you ask for it, and nothing leaves this machine.')
        with gr.Row():
            upload = gr.File(
                label='Drop a photograph here',
                height=190,
                elem_id='photograph-file')
            with gr.Column():
                photograph = gr.Dropdown([],
                                         label='Photograph',
                                         elem_id='photograph')
                drawn_by = gr.Dropdown([PATCHES],
                                       value=PATCHES,
                                       label='Drawn by',
                                       elem_id='drawn-by')
            worked = gr.Radio(
                _WORKED, value=250, label='Drawn at', elem_id='worked')
        source: List[Any] = [photograph, drawn_by, worked]
        state = gr.State(empty())
        with gr.Tab('Move things'):
            move = MoveTab(studio).build(source, state)
        with gr.Tab('New pictures'):
            new = NewTab(studio).build(source)
        with gr.Tab('Edit, harmonize, paint'):
            edit = EditTab(studio).build(source)
        with gr.Tab('Enlarge, animate'):
            animate_scale = AnimateTab(studio).build(source)
        with gr.Tab('Learn'):
            LearnTab(studio).build(photograph, drawn_by)
        with gr.Tab('Faces'):
            FacesTab(studio).build()
        everywhere = [
            drawn_by, move['canvas'], new['canvas'], edit['canvas'], state,
            move['results'], new['scale'], edit['low'],
            edit['high'], animate_scale, new['height'], new['width']
        ]
        choose = functools.partial(
            on, page.choose, source, everywhere, show_progress='hidden')
        on(page.upload, [upload], [photograph, upload], upload.upload)
        for component in source:
            choose(component.change if component is
                   photograph else component.input)
        # Changes the photograph if there is one, which shows it.
        on(page.open, [photograph], [photograph],
           blocks.load,
           show_progress='hidden')
    return blocks
