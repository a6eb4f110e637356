"""One factor of a formula: a small piece of Python, read but not yet trusted and never handed to ``eval``.

`safety.py` decides what it may contain, `evaluation.py` works it out.
"""

from __future__ import annotations

import ast
import copy
import re
import warnings
from dataclasses import dataclass, field
from keyword import iskeyword

from nutslite.exceptions import FormulaError

_VALUES = ("True", "False", "None")
_STRING_START = "\"'"
_LONGEST = 50_000  # characters; Python's tokenizer takes quadratic time in the length of a line


@dataclass(frozen=True)
class FormulaText:
    """A formula's text in two spellings of equal length, so that positions in one are positions in the other.

    Attributes
    ----------
    text : str
        As the user typed it.
    code : str
        With every back-quoted name replaced by an identifier of the same length.
    plain : str
        `code` with the insides of string literals blanked out: what may be searched for operators.
    quoted : dict
        Start of each back-quoted name -> the name.
    names : dict
        `neutral_name` of each expression that was read -> its name: that of its first spelling.
    """

    text: str
    code: str
    plain: str
    quoted: dict[int, str]
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Expression:
    """A factor, an offset or a response as a syntax tree whose column offsets count characters of `formula`.

    Attributes
    ----------
    name : str
        The canonical text: ``np.log( x )`` and ``np.log(x)`` are one factor; ``{x+1}`` is ``I(x + 1)``. Quotes are as
        they were written, first if in several ways.
    tree : ast.expr
        Names that were back-quoted are ordinary `ast.Name` nodes with whatever text stood in the quotes.
    formula : str
        The whole formula, for error messages.
    span : tuple of int
        Where in `formula` it stands.
    """

    name: str
    tree: ast.expr
    formula: str
    span: tuple[int, int]

    def part(self, tree: ast.expr) -> Expression:
        """The expression made of one node of this one's tree."""
        return Expression(canonical_name(tree), tree, self.formula, node_span(tree))

    def error(self, message: str, node: ast.AST | None = None) -> FormulaError:
        """A `FormulaError` with carets below `node`, or below the whole expression."""
        return FormulaError(message, self.formula, self.span if node is None else node_span(node))


def node_span(node: ast.AST) -> tuple[int, int]:
    """Start and end of `node` in the formula."""
    start = int(getattr(node, "col_offset", 0))
    return start, int(getattr(node, "end_col_offset", start + 1))


def read_text(text: str) -> FormulaText:
    """Find string literals and back-quoted names.

    Raises
    ------
    FormulaError
        When a quote or a back-quote is not closed, a back-quoted name is empty, or the text is too long.
    """
    if len(text) > _LONGEST:
        raise FormulaError(
            f"The formula has {len(text)} characters ('{text[:30]}...'), and at most {_LONGEST} are read."
        )
    code, plain = list(text), list(text)
    quoted: dict[int, str] = {}
    position = 0
    while position < len(text):
        mark = text[position]
        if mark == "\\":  # Python would read on in the next line, which is not there
            raise FormulaError("A backslash has no meaning here.", text, (position, position + 1))
        if mark not in _STRING_START and mark != "`":
            position += 1
            continue
        end = _closing(text, position)
        if end < 0:
            raise FormulaError(f"The quote {mark} is never closed.", text, (position, len(text)))
        if mark == "`":
            name = text[position + 1 : end]
            if not name:
                raise FormulaError("There is no name between the back-quotes.", text, (position, end + 1))
            quoted[position] = name
            stand_in = "Q" + "_" * (end - position)
            code[position : end + 1] = plain[position : end + 1] = stand_in
        else:
            plain[position + 1 : end] = " " * (end - position - 1)
        position = end + 1
    return FormulaText(text, "".join(code), "".join(plain), quoted)


def _closing(text: str, start: int) -> int:
    """Position of the quote that closes the one at `start`, or -1."""
    mark, position = text[start], start + 1
    while position < len(text):
        if text[position] == "\\" and mark != "`":
            position += 2
        elif text[position] == mark:
            return position
        else:
            position += 1
    return -1


def read_expression(source: FormulaText, start: int, end: int) -> Expression:
    """Parse ``source.text[start:end]`` as one Python expression.

    Raises
    ------
    FormulaError
        When it is not one.
    """
    while start < end and source.text[start].isspace():
        start += 1
    while end > start and source.text[end - 1].isspace():
        end -= 1
    code = source.code[start:end]
    _refuse_known_slips(source, start, end)
    try:
        with warnings.catch_warnings():  # Python's advice on style ("invalid escape sequence") is not for formulas
            warnings.simplefilter("ignore")
            tree = ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as slip:
        raise _syntax_error(source, start, end, slip) from None
    try:
        _to_formula_positions(tree, code, start)
        tree = _Spelling(source).visit(tree)
        name = source.names.setdefault(neutral_name(tree), canonical_name(tree))
        return Expression(name, tree, source.text, (start, end))
    except RecursionError:
        raise FormulaError("This is nested too deeply.", source.text, (start, end)) from None


