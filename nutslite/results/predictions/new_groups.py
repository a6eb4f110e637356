"""Effects of groups that a model has not seen: draws from the distribution of all groups, for every posterior draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.correlated import effect_groups

if TYPE_CHECKING:
    from nutslite.formula.correlated import EffectGroup, Member
    from nutslite.formula.design import Design
    from nutslite.formula.records import GroupFactor
    from nutslite.formula.terms.level_sds import LevelSds
    from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]
Known = tuple[FloatArray, FloatArray]
Explained = tuple["LevelSds", Sequence[str]]


class GroupSampler(Protocol):
    """Draws effects of new levels of a grouping factor, for terms that are drawn together."""

    def __call__(
        self,
        rng: np.random.Generator,
        group: EffectGroup,
        posterior: Mapping[str, FloatArray],
        n_new: int,
        known: Known | None = None,
        explained: Explained | None = None,
    ) -> dict[str, FloatArray]:
        """Effects by full name of their term, each of shape (samples, columns of the term, n_new).

        Parameters
        ----------
        rng : numpy.random.Generator
        group : EffectGroup
            Terms that are correlated with each other, where the posterior has their correlations.
        posterior : mapping of ndarray, shape (samples, ...)
            All draws by their full names.
        n_new : int
            Number of new levels.
        known : tuple of two ndarrays, optional
            Where levels have a known covariance, weights of the model's levels and a factor, as
            `KnownCovariance.of_others` returns them.
        explained : tuple of LevelSds and sequence of str, optional
            Where standard deviations are explained, by what, and the names of the new levels.
        """
        ...


class PopulationSampler:
    """The group sampler of models whose group effects have priors: draws from the prior given its hyperparameters.

    Parameters
    ----------
    priors : mapping
        ``priors[parameter][term]``: prior of each group-specific term; arguments that are priors themselves are read
        from the posterior (``1|g_sigma``), numbers are taken as they are.
    sizes : mapping of str to int, optional
        Of parameters that are vectors, how many linear predictors they have: the last axis of their effects.

    Notes
    -----
    Terms are correlated where the posterior has their correlations (`EffectGroup.name`), the lower triangle row by row.
    Then ``effects = mu + sigma * (L z)`` with ``L`` the Cholesky factor of the correlations and ``z`` standard normal.
    """

    def __init__(self, priors: Mapping[str, Mapping[str, Prior]], sizes: Mapping[str, int] | None = None) -> None:
        self.priors = priors
        self.sizes = dict(sizes or {})

    def __call__(
        self,
        rng: np.random.Generator,
        group: EffectGroup,
        posterior: Mapping[str, FloatArray],
        n_new: int,
        known: Known | None = None,
        explained: Explained | None = None,
    ) -> dict[str, FloatArray]:
        """Effects of new levels; see `GroupSampler`."""
        if known is not None:
            return {member.name: self._conditional(rng, member, posterior, *known) for member in group.members}
        if group.correlated and group.name in posterior:
            effects = self._correlated(rng, group.members, posterior, posterior[group.name], n_new)
        else:
            effects = {member.name: self._independent(rng, member, posterior, n_new) for member in group.members}
        if explained is None:
            return effects
        return {
            member.name: effects[member.name] * self._factors(member, posterior, *explained)[:, None, :]
            for member in group.members
        }

    def _factors(
        self, member: Member, posterior: Mapping[str, FloatArray], sds: LevelSds, names: Sequence[str]
    ) -> FloatArray:
        """What standard deviations of new levels are times that of the average one, shape (samples, levels)."""
        samples, factor = len(next(iter(posterior.values()))), member.term.factor
        gammas = []
        for quantity in sds.quantities:
            name = f"{factor}_{quantity.name}"
            prior: Any = self.priors[member.parameter][name]
            drawn = posterior.get(f"{member.prefix}{name}")
            own = np.reshape(prior, (1, -1)) if drawn is None else drawn.reshape(samples, -1)  # a number fixes it
            gammas.append(np.broadcast_to(own, (samples, quantity.size)))
        return sds.factors(np.concatenate(gammas, axis=1), names)

    def _independent(
        self, rng: np.random.Generator, member: Member, posterior: Mapping[str, FloatArray], n_new: int
    ) -> FloatArray:
        from nutslite.priors.densities.densities import DENSITIES

        shape = (len(next(iter(posterior.values()))), member.term.columns, n_new)
        draws = []
        for row in range(self.sizes.get(member.parameter, 1)):
            name, arguments = self._arguments(member, posterior, row)
            draws.append(DENSITIES[name].sample(rng, tuple(arguments.values()), shape))
        return np.stack(draws, axis=-1) if member.parameter in self.sizes else draws[0]

    def _conditional(
        self,
        rng: np.random.Generator,
        member: Member,
        posterior: Mapping[str, FloatArray],
        weights: FloatArray,
        factor: FloatArray,
    ) -> FloatArray:
        """Given the effects of the model's levels: weights @ effects + scale * (factor @ z)."""
        effects, columns, rows = posterior[member.name], member.term.columns, self.sizes.get(member.parameter, 1)
        effects = effects.reshape(len(effects), rows, columns, -1)
        draws = []
        for row in range(rows):
            _, arguments = self._arguments(member, posterior, row)
            z = rng.standard_normal((len(effects), columns, len(factor)))
            draws.append(effects[:, row] @ weights.T + arguments["sigma"] * (z @ factor.T))
        return np.stack(draws, axis=-1) if member.parameter in self.sizes else draws[0]

    def _correlated(
        self,
        rng: np.random.Generator,
        members: Sequence[Member],
        posterior: Mapping[str, FloatArray],
        correlations: FloatArray,
        n_new: int,
    ) -> dict[str, FloatArray]:
        cholesky = _cholesky_factors(correlations, sum(member.term.columns for member in members))
        samples, q = cholesky.shape[:2]
        standard = cholesky @ rng.standard_normal((samples, q, n_new))
        effects = {}
        start = 0
        for member in members:
            name, arguments = self._arguments(member, posterior)
            if name != "Normal":
                raise DataError(f"Correlated effects are Normal, but the prior of '{member.name}' is {name}.")
            stop = start + member.term.columns
            effects[member.name] = arguments["mu"] + arguments["sigma"] * standard[:, start:stop]
            start = stop
        return effects

    def _arguments(
        self, member: Member, posterior: Mapping[str, FloatArray], row: int = 0
    ) -> tuple[str, dict[str, FloatArray]]:
        """Name of a term's prior, and its arguments by name, shaped to fit (samples, columns, levels)."""
        from nutslite.priors.densities.densities import DENSITIES
        from nutslite.priors.prior import Prior, resolve

        resolved = resolve(self.priors[member.parameter][member.term.name])
        arguments = {}
        for key, value in zip(DENSITIES[resolved.name].argument_names, resolved.arguments, strict=True):
            if isinstance(value, Prior):
                variable = f"{member.name}_{key}"
                if variable not in posterior:
                    raise DataError(
                        f"The posterior has no variable '{variable}', which the effects of new groups need."
                    )
                draws = posterior[variable][:, row] if member.parameter in self.sizes else posterior[variable]
                arguments[key] = draws.reshape(draws.shape[0], -1, 1)
            else:
                arguments[key] = np.asarray(value, dtype=float).reshape(1, -1, 1)
        return resolved.name, arguments


