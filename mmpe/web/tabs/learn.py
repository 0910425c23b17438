"""The tab "Learn"."""
import html
from typing import Any, List, Optional, Sequence, Tuple

import gradio as gr

from mmpe.engine.training_queue import TrainingState
from .. import trainings
from .base import PATCHES, Tab, duration, on, make_results, same, make_seed

__all__ = ['LearnTab']


class LearnTab(Tab):
    """The tab."""

    def estimate(self, photograph: Optional[str], max_size: float,
                 rounds: float) -> str:
        """Estimate the time of a training."""
        photograph = self.check_photograph(photograph)
        seconds = self.studio.estimate(photograph, int(max_size), int(rounds))
        return f'About **{duration(seconds)}** on this machine.'

    def start(self, photograph: Optional[str], max_size: float, rounds: float,
              seed: float) -> Tuple[str, str]:
        """Add a training to the queue."""
        photograph = self.check_photograph(photograph)
        what = photograph, int(max_size), int(rounds), int(seed)
        training = self.studio.plan(*what)
        self.studio.queue.add(training)
        command = trainings.train_command(*what, training.folder.parent)
        lines = trainings.train_lines(*what, training.folder)
        return same(command, lines), self.trainings()

    def ask(self, event: gr.EventData) -> str:
        """Stop or resume a training."""
        asked = event._data or {}
        states = {
            str(x.training.folder): x
            for x in self.studio.queue.states()
        }
        state = states.get(asked.get('folder', ''))
        if state and asked.get('do') == 'stop':
            self.studio.queue.stop(state.training.folder)
        elif state and asked.get('do') == 'resume':
            self.studio.queue.add(state.training)
        return self.trainings()

    def trainings(self) -> str:
        """HTML table of all trainings."""
        return self._table(self.studio.queue.states())

    def _table(self, states: Sequence[TrainingState]) -> str:
        rows = [self._training(x) for x in states]
        if not rows:
            return '<p>No trainings yet.</p>'
        return f'<table class="mmpe-trainings">{"".join(rows)}</table>'

    def _training(self, x: TrainingState) -> str:
        words = {
            'waiting': 'waiting for its turn',
            'training': 'training',
            'stopping': 'stopping',
            'stopped': 'stopped; can be resumed',
            'trained': 'ready: select it at the top',
            'failed': 'failed; can be retried'
        }[x.status]
        notes = [f'{100 * x.part:.0f} %']
        if x.status == 'training':
            notes.append(f'about {duration(x.seconds_left)} to go' if x.
                         seconds_left is not None else html.escape(x.said))
        result: Any = x.result
        if result and result.error:
            notes = [html.escape(result.error)]
        elif result:
            notes = [
                f'{duration(result.seconds)}, PSNR {result.psnr:.1f} dB'
            ]
        button = ''
        if x.status in ('waiting', 'training'):
            button = 'stop'
        elif x.status in ('stopped', 'failed'):
            button = 'resume'
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

    def look(self, photograph: Optional[str],
             before: List[str]) -> Tuple[Any, ...]:
        """Update the table and the list of models."""
        states = self.studio.queue.states()
        table = self._table(states)
        choices = self.model_choices(photograph, states)
        names = [x for _, x in choices]
        if names == before:
            return table, gr.skip(), gr.skip()
        return table, gr.Dropdown(choices=choices), names

    def build(self, photograph: gr.Dropdown, drawn_by: gr.Dropdown) -> None:
        """Build the components of the tab and connect them."""
        with gr.Row():
            with gr.Column(scale=2):
                gr.Markdown(
                    'Train a SinGAN on the photograph in the background. '
                    'It draws faster than patches, adds new textures, and '
                    'can be selected at the top.')
                max_size = gr.Slider(
                    32,
                    400,
                    160,
                    step=1,
                    elem_id='learn-size',
                    label='Long side of the pictures')
                rounds = gr.Slider(
                    2,
                    4000,
                    1200,
                    step=1,
                    elem_id='learn-rounds',
                    label='Rounds per scale: more take longer '
                    'and look better')
                seed = make_seed()
                with gr.Row():
                    ask = gr.Button('Estimate the time', elem_id='how-long')
                    start = gr.Button(
                        'Start', variant='primary', elem_id='start')
                told_time = gr.Markdown(elem_id='learn-time')
                command = make_results('learn-command')
            with gr.Column(scale=3):
                table = gr.HTML(
                    self.trainings,
                    elem_id='trainings',
                    apply_default_css=False,
                    js_on_load="element.addEventListener('click', (press) => {"
                    "const button = press.target.closest('button[data-do]');"
                    "if (button) trigger('asked', {do: button.dataset.do, "
                    'folder: button.dataset.folder}); });')
        names = gr.State([PATCHES])
        hidden = dict(show_progress='hidden', concurrency_id=None)
        on(self.estimate, [photograph, max_size, rounds], [told_time],
           ask.click)
        on(self.start, [photograph, max_size, rounds, seed], [command, table],
           start.click, **hidden)
        on(self.ask, [], [table], table.asked, **hidden)
        on(self.look, [photograph, names], [table, drawn_by, names],
           gr.Timer(2).tick, **hidden)
