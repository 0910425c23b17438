"""Claims of the paper's abstract, as rows of figures with a verdict."""
from typing import Dict, List

from mmpe.utils.tables import markdown_table
from .balance import BALANCE
from .codes import encoding_relations
from .encodings import ENCODINGS
from .layout import LAYOUT
from .rows import HOLDS, NOT, PARTLY, Claim, Row, get, spread, verdict

__all__ = [
    'CLAIMS', 'Claim', 'Row', 'encoding_relations', 'get', 'table', 'verdict'
]

CLAIMS: Dict[str, Claim] = {**LAYOUT, **BALANCE, **ENCODINGS}


def table(rows: Dict[str, List[Row]]) -> str:
    """Markdown table of the claims.

    Args:
        rows: Rows of each claim.

    Returns:
        A line per claim with its verdict, followed by a line per row.
    """
    lines = [[
        'claim', 'architecture', 'measure', 'figure', 'beside', 'seeds',
        'verdict'
    ]]
    for letter, mine in rows.items():
        lines.append([f'**({letter})** {CLAIMS[letter].text}', '', '', '', '',
                      '', f'**{verdict(mine)}**'])
        for row in mine:
            lines.append([
                '', row.architecture, row.measure,
                f'{row.first}: {spread(row.a, row.digits)}',
                f'{row.second}: {spread(row.b, row.digits)}',
                str(len(row.a)) if len(row.a) > 1 else '-',
                HOLDS if row.holds else NOT
            ])
    return markdown_table(lines)
