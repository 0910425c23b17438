"""Tables and figures of the results of :func:`mmpe.analysis.analyse`."""
from operator import itemgetter
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.tables import markdown_table
from .analyse import OUTPUT, Figures
from .padding import MODES

__all__ = ['COLOURS', 'draw_figures', 'tables']

# Colours of the paddings in all figures.
COLOURS = dict(
    zip(MODES, ('#d1495b', '#8d6cab', '#b08040', '#2e86ab', '#3a9d5d')))
_LABELS = {
    'zeros': 'zero padding',
    'reflect': 'reflect',
    'replicate': 'replicate',
    'circular': 'circular',
    'none': 'no padding (larger input)'
}
_WIDTH = 8.6  # inches, 100 pixels each
_MAX_COLUMNS = 4

# Figures by padding and layer.
Results = Dict[str, Dict[str, Figures]]
# Results of all seeds, by name of the model.
AllResults = Dict[str, List[Results]]


def _number(value: Any) -> float:
    """A figure from JSON as a number."""
    return float('nan') if value is None else float(value)


def _values(runs: Sequence[Results], mode: str, layer: str,
            figure: Callable[[Figures], Any]) -> np.ndarray:
    """A figure of all seeds, (seeds, ), or a profile, (seeds, distances)."""
    rows = [figure(run[mode][layer]) for run in runs]
    return np.array([[_number(x) for x in row] if isinstance(row, list)
                     else _number(row) for row in rows])


def _of_layers(runs: Sequence[Results], mode: str,
               figure: Callable[[Figures], Any]) -> np.ndarray:
    """A figure of all seeds and layers, (seeds, layers)."""
    columns = [_values(runs, mode, layer, figure) for layer in runs[0][mode]]
    return np.stack(columns, axis=1)


def _read(zone: str, target: str, key: str = 'r2') -> Callable[[Figures], Any]:
    """Getter of a probe's result."""
    return lambda layer: (layer['probe'][zone][target] or {}).get(key)


def _text(values: np.ndarray, digits: int) -> str:
    """Mean over seeds, and the largest deviation from it."""
    if np.isnan(values).all():
        return '-'
    if np.isinf(values).any():
        return '-∞' if (values < 0).all() else '∞'
    mean = values.mean()
    text = f'{mean:.{digits}f}'
    if len(values) > 1:
        text += f' ± {np.abs(values - mean).max():.{digits}f}'
    return text


def _ends(profile: List[Any]) -> List[Any]:
    """Values of a profile at the border and at the innermost known cells."""
    known = [x for x in profile if x is not None]
    return [profile[0], known[-1] if known else None]


_COLUMNS = {
    'location share': (lambda x: x['location_share'], 3),
    'x near, R2': (_read('near', 'x'), 2),
    'x middle, R2': (_read('middle', 'x'), 2),
    'x near, cells': (_read('near', 'x', 'cells'), 1),
    'x middle, cells': (_read('middle', 'x', 'cells'), 1),
    'border, R2': (_read('all', 'border'), 2),
    'PosENet H, SPC': (lambda x: x['posenet']['H']['spearman'], 2),
    'PosENet H, MAE': (lambda x: x['posenet']['H']['mae'], 2),
    'PPP SNR, dB': (lambda x: x.get('padding_snr_db'), 1),
    'shift, border, dB': (lambda x: _ends(x['shift_error_db_profile'])[0], 1),
    'shift, middle, dB': (lambda x: _ends(x['shift_error_db_profile'])[1], 1),
}


def tables(results: AllResults) -> str:
    """One Markdown table per model.

    Args:
        results: Results of all seeds, by name of the model.

    Returns:
        Tables of means over seeds with the largest deviations from them.
    """
    texts = []
    for name, runs in results.items():
        rows = [['layer', 'map', 'padding', *_COLUMNS]]
        for layer in next(iter(runs[0].values())):
            for mode in runs[0]:
                size = runs[0][mode][layer]['size']
                rows.append([layer, '{}x{}'.format(*size), mode] + [
                    _text(_values(runs, mode, layer, figure), digits)
                    for figure, digits in _COLUMNS.values()
                ])
        texts.append(f'## {name}\n\n{markdown_table(rows)}\n')
    return '\n'.join(texts)