def _refuse_known_slips(source: FormulaText, start: int, end: int) -> None:
    """Give the R and lme4 spellings that are not Python an answer of their own."""
    span, plain = (start, end), source.plain[start:end]
    if plain == ".":
        raise FormulaError("'.' for all other columns is not supported; name the columns.", source.text, span)
    match = re.search(r"%\s*in\s*%", plain)
    if match:
        place = (start + match.start(), start + match.end())
        raise FormulaError("'%in%' is not supported; write a:b for 'a %in% b'.", source.text, place)
    match = re.search(r"(?<![=!<>:])=(?!=)", re.sub(r"\(.*\)", lambda m: " " * len(m.group()), plain))
    if match:
        place = (start + match.start(), start + match.end())
        raise FormulaError("'=' has no meaning here; a formula is 'y ~ x', a comparison 'x == 1'.", source.text, place)


def _syntax_error(source: FormulaText, start: int, end: int, slip: BaseException) -> FormulaError:
    """What Python said about ``source.text[start:end]``, with the place that it complained about."""
    if isinstance(slip, SyntaxError) and slip.offset and slip.lineno == 1:
        begin = min(start + slip.offset - 1, end - 1)
        stop = min(max(start + (slip.end_offset or 0) - 1, begin + 1), end)
        reason = (slip.msg or "invalid syntax").split(". Perhaps")[0]
        message = f"'{source.text[start:end]}' cannot be read: {reason}.{keyword_hint(source.plain[start:end])}"
        return FormulaError(message, source.text, (begin, stop))
    if isinstance(slip, RecursionError | MemoryError):
        return FormulaError("This is nested too deeply.", source.text, (start, end))
    message = f"'{source.text[start:end]}' cannot be read.{keyword_hint(source.plain[start:end])}"
    return FormulaError(message, source.text, (start, end))


def keyword_hint(code: str) -> str:
    """What to say of words of Python where columns are meant; empty where there are none."""
    words = [word for word in re.findall(r"\w+", code) if iskeyword(word) and (word not in _VALUES or word == code)]
    return f" '{words[0]}' is a word of Python; a column of that name is `{words[0]}`, in back-quotes." if words else ""


def _to_formula_positions(tree: ast.expr, code: str, start: int) -> None:
    """Turn Python's byte offsets in `code` into character offsets in the formula."""
    characters = [start + index for index, letter in enumerate(code) for _ in letter.encode()]
    characters.append(start + len(code))
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.keyword):
            node.col_offset = characters[node.col_offset]
            node.end_col_offset = characters[node.end_col_offset or 0]


class _Spelling(ast.NodeTransformer):
    """Undo this package's own spellings: stand-ins of back-quoted names, ``Q("name")``, ``{x + 1}``; keep quotes."""

    def __init__(self, source: FormulaText) -> None:
        self.source = source

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = self.source.quoted.get(node.col_offset)
        if name is not None:
            return _column(name, node)
        # Python takes letters that look alike for one (NFKC); a name here is the one that was typed, no other
        node.id = self.source.text[slice(*node_span(node))]
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        written = self.source.text[slice(*node_span(node))]
        if isinstance(node.value, str) and re.fullmatch(r'"[^"\\]*"', written):
            node.written = written  # type: ignore[attr-defined]
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        called_q = isinstance(node.func, ast.Name) and node.func.id == "Q" and not is_quoted(node.func)
        if not called_q or node.keywords or len(node.args) != 1:
            return node
        name = node.args[0]
        return _column(name.value, node) if isinstance(name, ast.Constant) and isinstance(name.value, str) else node

    def visit_Set(self, node: ast.Set) -> ast.expr:
        self.generic_visit(node)
        if len(node.elts) != 1:
            raise FormulaError("Braces hold one expression: {x + 1} is I(x + 1).", self.source.text, node_span(node))
        return ast.copy_location(ast.Call(ast.copy_location(ast.Name("I", ast.Load()), node), node.elts, []), node)


def _column(name: str, node: ast.expr) -> ast.Name:
    column = ast.copy_location(ast.Name(name, ast.Load()), node)
    column.quoted = True  # type: ignore[attr-defined]  # a column for certain, never a function
    return column


def is_quoted(node: ast.Name) -> bool:
    """Whether a name was back-quoted (or given by ``Q``), and so means a column and nothing else."""
    return bool(getattr(node, "quoted", False))


def canonical_name(tree: ast.expr) -> str:
    """The text that names a factor: a back-quoted column alone by its name, everything else as Python writes it.

    Double quotes stay double, as in Bambi.
    """
    return _unparsed(tree, _AsWritten())


def neutral_name(tree: ast.expr) -> str:
    """The same with single quotes: two factors are the same where these are."""
    return _unparsed(tree, _BackQuotes())


def _unparsed(tree: ast.expr, spelling: ast.NodeTransformer) -> str:
    if isinstance(tree, ast.Name):
        return tree.id
    return ast.unparse(spelling.visit(copy.deepcopy(tree)))


class _BackQuotes(ast.NodeTransformer):
    """Write names that are not Python identifiers in back-quotes again."""

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if is_quoted(node) and not node.id.isidentifier():
            node.id = f"`{node.id}`"
        return node


class _AsWritten(_BackQuotes):
    """... and texts in the quotes that they had."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        written = getattr(node, "written", None)
        return node if written is None else ast.Name(written, ast.Load())
