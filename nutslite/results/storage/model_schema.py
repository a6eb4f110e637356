"""What a file of a model holds, for `nutslite._schema.check`: its JSON, which everything but long columns is in."""

from __future__ import annotations

from nutslite._schema import FLAG, NOTHING, Either, Later, Listed, Number, Record, Row, Table, Tagged, Text, Variant
from nutslite.results.storage.typed_values import TYPED, ZONE
from nutslite.sampler.checkpoint.checkpoint import IDENTITY

LONGEST_JSON = 64 * 2**20
"""Bytes of the JSON: some million different texts of a column."""

ROWS = 2**40

NAME = Text(longest=100_000)
SCALAR = Either((NOTHING, FLAG, Number(), Text(longest=LONGEST_JSON)), "a number, a text, True, False or None")
ARRAY_TYPE = Text(
    longest=20, pattern=r"[<>|=]?(b1|[iu][1248]|f[248]|[US][0-9]{1,5}|[mM]8(\[[0-9]{0,6}[A-Za-z]{1,2}\])?)"
)
COLUMN_TYPE = Text(longest=100, pattern=r"[A-Za-z0-9_\[\]<>=:/+\-., ()]*")


def _plain() -> Either:
    return PLAIN


_ITEMS = Listed(Later(_plain))
_NUMBERS = Row((ARRAY_TYPE, Listed(Number(0, ROWS, whole=True), longest=8), Listed(SCALAR)))
_TAGGED = {
    "family": NAME,
    "prior": Row((NAME, FLAG, Either((NOTHING, FLAG), "True, False or None"), Listed(Row((NAME, Later(_plain)))))),
    "formula": Listed(NAME, shortest=1),
    "array": _NUMBERS,
    "matrix": Row((Listed(SCALAR), Listed(SCALAR), Tagged({"array": _NUMBERS}))),
    "dict": Listed(Row((Later(_plain), Later(_plain)))),
    "tuple": _ITEMS,
    "set": _ITEMS,
    "list": _ITEMS,
}
PLAIN = Either((*SCALAR.kinds, Tagged(_TAGGED)), "a value of a model's argument")


def _tagged(*names: str) -> Tagged:
    return Tagged({name: _TAGGED[name] for name in names})


_OPTIONAL_DICT = Either((NOTHING, _tagged("dict")), "a dict or None")
ARGUMENTS = Record(
    {"formula": Either((NAME, _tagged("formula")), "a formula")},
    {
        "family": Either((NAME, _tagged("family")), "the name of a family"),
        "priors": _OPTIONAL_DICT,
        "link": Either((NOTHING, NAME, _tagged("dict")), "a link or a dict of links"),
        "categorical": Either((NOTHING, NAME, _tagged("list", "tuple", "set", "array")), "names of columns"),
        "noncentered": Either((FLAG, _tagged("dict")), "True, False or a dict of these"),
        "extra_namespace": _OPTIONAL_DICT,
        "priors_cor": _OPTIONAL_DICT,
        "unused_priors": Either((NOTHING, NAME), "a text or None"),
        "automatic_priors": NAME,
        "taylor": Either((NOTHING, Number()), "a number or None"),
        "quantile": Either((NOTHING, Number(), _tagged("list", "tuple", "array")), "a number, numbers or None"),
        "potentials": Either((NOTHING, _tagged("list", "tuple")), "None"),
        **dict.fromkeys(("dropna", "auto_scale", "center_predictors", "correlated"), FLAG),
    },
)
"""The arguments of `Model`, by name."""

_COLUMN = {"name": NAME, "member": NAME, "dtype": COLUMN_TYPE, "kind": NAME}
_SCALARS = (FLAG, Number(), Text(longest=LONGEST_JSON))
_VALUES = Listed(Either(_SCALARS, "a number, a text, True or False"))
_PARTS = {
    "plain": Record(_COLUMN),
    "zoned": Record({**_COLUMN, "zone": ZONE}),
    "masked": Record(_COLUMN),
    "values": Record({**_COLUMN, "values": _VALUES}),
    "objects": Record({**_COLUMN, "values": Listed(Either((*_SCALARS, TYPED), "a value of a column"))}),
}
COLUMN = Variant(
    "kind", {**_PARTS, "categorical": Record({**_COLUMN, "ordered": FLAG, "levels": Variant("kind", _PARTS)})}
)

CONTENT = Record(
    {
        "format": Number(1, whole=True),
        "versions": Table(Text()),
        "arguments": ARGUMENTS,
        "missing": Table(Listed(NAME, shortest=1)),
        "identity": IDENTITY,
        "state": Record({"aliases": Tagged({"dict": Listed(Row((NAME, NAME)))}), "fitted": FLAG}),
        "columns": Listed(COLUMN, shortest=1),
    },
    {"rows": Listed(COLUMN, shortest=1, longest=1)},
)
"""The JSON as a whole."""
