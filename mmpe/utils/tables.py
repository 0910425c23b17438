"""Tables that people and Markdown read alike."""
from typing import List, Sequence

__all__ = ['markdown_table']


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table.

    Args:
        rows: The heads of the columns, then the rows, all of one length.

    Returns:
        The table in Markdown, with columns of even width.

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
