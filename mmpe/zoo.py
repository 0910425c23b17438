"""Rows of the model zoo, from the metafile."""
import difflib
from pathlib import Path
from typing import Dict, NamedTuple, Optional

import yaml

__all__ = ['Row', 'find_row', 'root', 'rows']

# Only builds plain values, unlike mmengine's loader.
_Loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_METAFILE = 'configs/positional_encoding_in_gans/metafile.yml'


class Row(NamedTuple):
    """A released model.

    Args:
        name: Name of the row and of its config file.
        config: Path of the config file.
        weights: URL of the checkpoint.
        pickle: URL of its ``.pkl`` file, for SinGAN.
        metadata: Training data and other properties.
        metrics: Published scores.
    """

    name: str
    config: Path
    weights: str
    pickle: Optional[str]
    metadata: dict
    metrics: dict


def root() -> Path:
    """The folder that contains ``configs``.

    It is the root of the clone, or a folder of the installed package.

    Raises:
        FileNotFoundError: The installation has no metafile.
    """
    package = Path(__file__).resolve().parent
    for folder in (package.parent, package / '.mim'):
        if (folder / _METAFILE).is_file():
            return folder
    raise FileNotFoundError(
        f'`{package / ".mim" / _METAFILE}` does not exist: the installation '
        'of mmpe is incomplete.')


def rows() -> Dict[str, Row]:
    """All rows by name, in the order of the metafile.

    Raises:
        FileNotFoundError: The installation has no metafile.
        ValueError: It is damaged.
    """
    folder = root()
    try:
        with open(folder / _METAFILE, 'rb') as file:
            models = yaml.load(file, _Loader)['Models']
        return {model['Name']: _row(model, folder) for model in models}
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        reason = ' '.join(str(error).split())
        raise ValueError(f'`{folder / _METAFILE}` is damaged: '
                         f'{type(error).__name__}: {reason}.') from error


def find_row(name: str) -> Row:
    """Find a row by name.

    Raises:
        ValueError: There is no such row; the message suggests similar names.

    Example:
        >>> find_row('singan_spe-dim4_fish').metadata['Number of Scales']
        10
    """
    known = rows()
    if name not in known:
        alike = ', '.join(difflib.get_close_matches(name, known, cutoff=0.5))
        raise ValueError(f'There is no row {name!r}' +
                         (f'; did you mean {alike}?' if alike else '.'))
    return known[name]


def _row(model: dict, folder: Path) -> Row:
    weights = model['Weights']
    weights, *pickles = [weights] if isinstance(weights, str) else weights
    results = model.get('Results', [dict(Metrics={})])
    return Row(
        name=model['Name'],
        config=folder / model['Config'],
        weights=weights,
        pickle=pickles[0] if pickles else None,
        metadata=model['Metadata'],
        metrics=results[0]['Metrics'])
