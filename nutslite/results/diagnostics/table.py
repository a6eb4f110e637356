"""The table of a summary, printed whole: no column is left out because a terminal is narrow."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence

import pandas as pd

from nutslite._columns import COLUMNS, columns_of

NOTE = "note"  # an attribute of tables: a sentence that is printed below
SHORT = 5  # a heading of so many letters needs no second line


class SummaryTable(pd.DataFrame):
    """A DataFrame that shows all its columns on a narrow terminal, headings in two lines where they need it.

    pandas leaves columns out there. Notebooks have room and show what pandas shows; so do wide terminals.
    """

    @property
    def _constructor(self) -> Callable[..., SummaryTable]:  # rows and columns taken out of it are printed alike
        return SummaryTable

    def __repr__(self) -> str:
        width = columns_of(sys.stdout) or pd.get_option("display.width") or COLUMNS
        text = table_text(self, width, max_rows=pd.get_option("display.max_rows"))
        note = self.attrs.get(NOTE)
        return text if note is None else "\n".join([text, "", *textwrap.wrap(note, width)])


def table_text(table: pd.DataFrame, width: int, max_rows: int | None = None) -> str:
    """A table in lines of `width` columns at most, as far as its labels and numbers allow.

    Parameters
    ----------
    table : DataFrame
        Of numbers, with texts as names of its columns; anything else is printed by pandas.
    width : int
        Columns of the terminal.
    max_rows : int, optional
        A longer table shows its first and last rows only, as many as pandas would.
    """
    few = pd.get_option("display.min_rows") if max_rows is not None else None
    plain = pd.DataFrame(table)
    whole = plain.to_string(max_rows=max_rows, min_rows=few, show_dimensions=False)
    cut = max_rows is not None and len(table) > max_rows
    footer = f"\n\n[{len(table)} rows x {table.shape[1]} columns]" if cut else ""
    simple = table.columns.nlevels == table.index.nlevels == 1 and all(isinstance(name, str) for name in table.columns)
    if max(map(len, whole.split("\n"))) <= width or not table.size:
        return whole + footer
    blocks, top = None, len(table)
    if cut and max_rows is not None:
        top = max(min(max_rows, few or max_rows) // 2, 1)
        plain = pd.concat([plain.iloc[:top], plain.iloc[-top:]])
    if simple:
        columns = [_cells(plain, column) for column in range(plain.shape[1])]
        labels = [str(label) for label in plain.index]
        blocks = _blocks([str(name) for name in plain.columns], labels, list(zip(*columns, strict=True)), width)
    if blocks is None:
        return pd.DataFrame(table).to_string(max_rows=max_rows, min_rows=few, line_width=width) + footer
    heading, *rows = blocks
    return "\n".join([heading, *rows[:top], *(["..."] if cut else []), *rows[top:]]) + footer


def _cells(table: pd.DataFrame, column: int) -> list[str]:
    """Texts of one column, as pandas writes them; whole numbers without a point."""
    lines = table.iloc[:, [column]].to_string(index=False, header=False).split("\n")
    cells = [line.strip() for line in lines]
    return [cell.removesuffix(".0") for cell in cells] if all(cell.endswith(".0") for cell in cells) else cells


def _heads(name: str) -> tuple[str, str]:
    """A heading in two lines, unless it is short."""
    upper, _, lower = name.rpartition("_") if len(name) > SHORT else ("", "", name)
    return upper, lower


def _blocks(names: Sequence[str], labels: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str] | None:
    """Heading and rows, a label above its numbers where both need too much room; None where numbers alone do."""
    heads = [_heads(name) for name in names]
    sizes = [max(map(len, (*heads[c], *(row[c] for row in rows)))) for c in range(len(names))]
    if sum(sizes) + len(sizes) > width:
        return None
    longest = max(map(len, labels))
    gap = 2 if sum(sizes) + 2 * len(sizes) + longest <= width else 1
    room = width - sum(sizes) - gap * len(sizes)
    first = max((len(label) for label in labels if len(label) <= room), default=0)

    def line(label: str, cells: Sequence[str]) -> str:
        numbers = "".join(f"{'':{gap}}{cell:>{size}}" for cell, size in zip(cells, sizes, strict=True))
        above = f"{label}\n" if len(label) > room else ""
        return above + f"{'' if above else label:<{first}}{numbers}".rstrip()

    upper, lower = zip(*heads, strict=True)
    heading = [text for text in (line("", upper), line("", lower)) if text]
    return ["\n".join(heading), *(line(label, row) for label, row in zip(labels, rows, strict=True))]
