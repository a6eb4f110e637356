"""CRPS of distributions in closed form: one function for each distribution of the room, `crps_<name>`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.scores.distributions import distribution, distribution_names
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.numerics.distribution import Distribution

FloatArray = NDArray[np.float64]

_DOCUMENT = """Continuous ranked probability score of the {name} distribution in closed form.

Parameters
----------
y : array_like, shape (...)
    Observations: any real numbers, inside the support or not.
{parameters} : array_like
    The distribution's parameters as its family has them; shapes broadcast with y. In SciPy's words: ``{scipy}``.

Returns
-------
ndarray, shape (...)
    ``int (F(x) - 1{{x >= y}})^2 dx``: lower is better; infinite where the distribution has no mean.

Raises
------
DataError
    Where a number is not finite or outside a parameter's range, with its row, or shapes do not fit.

Notes
-----
::

{note}

Definition: Gneiting and Raftery (2007), JASA 102:359-378, eq. 20; most closed forms are in Jordan, Krueger and Lerch
(2019), Journal of Statistical Software 90(12).
"""

_EXAMPLE = """
Examples
--------
>>> round(float(crps_{name}({arguments})), 6)
{answer}
"""


def _function(record: Distribution) -> Callable[..., FloatArray]:
    """`crps_<name>` with the distribution's parameters as arguments."""

    def score(*arguments: Any, **options: Any) -> FloatArray:
        given = signature.bind(*arguments, **options).arguments
        y = numbers("y", given.pop("y"))
        arrays = record.checked(given, y=y)
        flat = [np.array(array, dtype=np.float64).ravel() for array in arrays]
        return record.crps_of(*flat).reshape(arrays[0].shape)

    names = ["y", *record.parameters]
    signature = inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names])
    score.__name__ = score.__qualname__ = f"crps_{record.name}"
    score.__signature__ = signature  # type: ignore[attr-defined]
    score.__module__ = __name__
    note = textwrap.fill(record.note, 108, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    document = _DOCUMENT.format(
        name=record.name, parameters=", ".join(record.parameters), scipy=record.scipy, note=note
    )
    if record.known is not None:
        arguments, answer = record.known
        document += _EXAMPLE.format(name=record.name, arguments=arguments, answer=answer)
    score.__doc__ = document
    return public(score)


for _name in distribution_names():
    globals()[f"crps_{_name}"] = _function(distribution(_name))
