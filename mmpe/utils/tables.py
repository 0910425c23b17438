"""Markdown tables."""
from typing import List, Sequence

__all__ = ['markdown_table']


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table.

    Args:
        rows: The header, then the rows, all of the same length.

    Returns:
        The table, with aligned columns.

    Example:
        >>> print(markdown_table([('size', 'FID'), ('256x256', '5.56')]))
        | size    | FID  |
        | ------- | ---- |
        | 256x256 | 5.56 |
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines: List[Sequence[str]] = [rows[0], ['-' * x for x in widths]]
    return '\n'.join(
        '| ' + ' | '.join(map(str.ljust, row, widths)) + ' |'
        for row in [*lines, *rows[1:]])
