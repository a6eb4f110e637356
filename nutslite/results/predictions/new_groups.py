"""Effects of groups that a model has not seen: draws from the distribution of all groups, for every posterior draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.records import correlation_name

if TYPE_CHECKING:
    from nutslite.formula.design import Design
    from nutslite.formula.records import GroupFactor, GroupTerm
    from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]


class GroupSampler(Protocol):
    """Draws effects of new levels of one grouping factor in one linear predictor."""

    def __call__(
        self,
        rng: np.random.Generator,
        parameter: str,
        terms: Sequence[GroupTerm],
        posterior: Mapping[str, FloatArray],
        n_new: int,
    ) -> dict[str, FloatArray]:
        """Effects by name of term (without prefix), each of shape (samples, columns of the term, n_new).

        Parameters
        ----------
        rng : numpy.random.Generator
        parameter : str
            Whose linear predictor: ``"mu"``, ``"sigma"``.
        terms : sequence of GroupTerm
            All terms of the factor in that predictor.
        posterior : mapping of ndarray, shape (samples, ...)
            All draws by their full names.
        n_new : int
            Number of new levels.
        """
        ...


class PopulationSampler:
    """The group sampler of models whose group effects have priors: draws from the prior given its hyperparameters.

    Parameters
    ----------
    priors : mapping
        ``priors[parameter][term]``: prior of each group-specific term; arguments that are priors themselves are read
        from the posterior (``1|g_sigma``), numbers are taken as they are.
    parent : str
        Name of the parent parameter, whose variables have no prefix.

    Notes
    -----
    Terms are correlated where the posterior has their correlations, ``<expressions joined by +>|<factor>_corr``, the
    lower triangle row by row. Then ``effects = mu + sigma * (L z)`` with ``L`` the Cholesky factor of the correlations
    and ``z`` standard normal.
    """

    def __init__(
        self, priors: Mapping[str, Mapping[str, Prior]], parent: str, sizes: Mapping[str, int] | None = None
    ) -> None:
        self.priors = priors
        self.parent = parent
        self.sizes = dict(sizes or {})

    def __call__(
        self,
        rng: np.random.Generator,
        parameter: str,
        terms: Sequence[GroupTerm],
        posterior: Mapping[str, FloatArray],
        n_new: int,
    ) -> dict[str, FloatArray]:
        """Effects of new levels; see `GroupSampler`."""
        prefix = "" if parameter == self.parent else f"{parameter}_"
        effects: dict[str, FloatArray] = {}
        for block in _blocks(terms):
            name = f"{prefix}{correlation_name(block)}"
            if sum(term.columns for term in block) > 1 and name in posterior:
                effects |= self._correlated(rng, parameter, prefix, block, posterior, posterior[name], n_new)
            else:
                for term in block:
                    effects[term.name] = self._independent(rng, parameter, prefix, term, posterior, n_new)
        return effects

    def _independent(
        self,
        rng: np.random.Generator,
        parameter: str,
        prefix: str,
        term: GroupTerm,
        posterior: Mapping[str, FloatArray],
        n_new: int,
    ) -> FloatArray:
        from nutslite.priors.densities.densities import DENSITIES

        shape = (len(next(iter(posterior.values()))), term.columns, n_new)
        draws = []
        for row in range(self.sizes.get(parameter, 1)):
            name, arguments = self._arguments(parameter, prefix, term, posterior, row)
            draws.append(DENSITIES[name].sample(rng, tuple(arguments.values()), shape))
        return np.stack(draws, axis=-1) if parameter in self.sizes else draws[0]

    def _correlated(
        self,
        rng: np.random.Generator,
        parameter: str,
        prefix: str,
        block: Sequence[GroupTerm],
        posterior: Mapping[str, FloatArray],
        correlations: FloatArray,
        n_new: int,
    ) -> dict[str, FloatArray]:
        cholesky = _cholesky_factors(correlations, sum(term.columns for term in block))
        samples, q = cholesky.shape[:2]
        standard = cholesky @ rng.standard_normal((samples, q, n_new))
        effects = {}
        start = 0
        for term in block:
            name, arguments = self._arguments(parameter, prefix, term, posterior)
            if name != "Normal":
                raise DataError(f"Correlated effects are Normal, but the prior of '{prefix}{term.name}' is {name}.")
            stop = start + term.columns
            effects[term.name] = arguments["mu"] + arguments["sigma"] * standard[:, start:stop]
            start = stop
        return effects

    def _arguments(
        self, parameter: str, prefix: str, term: GroupTerm, posterior: Mapping[str, FloatArray], row: int = 0
    ) -> tuple[str, dict[str, FloatArray]]:
        """Name of a term's prior, and its arguments by name, shaped to fit (samples, columns, levels)."""
        from nutslite.priors.densities.densities import DENSITIES
        from nutslite.priors.prior import Prior, resolve

        resolved = resolve(self.priors[parameter][term.name])
        arguments = {}
        for key, value in zip(DENSITIES[resolved.name].argument_names, resolved.arguments, strict=True):
            if isinstance(value, Prior):
                variable = f"{prefix}{term.name}_{key}"
                if variable not in posterior:
                    raise DataError(
                        f"The posterior has no variable '{variable}', which the effects of new groups need."
                    )
                draws = posterior[variable][:, row] if parameter in self.sizes else posterior[variable]
                arguments[key] = draws.reshape(draws.shape[0], -1, 1)
            else:
                arguments[key] = np.asarray(value, dtype=float).reshape(1, -1, 1)
        return resolved.name, arguments