def deepest_layer(run: Results) -> str:
    """The last layer before the output with more than 4 channels."""
    layers = next(iter(run.values()))
    deep = [name for name, x in layers.items()
            if name != OUTPUT and x['channels'] > 4]
    return (deep or list(layers))[-1]


def draw_figures(results: AllResults, folder: PathLike) -> List[str]:
    """Draw figures as PNG files.

    Args:
        results: Results of all seeds, by name of the model.
        folder: Output folder.

    Returns:
        Paths of the files.
    """
    from matplotlib.figure import Figure

    paths = []
    for name, draw in (('layers', _draw_layers), ('profiles', _draw_profiles),
                       ('maps', _draw_maps)):
        figure = Figure(layout='constrained')
        draw(figure, results)
        path = f'{folder}/{name}.png'
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=100)
        paths.append(path)
    return paths


def _grid(figure: Any, results: AllResults, rows: Sequence[str],
          height: float) -> Dict[str, np.ndarray]:
    """Axes (rows, ) of each model, in bands of a few models."""
    columns = min(len(results), _MAX_COLUMNS)
    bands = -(-len(results) // columns)
    figure.set_size_inches(_WIDTH, height * len(rows) * bands + 1)
    axes = figure.subplots(
        len(rows) * bands, columns, squeeze=False, sharey=False)
    by_model = {}
    for index, name in enumerate(results):
        band, column = divmod(index, columns)
        mine = axes[band * len(rows):(band + 1) * len(rows), column]
        mine[0].set_title(name, fontsize=10, fontweight='bold')
        for ax, label in zip(mine, rows):
            ax.tick_params(labelsize=7)
            ax.grid(alpha=.25)
            if column == 0:
                ax.set_ylabel(label, fontsize=8)
        by_model[name] = mine
    for spare in range(len(results), bands * columns):
        band, column = divmod(spare, columns)
        for ax in axes[band * len(rows):(band + 1) * len(rows), column]:
            ax.axis('off')
    return by_model


def _legend(figure: Any, results: AllResults, title: str,
            styles: Optional[Dict[str, str]] = None) -> None:
    from matplotlib.lines import Line2D
    modes = list(next(iter(results.values()))[0])
    handles = [Line2D([], [], color=COLOURS[mode], label=_LABELS[mode])
               for mode in modes]
    handles += [Line2D([], [], color='0.3', ls=style, label=label)
                for label, style in (styles or {}).items()]
    figure.suptitle(title, fontsize=11)
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=min(len(handles), 4),
        fontsize=8,
        frameon=False)


def _line(ax: Any, x: Sequence[float], values: np.ndarray, mode: str,
          style: str = '-') -> None:
    """Mean and range over seeds (axis 0)."""
    ax.plot(x, values.mean(0), style, color=COLOURS[mode], lw=1.5, marker='.',
            ms=4)
    ax.fill_between(x, values.min(0), values.max(0), color=COLOURS[mode],
                    alpha=.2, lw=0)


