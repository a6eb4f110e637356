"""Distributions in closed form, one a file, found by its name: each file has one record, `DISTRIBUTION`.

A file added here, or beside those made of others in `compounds`, is known everywhere: to
`Prediction.from_distribution`, to mixtures, and to the tests.
"""

from __future__ import annotations

import copyreg
import pkgutil
from functools import cache
from importlib import import_module

from nutslite.exceptions import ArgumentError, ArgumentTypeError, did_you_mean
from nutslite.scores.numerics.distribution import Distribution

ALIASES = {"normal": "gaussian", "student_t": "t", "studentt": "t", "inverse_gaussian": "wald"}

OF_CLASSES = ("categorical", "cumulative", "sratio", "cratio", "acat")


WINGS = ("distributions", "compounds")


@cache
def _modules() -> dict[str, str]:
    """By distribution, the module that has it."""
    wings = [import_module(f"nutslite.scores.{wing}") for wing in WINGS]
    files = [(wing.__name__, module.name) for wing in wings for module in pkgutil.iter_modules(wing.__path__)]
    return {name: f"{wing}.{name}" for wing, name in files}


@cache
def distribution_names() -> tuple[str, ...]:
    """Names of all distributions, in alphabetical order."""
    return tuple(sorted(_modules()))


def distribution(name: str) -> Distribution:
    """The distribution of a name.

    Raises
    ------
    ArgumentError
        Where there is none.
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"The name of a distribution is a text, not {name!r}.")
    if name.casefold() in OF_CLASSES:
        raise ArgumentError(
            f"What is {name} is predicted by probabilities of classes: Prediction.from_probabilities(p)."
        )
    known = distribution_names()
    found = ALIASES.get(name.casefold(), name)
    if found not in known:
        raise ArgumentError(
            f"There is no distribution '{name}'.{did_you_mean(name, [*known, *ALIASES])} There are: {', '.join(known)}."
        )
    record: Distribution = import_module(_modules()[found]).DISTRIBUTION
    return record


# pickled by name, as modules and functions are: a report can be stored, and come back from another process
copyreg.pickle(Distribution, lambda record: (distribution, (record.name,)))
