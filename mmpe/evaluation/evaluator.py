"""Evaluator at several scales, which it takes from the model."""
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
from .scales import (EvaluationScale, Scales, evaluation_scales,
                     evaluation_sizes)

__all__ = ['MultiScaleEvaluator', 'results_table']


def results_table(rows: Dict[str, Dict[str, float]]) -> str:
    """Markdown table of figures at several sizes.

    Args:
        rows: Figures by name, for each size.

    Returns:
        The table; cells of missing figures are empty.
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

    Sizes come from the model (see
    :func:`~mmpe.evaluation.scales.evaluation_scales`), so configs need not
    repeat them: mmpe's metrics get the ``sample_kwargs`` for a size, and real
    images are resized to it. Other metrics (``CrossScaleConsistency``,
    MMagic's) are not changed.

    With several scales, names of results start with the size (e.g.
    ``512x512/FID-50k/fid``) and a table is printed. Without further
    ``sizes``, the log also has the distance between real images resized as in
    training and as in evaluation.

    Args:
        metrics: The metrics or their configs.
        scales: 'largest', 'all', a scale or a list of scales. None leaves the
            metrics as they are, as in MMagic's evaluator.
        sizes: Further sizes (H, W), trained or not; see
            :func:`~mmpe.evaluation.scales.evaluation_sizes`. Needs
            ``scales``.

    Raises:
        ValueError: The model does not have these scales or sizes.
    """

    metrics: List[BaseMetric]

    def __init__(self,
                 metrics: Union[dict, BaseMetric, Sequence],
                 scales: Optional[Scales] = None,
                 sizes: Sequence[Tuple[int, int]] = ()) -> None:
        super().__init__(metrics)
        self.scales = scales
        self.sizes = [(height, width) for height, width in sizes]
        self.labels: List[str] = []

    def prepare_metrics(self, module: nn.Module,
                        dataloader: DataLoader) -> None:
        """Make and prepare the metrics of each scale.

        Args:
            module: The model to evaluate.
            dataloader: Data loader of the real images.
        """
        if not self.is_ready and self.metrics and self.scales is not None:
            found = self._found(module, self.scales)
            if len(found) > 1:
                self.labels = [scale.label for scale in found]
            if is_main_process() and not self.sizes:
                # With `sizes`, images may be larger than in training.
                note = filter_note(module, dataloader, found)
                if note:
                    print_log(note, 'current')
            self.metrics = [
                copied for metric in self.metrics
                for copied in self._at_scales(metric, found)
            ]
        super().prepare_metrics(module, dataloader)

    def _found(self, module: nn.Module,
               scales: Scales) -> List[EvaluationScale]:
        """All scales and sizes without duplicates, smallest image first."""
        found = evaluation_scales(module, scales)
        if not self.sizes:
            return found
        known = {scale.size for scale in found}
        more = [size for size in dict.fromkeys(self.sizes)
                if size not in known]
        return sorted(
            found + evaluation_sizes(module, more),
            key=lambda scale: scale.area)

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
        """Compute all figures; print a table if there are several scales."""
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