def draw_new_levels(
    design: Design,
    posterior: Mapping[str, FloatArray],
    *,
    parent: str,
    allowed: bool,
    sampler: GroupSampler | None,
    rng: np.random.Generator,
) -> dict[str, dict[str, FloatArray]]:
    """Effects of all new levels of a design, by parameter and name of term; levels in sorted order.

    Rows of one new level share its effects, in every linear predictor.

    Raises
    ------
    DataError
        If there are new levels and `allowed` is False or there is no `sampler`.
    """
    effects: dict[str, dict[str, FloatArray]] = {}
    for factor in design.factors.values():
        new = sorted(set(factor.new_levels))
        if not new:
            continue
        if not allowed:
            raise DataError(_refusal(factor, new))
        if sampler is None:
            raise DataError(f"This model cannot draw effects of new levels of '{factor.name}'.")
        for parameter, predictor in design.predictors.items():
            terms = [term for term in predictor.group_terms if term.factor == factor.name]
            if terms:
                effects.setdefault(parameter, {}).update(sampler(rng, parameter, terms, posterior, len(new)))
    return effects


def _refusal(factor: GroupFactor, new: Sequence[str]) -> str:
    shown = ", ".join(f"'{level}'" for level in new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
    return (
        f"The new data have {'a level' if len(new) == 1 else 'levels'} of '{factor.name}' that the model was not "
        f"fitted to: {shown}. Use sample_new_groups=True to draw the effects of new groups from the distribution of "
        f"all groups, or include_group_specific=False to leave group effects out."
    )


def _blocks(terms: Sequence[GroupTerm]) -> list[list[GroupTerm]]:
    """Terms of one factor by their correlation mark, in order; unmarked ones are on their own."""
    blocks: dict[str, list[GroupTerm]] = {}
    for place, term in enumerate(terms):
        key = f"unmarked {place}" if term.correlated is None else f"marked {term.correlated}"
        blocks.setdefault(key, []).append(term)
    return list(blocks.values())


def _cholesky_factors(correlations: FloatArray, q: int) -> FloatArray:
    """Cholesky factors, shape (samples, q, q), of correlations given as lower triangles row by row."""
    flat = correlations.reshape(correlations.shape[0], -1)
    if flat.shape[1] != q * (q - 1) // 2:
        raise DataError(f"{flat.shape[1]} correlations do not belong to {q} correlated effects.")
    matrices = np.broadcast_to(np.eye(q), (flat.shape[0], q, q)).copy()
    rows, columns = np.tril_indices(q, -1)
    matrices[:, rows, columns] = flat
    matrices[:, columns, rows] = flat
    factors: FloatArray
    try:
        factors = np.asarray(np.linalg.cholesky(matrices), dtype=float)
    except np.linalg.LinAlgError:  # a correlation of 1 to machine precision
        factors = np.asarray(np.linalg.cholesky(matrices + 1e-10 * np.eye(q)), dtype=float)
    return factors
