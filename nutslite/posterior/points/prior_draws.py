"""Draws from the prior of all parameters and group effects, in the joint model's `values` and `effects`."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError, SettingError, SettingTypeError, error_about
from nutslite.posterior.density.block_effects import factors_of, places_of
from nutslite.posterior.points.increasing import increasing_draws
from nutslite.posterior.points.prior_nodes import PriorNodes
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import NO_DENSITY, Head
from nutslite.posterior.record.transforms import ABOVE
from nutslite.priors.correlations import sample_lkj_cholesky
from nutslite.priors.densities.catalogue import BETWEEN, DENSITIES, Density
from nutslite.priors.densities.codes import FLAT, HALF_FLAT
from nutslite.sampler.constraints.cholesky import cholesky_unconstrain
from nutslite.sampler.memory import memory_for

FloatArray = NDArray[np.float64]


def draw_prior(
    assembled: Assembled, draws: int, rng: np.random.Generator, *, flat: str = "error"
) -> tuple[FloatArray, FloatArray]:
    """Draw from the prior.

    Parameters
    ----------
    assembled : Assembled
    draws : int
    rng : numpy.random.Generator
    flat : {"error", "nan"}
        What to do about flat priors, which nothing can be drawn from: raise, or give nan for what has one (and for
        what depends on it).

    Returns
    -------
    values : ndarray, shape (draws, n_values)
    effects : ndarray, shape (draws, n_effects)

    Raises
    ------
    PriorError
        If a prior is flat and `flat` is "error".
    SettingError
        If `draws` is no positive integer.
    """
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
        kind = error_about(draws, Real, SettingError, SettingTypeError)
        raise kind(f"draws must be an integer of at least 1, not {draws!r}.")
    model = assembled.data
    head = model.head
    n_head = head.transforms.size
    by_code = {density.code: density for density in (*DENSITIES.values(), *BETWEEN.values())}
    with memory_for(1, draws, n_head + head.fixed.size + model.centring.size, "Draws of the prior"):
        values = np.zeros((draws, n_head + head.fixed.size))  # correlations come last and are read before
        effects = np.empty((draws, model.centring.size))
    values[:, n_head:] = head.fixed
    derived = PriorNodes(head, values, rng)
    for i in range(n_head):  # hyperparameters come before what they govern
        derived.draw(before=i)
        if head.transforms[i] == ABOVE:
            continue  # drawn with the first of its vector
        if i + 1 < n_head and head.transforms[i + 1] == ABOVE:
            _draw_increasing(model, i, by_code, values, rng, flat)
        elif flat == "nan" and _undrawable(int(head.densities[i]), head.arguments[i], values):
            values[:, i] = np.nan
        elif head.densities[i] != NO_DENSITY:
            try:
                values[:, i] = _sample_head(head, i, by_code, values, rng)
            except PriorError as error:
                raise PriorError(f"The prior of '{_name(assembled, i)}': {error}") from None
    derived.draw(before=n_head)
    for i in range(n_head):  # from raw to centred intercepts, once the coefficients are known
        terms = slice(head.shift_start[i], head.shift_start[i + 1])
        values[:, i] += values[:, head.shift_index[terms]] @ head.shift_weight[terms]
    for block in model.blocks:
        if block[md.CORRELATION] >= 0:
            _draw_correlated(model, block, values, effects, rng)
        else:
            _draw_independent(model, block, by_code, values, effects, rng, flat)
        if block[md.LEVEL_FACTORS] >= 0:  # effects around 0, whose scales these are times
            effects[:, places_of(block)] *= factors_of(block, values)[:, :, None]
    return values, effects


def _draw_increasing(
    model: md.ModelData,
    first: int,
    by_code: dict[int, Density],
    values: FloatArray,
    rng: np.random.Generator,
    flat: str,
) -> None:
    """Draw a vector whose elements increase: its density is the product of its elements' where they do."""
    head = model.head
    last = first + 1
    while last < head.transforms.size and head.transforms[last] == ABOVE:
        last += 1
    if any(_undrawable(int(head.densities[i]), head.arguments[i], values) for i in range(first, last)):
        if flat != "nan":
            raise PriorError("A prior of a vector that increases is flat, and nothing can be drawn from it.")
        values[:, first:last] = np.nan
        return

    def draw(element: int, rows: NDArray[np.intp]) -> FloatArray:
        i = first + element
        return _sample_head(head, i, by_code, values[rows], rng)

    values[:, first:last] = increasing_draws(draw, len(values), last - first)