def draw_new_levels(
    design: Design,
    posterior: Mapping[str, FloatArray],
    *,
    allowed: bool,
    sampler: GroupSampler | None,
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """Effects of all new levels of a design, by full name of their term; levels in sorted order.

    Rows of one new level share its effects, in every linear predictor.

    Raises
    ------
    DataError
        If there are new levels and `allowed` is False or there is no `sampler`.
    """
    effects: dict[str, FloatArray] = {}
    groups = effect_groups(design.predictors, design.factors)
    for factor in design.factors.values():
        new = sorted(set(factor.new_levels))
        if not new:
            continue
        if not allowed:
            raise DataError(_refusal(factor, new))
        if sampler is None:
            raise DataError(f"This model cannot draw effects of new levels of '{factor.name}'.")
        known = None if factor.covariance is None else factor.covariance.of_others(new, factor.name)
        sds = factor.sds
        for group in groups:
            if group.factor == factor.name:
                effects |= sampler(rng, group, posterior, len(new), known, None if sds is None else (sds, new))
    return effects


def _refusal(factor: GroupFactor, new: Sequence[str]) -> str:
    shown = ", ".join(f"'{level}'" for level in new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
    return (
        f"The new data have {'a level' if len(new) == 1 else 'levels'} of '{factor.name}' that the model was not "
        f"fitted to: {shown}. Use sample_new_groups=True to draw the effects of new groups from the distribution of "
        "all groups. include_group_specific=False leaves group effects out, in nutslite.interpret groups='typical'."
    )


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