def _draw_layers(figure: Any, results: AllResults) -> None:
    """Figures of all layers, from the first to the output."""
    zones = dict(near='-', middle='--')
    rows = ['location share', 'x read from one\nplace, R2',
            'PPP, SNR [dB]']
    axes = _grid(figure, results, rows, 1.25)
    for name, runs in results.items():
        share, probe, snr = axes[name]
        layers = list(next(iter(runs[0].values())))
        x = range(len(layers))
        for mode in runs[0]:
            _line(share, x,
                  _of_layers(runs, mode, itemgetter('location_share')), mode)
            for zone, style in zones.items():
                _line(probe, x, _of_layers(runs, mode, _read(zone, 'x')),
                      mode, style)
            if mode != 'none':
                ratio = _of_layers(runs, mode, itemgetter('padding_snr_db'))
                _line(snr, x, np.where(np.isfinite(ratio), ratio, np.nan),
                      mode)
        share.set_ylim(bottom=min(0, share.get_ylim()[0]))
        probe.set_ylim(-.1, 1.05)
        snr.set_ylim(max(-30, snr.get_ylim()[0]), None)
        sizes = [next(iter(runs[0].values()))[y]['size'][0] for y in layers]
        for ax in axes[name]:
            ax.set_xticks(x, [] if ax is not snr else sizes)
        snr.set_xlabel('layers, by the height of their maps', fontsize=7)
    _legend(figure, results, 'Where layers know their place',
            {'near the border': '-', 'in the middle': '--'})


def _draw_profiles(figure: Any, results: AllResults) -> None:
    """Profiles of the deepest layer over the distance to the border."""
    rows = {
        'location share': 'location_share_profile',
        'change by\npadding [dB]': 'padding_db_profile',
        'shift error [dB]': 'shift_error_db_profile'
    }
    axes = _grid(figure, results, list(rows), 1.25)
    for name, runs in results.items():
        layer = deepest_layer(runs[0])
        for ax, key in zip(axes[name], rows.values()):
            for mode in runs[0]:
                if key not in runs[0][mode][layer]:
                    continue
                values = _values(runs, mode, layer, itemgetter(key))
                if key.endswith('db_profile'):
                    values = np.clip(values, -40, None)
                _line(ax, range(values.shape[1]), values, mode)
            if key.endswith('db_profile'):
                ax.set_ylim(-42, 8)
        axes[name][-1].set_xlabel(
            'cells to the border', fontsize=7)
        axes[name][0].set_title(f'{name}\n', fontsize=10, fontweight='bold')
        axes[name][0].text(.5, 1.03, layer, fontsize=7, ha='center',
                           transform=axes[name][0].transAxes)
    _legend(figure, results,
            'The deepest layer, from the border (0) to the middle '
            '(-40 dB and less are drawn as -40)')


def _draw_maps(figure: Any, results: AllResults) -> None:
    """Maps of the location share in the deepest layer."""
    modes = list(next(iter(results.values()))[0])
    across = len(results) >= len(modes)  # networks side by side
    shape = (len(modes), len(results))
    rows, columns = shape if across else shape[::-1]
    width = (_WIDTH - .4) / max(columns, 4)
    figure.set_size_inches(_WIDTH, rows * (width + .2 * (not across)) + 1.2)
    axes = figure.subplots(rows, columns, squeeze=False)
    axes = axes if across else axes.T
    for column, (name, runs) in enumerate(results.items()):
        layer = deepest_layer(runs[0])
        maps = [np.mean([run[mode][layer]['location_share_map']
                         for run in runs], axis=0) for mode in modes]
        top = max(float(np.quantile(x, .98)) for x in maps)
        for ax, mode, x in zip(axes[:, column], modes, maps):
            ax.imshow(x, vmin=0, vmax=max(top, 1e-6), cmap='magma')
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set(color=COLOURS[mode], lw=2.5)
        head, below = axes[0, column], axes[-1 if across else 0, column]
        (head.set_title if across else head.set_ylabel)(
            name, fontsize=8, fontweight='bold')
        below.set_xlabel(
            f'{layer}\n0 to {top:.2f}'.replace('.body', '\nbody'), fontsize=7)
    for ax, mode in zip(axes[:, 0], modes):
        (ax.set_ylabel if across else ax.set_title)(
            _LABELS[mode].replace(' (', '\n('),
            fontsize=8,
            color=COLOURS[mode])
    figure.suptitle(
        'Location share of each place in the deepest layer: bright is where '
        'the mean over latents\ndiffers from that of the other places (one '
        'scale for each network)',
        fontsize=10)