def _name(assembled: Assembled, position: int) -> str:
    """The variable that a position of the head belongs to."""
    heads = (variable for variable in assembled.layout.variables if variable.source != "effects")
    return next((variable.name for variable in heads if position in np.atleast_1d(variable.index)), "a parameter")


def _sample_head(
    head: Head, i: int, by_code: dict[int, Density], values: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draws of one element of the head; bounds are those of its transform."""
    density = by_code[int(head.densities[i])]
    if density.whole is None:
        return _sample(density, head.arguments[i], values, rng, len(values))
    given = tuple(values[:, head.arguments[i, a]] for a in range(len(density.arguments) - 2))
    lower, upper = head.bounds[:, i]
    return density.sample(rng, (*given, lower, upper), len(values))


def _sample(
    density: Density, arguments: NDArray[np.int64], values: FloatArray, rng: np.random.Generator, size: int
) -> FloatArray:
    given = tuple(values[:, arguments[a]] for a in range(len(density.arguments)))
    return density.sample(rng, given, size)


def _undrawable(code: int, arguments: NDArray[np.int64], values: FloatArray) -> bool:
    """Whether a density is flat, or an argument of it comes from one that is."""
    return code in (FLAT, HALF_FLAT) or bool(np.isnan(values[0, arguments]).any())


def _places(block: NDArray[np.int64], column: int) -> NDArray[np.int64]:
    return block[md.EFFECT_START] + column + np.arange(block[md.N_LEVELS]) * block[md.EFFECT_STRIDE]


def _draw_independent(
    model: md.ModelData,
    block: NDArray[np.int64],
    by_code: dict[int, Density],
    values: FloatArray,
    effects: FloatArray,
    rng: np.random.Generator,
    flat: str,
) -> None:
    for c in range(block[md.N_COLUMNS]):
        row = model.block_columns[block[md.COLUMN_TABLE] + c]
        density = by_code[int(row[md.DENSITY])]
        if flat == "nan" and _undrawable(density.code, row[md.ARGUMENTS :], values):
            effects[:, _places(block, c)] = np.nan
            continue
        for at in _places(block, c):
            effects[:, at] = _sample(density, row[md.ARGUMENTS :], values, rng, len(values))


def _draw_correlated(
    model: md.ModelData, block: NDArray[np.int64], values: FloatArray, effects: FloatArray, rng: np.random.Generator
) -> None:
    q = int(block[md.N_COLUMNS])
    draws = len(values)
    rows = model.block_columns[block[md.COLUMN_TABLE] : block[md.COLUMN_TABLE] + q]
    eta = float(values[0, block[md.LKJ_ETA]])
    factors = sample_lkj_cholesky(rng, q, eta, draws)
    first = int(block[md.CORRELATION])
    for draw in range(draws):
        cholesky_unconstrain(factors[draw], values[draw, first : first + q * (q - 1) // 2])
    normals = rng.standard_normal((draws, int(block[md.N_LEVELS]), q))
    standard = np.einsum("dce,dle->dlc", factors, normals)
    for c in range(q):
        location, scale = values[:, rows[c, md.ARGUMENTS]], values[:, rows[c, md.ARGUMENTS + 1]]
        effects[:, _places(block, c)] = location[:, None] + scale[:, None] * standard[:, :, c]
