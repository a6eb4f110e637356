"""``(1|gr(g, sd=z))``: the standard deviation of a group's effects depends on what is known of the group.

    effects of level l = sigma exp(sum over k of gamma_k (w_lk - mean over levels of w_k)) times standard ones,

so that sigma is the standard deviation of a group whose predictors are the means. All columns of a bar have one factor,
which leaves their correlations what they are. The gammas are hyperparameters of a term of a special kind that has no
columns: all that is said and done of such terms is said and done of them.

Source: Hedeker, Mermelstein and Demirtas (2008), Biometrics 64, 627-634, the variance between subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MERGES, PILOT
from nutslite.exceptions import DataError
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.terms.kinds import TermKind, TermQuantity

FloatArray = NDArray[np.float64]

LARGEST = 200.0  # of the logarithm of a factor: beyond it scales are zero or infinite in doubles
_TOLERANCE = 1e-9  # of the largest number of a column: differences that rounding leaves


def _of_no_call(*_: Any) -> Any:
    raise AssertionError("what explains standard deviations is learned with its grouping factor")


LEVEL_SDS = TermKind(
    names=(),
    title="explains standard deviations of effects",
    learn=_of_no_call,
    apply=_of_no_call,
    quantities=_of_no_call,
    allows=frozenset({INTEGRATES, PILOT, MERGES, CODES}),
)


@dataclass(frozen=True, eq=False)
class LevelSds:
    """What is known of the levels of a grouping factor.

    Attributes
    ----------
    quantities : tuple of TermQuantity
        The gammas of each summand, in the order of the columns.
    names : tuple of str
        Levels of the model, then new ones.
    columns : ndarray, shape (k, len(names))
        Less the means over the levels of the model.
    means : ndarray, shape (k,)
    fault : str
        Of new data, why levels of the model cannot be taken for new ones there; empty where they can.
    """

    quantities: tuple[TermQuantity, ...]
    names: tuple[str, ...]
    columns: FloatArray
    means: FloatArray
    fault: str = ""

    def with_levels(self, names: Sequence[str], columns: FloatArray) -> LevelSds:
        """The same with further levels, or with other columns of known ones, as the data have them."""
        known = dict(zip(self.names, self.columns.T, strict=True))
        known |= dict(zip(names, (columns - self.means[:, None]).T, strict=True))
        return replace(self, names=tuple(known), columns=np.array(list(known.values())).T)

    def factors(self, gammas: FloatArray, names: Sequence[str]) -> FloatArray:
        """What standard deviations of levels are times sigma: of (samples, k) an array (samples, len(names))."""
        place = {name: i for i, name in enumerate(self.names)}
        columns = self.columns[:, [place[name] for name in names]]
        return np.asarray(np.exp(np.clip(gammas @ columns, -LARGEST, LARGEST)), dtype=float)


def learn_sds(what: str, levels: tuple[str, ...], summands: Sequence[Summand], columns: FloatArray) -> LevelSds:
    """The columns of all levels, and the default priors of their coefficients.

    Parameters
    ----------
    what : str
        The grouping factor, for messages.
    levels : tuple of str
    summands : sequence of Summand
    columns : ndarray, shape (k, len(levels))

    Raises
    ------
    DataError
        Where levels do not differ in a column.
    """
    means, sds = columns.mean(axis=1), columns.std(axis=1)
    quantities, start = [], 0
    for summand in summands:
        own = sds[start : start + summand.columns]
        if not (own > _TOLERANCE * np.abs(means[start : start + summand.columns])).all():
            raise DataError(
                f"'{summand.name}' is the same for all levels of '{what}', so that it explains no differences of their "
                "standard deviations; leave it out of sd=."
            )
        # one sd of the prior is a factor e: of a number by its own sd, of a category beside the first one
        width = np.ones(own.size) if summand.categorical else 1.0 / own
        prior = ("Normal", {"mu": 0.0, "sigma": width if summand.labels else float(width[0])})
        quantities.append(TermQuantity(f"sd_{summand.name}", "hyperparameter", summand.labels, prior, signed=True))
        start += summand.columns
    return LevelSds(tuple(quantities), levels, columns - means[:, None], means)


@dataclass(frozen=True)
class Summand:
    """One of the terms of ``sd=z + w``: its name, and labels of its columns where it has several or is categorical."""

    name: str
    categorical: bool
    labels: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """How many there are."""
        return max(1, len(self.labels))


def first_rows(
    what: str, codes: NDArray[Any], names: Sequence[str], predictors: dict[str, NDArray[Any]], levels: dict[str, Any]
) -> NDArray[np.intp]:
    """The first row of each level, in which all its rows are alike.

    Parameters
    ----------
    what : str
        The grouping factor, for messages.
    codes : ndarray, shape (n,)
        Of all `names`, which all occur.
    names : sequence of str
    predictors : dict
        By name, numbers (columns, n) or codes (n,).
    levels : dict
        Of predictors that are codes, what the codes stand for.

    Raises
    ------
    DataError
        Where a level has rows of several values.
    """
    _, first = np.unique(codes, return_index=True)
    home = first[codes]
    for name, values in predictors.items():
        numbers = np.atleast_2d(values)
        allowed = _TOLERANCE * np.abs(numbers).max(axis=1, initial=0.0)[:, None] if values.ndim == 2 else 0.0
        wrong = np.argwhere(np.abs(numbers - numbers[:, home]) > allowed)
        if wrong.size:
            column, row = wrong[0]
            one, other = (numbers[column, at] for at in (home[row], row))
            if values.ndim == 1:
                shown = [f"'{level_name(levels[name][int(code)])}'" for code in (one, other)]
            else:
                shown = [f"{one:.6g}", f"{other:.6g}"] if f"{one:.6g}" != f"{other:.6g}" else [repr(one), repr(other)]
            raise DataError(
                f"'{name}' is {shown[0]} and {shown[1]} in rows of the level '{names[int(codes[row])]}' of '{what}': "
                "sd= is for what is known of a group, and the same in all its rows. The mean of each group is "
                f"data.groupby('{what}')['{name}'].transform('mean')."
            )
    return np.asarray(first)
