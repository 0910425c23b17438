"""An evaluator that takes the sizes from the model."""
from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch.nn as nn
from mmagic.evaluation.evaluator import Evaluator
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from mmpe.registry import EVALUATORS
from mmpe.utils.tables import markdown_table
from .filters import filter_note
from .scales import (EvaluationScale, Scale, evaluation_scales,
                     evaluation_sizes)

__all__ = ['MultiScaleEvaluator', 'results_table']


def results_table(rows: Dict[str, Dict[str, float]]) -> str:
    """Figures of several sizes as a table in Markdown.

    Args:
        rows: Figures by name, for each size.

    Returns:
        The table; a figure that a size lacks is left out.
    """
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [['size', *names]]
    for size, row in rows.items():
        cells.append([
            size, *(f'{row[name]:.4g}' if name in row else ''
                    for name in names)
        ])
    return markdown_table(cells)


@EVALUATORS.register_module('Evaluator')
@EVALUATORS.register_module()
class MultiScaleEvaluator(Evaluator):
    """MMagic's evaluator, at one, several or all scales of the model.

    The sizes come from the model (see
    :func:`~mmpe.evaluation.scales.evaluation_scales`), so a config need not
    repeat them: each metric of ours gets the ``sample_kwargs`` that draw a
    size, and real images are resized to it. Metrics that are not about one
    size (``CrossScaleConsistency``, those of MMagic) are left as they are.

    With several scales the names of the results begin with the size (e.g.
    ``512x512/FID-50k/fid``), and a table of them is printed; and, unless
    there are further ``sizes``, how far real images that are shrunk as in
    training lie from those of the evaluation.

    Args:
        metrics: The metrics or their configs.
        scales: 'largest', 'all', a scale or a list of scales. None changes
            nothing in the metrics, as MMagic's evaluator.
        sizes: Further sizes (H, W), also ones the model was not trained at;
            see :func:`~mmpe.evaluation.scales.evaluation_sizes`. They need
            ``scales``.

    Raises:
        ValueError: The model does not have these scales or sizes.
    """

    def __init__(self,
                 metrics: Union[dict, BaseMetric, Sequence],
                 scales: Union[str, Scale, Sequence[Scale], None] = None,
                 sizes: Sequence[Tuple[int, int]] = ()) -> None:
        super().__init__(metrics)
        self.scales = scales
        self.sizes = [tuple(size) for size in sizes]
        self.labels: List[str] = []

    def prepare_metrics(self, module: nn.Module,
                        dataloader: DataLoader) -> None:
        """Make the metrics of each scale, and have them prepared.

        Args:
            module: The model to evaluate.
            dataloader: Loader of the real images.
        """
        if not self.is_ready and self.metrics and self.scales is not None:
            found = self._found(module)
            if len(found) > 1:
                self.labels = [scale.label for scale in found]
            if is_main_process() and not self.sizes:
                # With more sizes the images may be larger than in training.
                note = filter_note(module, dataloader, found)
                if note:
                    print_log(note, 'current')
            self.metrics = [
                copied for metric in self.metrics
                for copied in self._at_scales(metric, found)
            ]
        super().prepare_metrics(module, dataloader)

    def _found(self, module: nn.Module) -> List[EvaluationScale]:
        """All scales and sizes, each once, smallest image first."""
        found = evaluation_scales(module, self.scales)
        if not self.sizes:
            return found
        known = {scale.size for scale in found}
        more = [size for size in dict.fromkeys(self.sizes)
                if size not in known]
        return sorted(
            found + evaluation_sizes(module, more),
            key=lambda scale: scale.size[0] * scale.size[1])

    def _at_scales(self, metric: BaseMetric,
                   scales: Sequence[EvaluationScale]) -> List[BaseMetric]:
        if not getattr(metric, 'per_scale', False):
            return [metric]
        return [
            metric.at_scale(scale, self._prefix(metric, scale))
            for scale in scales
        ]

    def _prefix(self, metric: BaseMetric,
                scale: EvaluationScale) -> Optional[str]:
        if not self.labels:
            return metric.prefix
        return '/'.join(filter(None, [scale.label, metric.prefix]))

    def evaluate(self) -> dict:
        """Figures of all metrics; prints the table of several scales."""
        results = super().evaluate()
        rows: Dict[str, Dict[str, float]] = {x: {} for x in self.labels}
        for key, value in results.items():
            label, _, name = key.partition('/')
            if label in rows:
                rows[label][name] = value
        if rows and is_main_process():
            print_log(f'Figures of each size:\n{results_table(rows)}',
                      'current')
        return results
