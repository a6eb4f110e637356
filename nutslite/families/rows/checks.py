"""Checks of a response before sampling, with messages that name the column, the values, the rows and the remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.records import Response

_SHOWN = 3
_LARGEST_COUNT = 2.0**53  # float64 tells whole numbers apart up to here


def require_numbers(response: Response, family: str) -> None:
    """Refuse categorical, binary and proportion responses: the family models numbers.

    Raises
    ------
    DataError
    """
    if response.kind == "proportion":
        raise DataError(
            f"The response '{response.name}' is a proportion, but family '{family}' models a plain numeric "
            f"column. Use family='binomial', or name the column of counts alone."
        )
    if response.kind != "numeric":
        levels = f" with levels {', '.join(repr(level) for level in response.levels[:6])}" if response.levels else ""
        remedies = ["family='bernoulli'"] if response.kind == "binary" else []
        remedies += [response.as_numbers] if response.as_numbers else []
        remedy = ", or ".join(remedies) or "a numeric column"
        raise DataError(
            f"The response '{response.name}' is {response.kind}{levels}, but family '{family}' models "
            f"numbers. Use {remedy}."
        )
    refuse_companions(response, family)


def refuse_companions(response: Response, family: str) -> None:
    """Refuse companions (trials, censoring status, bounds) that the family's kernel would ignore.

    Raises
    ------
    DataError
    """
    if response.companions:
        raise DataError(
            f"The response '{response.name}' carries {', '.join(response.companions)}, "
            f"which family '{family}' does not use. Name the column alone."
        )


def require_values(response: Response, family: str, fits: NDArray[np.bool_], wanted: str, remedy: str) -> None:
    """Refuse responses outside the family's support, naming the first few and their rows.

    Parameters
    ----------
    response : Response
    family : str
    fits : ndarray of bool, shape (n,)
        Which rows are inside the support.
    wanted : str
        Completes "needs ...": ``"counts (0, 1, 2, ...)"``.
    remedy : str
        What to do; a sentence.

    Raises
    ------
    DataError
    """
    wrong = np.flatnonzero(~fits)
    if wrong.size == 0:
        return
    shown = ", ".join(f"{response.values[0, row]:.6g} in row {row}" for row in wrong[:_SHOWN])
    more = f" and {wrong.size - _SHOWN} more" if wrong.size > _SHOWN else ""
    raise DataError(
        f"The response '{response.name}' does not fit family '{family}', which needs {wanted}: found "
        f"{shown}{more} (rows count from 0, without those dropped for missing values). {remedy}"
    )


def whole_and_not_negative(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where values are counts: 0, 1, 2, ..."""
    return np.isfinite(values) & (values >= 0.0) & (values == np.floor(values))


def check_counts(response: Response, family: str) -> None:
    """Check a response of counts.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    remedy = "Round or recode the column, or use a family for continuous responses such as 'gamma'."
    values = response.values[0]
    require_values(response, family, whole_and_not_negative(values), "counts (0, 1, 2, ...)", remedy)
    require_values(response, family, values <= _LARGEST_COUNT, "counts up to 2**53", "Larger ones blur in float64.")


def check_positive(response: Response, family: str) -> None:
    """Check a response of positive numbers.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    values = response.values[0]
    remedy = "Remove or recode these rows, or use a family whose support holds them, such as 'gaussian'."
    require_values(response, family, np.isfinite(values) & (values > 0.0), "values above zero", remedy)


def check_not_negative(response: Response, family: str) -> None:
    """Check a response of positive numbers and zeros.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    values = response.values[0]
    remedy = "Remove or recode these rows, or use a family whose support holds them, such as 'gaussian'."
    require_values(response, family, np.isfinite(values) & (values >= 0.0), "zero or values above it", remedy)


def check_shares(response: Response, family: str) -> None:
    """Check a response of numbers from 0 to 1, both included.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    values = response.values[0]
    fits = (values >= 0.0) & (values <= 1.0)
    require_values(response, family, fits, "values from 0 to 1", "Percentages must be divided by 100.")


def check_angles(response: Response, family: str) -> None:
    """Check a response of angles in radians.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    remedy = "Make radians of degrees by np.deg2rad(x), and turn others back by (x + np.pi) % (2 * np.pi) - np.pi."
    values = response.values[0]
    require_values(response, family, np.abs(values) <= np.pi, "angles in radians from -pi to pi", remedy)


def check_real(response: Response, family: str) -> None:
    """Check a response of finite numbers.

    Raises
    ------
    DataError
    """
    require_numbers(response, family)
    require_values(response, family, np.isfinite(response.values[0]), "finite numbers", "Remove or recode these rows.")


def check_support(response: Response, support: str, family: str) -> None:
    """Check a response against what a family of the user's own says that it can be.

    Parameters
    ----------
    response : Response
    support : str
        ``"real"``, ``"positive"``, ``"nonnegative"``, ``"unit"``, ``"closed_unit"``, ``"angle"``, ``"count"``,
        ``"binary"`` or ``"trials"``, as in `Family`.
    family : str

    Raises
    ------
    DataError
    """
    values = response.values[0]
    if support == "trials":
        check_trials(response, family)
    elif support == "count":
        check_counts(response, family)
    elif support == "positive":
        check_positive(response, family)
    elif support == "nonnegative":
        check_not_negative(response, family)
    elif support == "angle":
        check_angles(response, family)
    elif support == "real":
        check_real(response, family)
    elif support == "unit":
        require_numbers(response, family)
        remedy = "Percentages must be divided by 100; the support is open at both ends."
        fits = (values > 0.0) & (values < 1.0)
        require_values(response, family, fits, "values strictly between 0 and 1", remedy)
    elif support == "closed_unit":
        check_shares(response, family)
    elif response.kind in ("numeric", "binary"):
        refuse_companions(response, family)
        require_values(response, family, np.isin(values, (0.0, 1.0)), "zeros and ones", "Recode the column.")
    else:
        raise DataError(
            f"The response '{response.name}' is {response.kind}, but family '{family}' models zeros and ones. Pick one "
            f"level by {response.name}['level'], or recode the column."
        )


def check_trials(response: Response, family: str) -> None:
    """Check a response of successes among trials.

    Raises
    ------
    DataError
    """
    if response.kind != "proportion" or response.companions != ("trials",):
        raise DataError(
            f"Family '{family}' needs successes and trials, but the response '{response.name}' is {response.kind}: "
            f"write p(successes, trials), trials a column or a number. For single outcomes use family='bernoulli'."
        )
    successes, trials = response.values[0], response.values[1]
    counts = whole_and_not_negative(successes) & whole_and_not_negative(trials)
    require_values(response, family, counts, "whole numbers of successes and of trials", "Correct these rows.")
    require_values(response, family, successes <= trials, "no more successes than trials", "Correct these rows.")
    if not trials.any():
        raise DataError(
            f"The trials of the response '{response.name}' are 0 in all {trials.size} rows: nothing is observed."
        )
