"""Lines that fit: how wide a terminal is, and long lines folded between words."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

COLUMNS = 80
"""Of texts that do not depend on where they are shown, and of terminals that do not say."""
NARROWEST = 40  # below, folded lines are harder to read than long ones


def columns_of(stream: TextIO | None) -> int | None:
    """Columns of the terminal behind a stream, or what the variable COLUMNS says; 80 in notebooks, which break words.

    None where there is neither: lines of a file or pipe are left whole, for programs that search them.
    """
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        if type(stream).__module__.partition(".")[0] == "ipykernel":
            return COLUMNS
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except (OSError, ValueError, AttributeError):  # closed, or something that only looks like a stream
        return None


def folded(text: str, columns: int | None = COLUMNS, *, hanging: int = 4, quoted: bool = False) -> str:
    """The text with its long lines folded between words.

    Parameters
    ----------
    text : str
    columns : int or None
        None: nothing is folded.
    hanging : int
        How much deeper than the line itself its further lines begin.
    quoted : bool
        Leave indented lines alone: they quote something to which marks in the next line point.
    """
    if columns is None or columns < NARROWEST:
        return text
    return "\n".join(
        line if len(line) <= columns or (quoted and line.startswith(" ")) else _folded_line(line, columns, hanging)
        for line in text.split("\n")
    )


def _folded_line(line: str, columns: int, hanging: int) -> str:
    depth = len(line) - len(line.lstrip(" "))
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=" " * (depth + hanging),
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
