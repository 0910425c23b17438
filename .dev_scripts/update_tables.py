r"""Generate the tables of the rows' README from the metafile.

Replaces the text between `<!-- table: mspie -->` or `<!-- table: singan -->`
and `<!-- end of table -->`.

Example:
    python .dev_scripts/update_tables.py --check
"""
import os
import re
import sys
from pathlib import Path
from typing import Iterable, List

from mmpe.utils import atomic_write
from mmpe.utils.arguments import Argument, make_parser
from mmpe.zoo import Row, rows

ROOT = Path(__file__).resolve().parent.parent
README = 'configs/positional_encoding_in_gans/README.md'
TABLE = re.compile(
    r'(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)', re.DOTALL)


def mspie_cells(row: Row, config: str) -> List[str]:
    """Cells of a row of StyleGAN2 or MS-PIE."""
    data = row.metadata
    scores = [
        f'{row.metrics[name]:.2f}'
        for name in ('FID50k', 'Precision10k', 'Recall10k')
    ]
    return [
        f'[{row.name}]({config})', data['Training Data'],
        data['Reference in Paper'], data['Scales'], *scores,
        f'[model]({row.weights})'
    ]


def singan_cells(row: Row, config: str) -> List[str]:
    """Cells of a row of SinGAN."""
    data = row.metadata
    return [
        f'[{row.name}]({config})',
        f'[{data["Training Data"]}]({data["Photograph"]})',
        str(data['Number of Scales']),
        rf'[ckpt]({row.weights}) \| [pkl]({row.pickle})'
    ]


HEADERS = dict(
    mspie=('Model', 'Dataset', 'Reference in Paper', 'Scales', 'FID50k',
           'Precision10k', 'Recall10k', 'Download'),
    singan=('Model', 'Photograph', 'Num Scales', 'Download'))
CELLS = dict(mspie=mspie_cells, singan=singan_cells)


def table(kind: str, folder: Path) -> str:
    """Table 'mspie' or 'singan', with links relative to a folder."""
    header = HEADERS[kind]
    lines = [header, [':-:'] * len(header)]
    for row in rows().values():
        if (row.pickle is None) == (kind == 'mspie'):
            config = Path(os.path.relpath(row.config, folder)).as_posix()
            lines.append(CELLS[kind](row, f'./{config}'))
    return ''.join(map(join, lines))


def join(cells: Iterable[str]) -> str:
    """Line of a Markdown table."""
    return f'| {" | ".join(cells)} |\n'


def updated(readme: Path) -> str:
    """Text of a README with current tables."""
    text = readme.read_text(encoding='utf-8')
    return TABLE.sub(
        lambda match: f'{match[1]}\n{table(match[2], readme.parent)}\n'
        f'{match[3]}', text)


def main() -> None:
    """Run the command."""
    args = make_parser(
        __doc__,
        Argument(
            '--check',
            action='store_true',
            help='change nothing; exit with an error if a table is outdated')
    ).parse_args()
    text = updated(ROOT / README)
    if text == (ROOT / README).read_text(encoding='utf-8'):
        return
    if args.check:
        sys.exit(f'{README}: tables are outdated, run `python '
                 '.dev_scripts/update_tables.py`')
    with atomic_write(ROOT / README) as temporary:
        temporary.write_text(text, encoding='utf-8')
    print(f'Updated {README}')


if __name__ == '__main__':
    main()
