"""What is wrong with a fit, in plain words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.chance_limits import BUDGET, MAX_R_HAT, MIN_ESS_PER_CHAIN
from nutslite.results.diagnostics.labels import element_labels
from nutslite.results.diagnostics.measured import Measured, higher_target_accept, measured

MIN_E_BFMI = 0.3  # Betancourt (2016)
MODEST_DRAWS = 2000  # a run of this length is no trouble, however much shorter this one was
_SHOWN = 3
_NOTHING = 1e-10  # of a response's range: rounding, not a residual


def sampling_report(
    draws: Mapping[str, NDArray[Any]],
    stats: Mapping[str, NDArray[Any]],
    *,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
    group_scales: Mapping[str, str] | None = None,
    max_treedepth: int = 10,
    target_accept: float = 0.8,
    went_on: bool = False,
) -> list[str]:
    """Messages about a fit; empty when nothing is wrong. The caller decides whether to print or to warn.

    Parameters
    ----------
    draws : dict of ndarray, shape (chains, draws, ...)
        Parameters by name; leave out what is computed for every observation.
    stats : dict of ndarray, shape (chains, draws)
        ``diverging``, ``energy``, and ``tree_depth`` or ``reached_max_treedepth``; what is absent is not judged.
    dims, coords : mappings, optional
        As for `nutslite.results.container.inference_data.to_dataset`, to name single elements.
    group_scales : mapping, optional
        By variable that is the sd of a group-specific term, the term.
    max_treedepth, target_accept : number
        Settings of the fit, for advice in numbers.
    went_on : bool
        Whether it has gone on to the end of its budget already (``until="converged"``).

    Returns
    -------
    list of str
        The gravest first.
    """
    messages = [
        *_divergences(stats, target_accept),
        *_parameters(
            draws,
            dims,
            coords,
            group_scales or {},
            diverged=bool(np.any(stats.get("diverging", False))),
            went_on=went_on,
        ),
        *_energy(stats),
        *_tree_depth(stats, max_treedepth),
    ]
    return messages


def vanished(sigma: NDArray[Any] | None, spread: float) -> list[str]:
    """Whether the sd of residuals ran off to zero, where nothing else that a report says means anything.

    Parameters
    ----------
    sigma : ndarray, shape (chains, draws, ...), or None
    spread : float
        Range of the response, on the scale of `sigma`.
    """
    if sigma is None or not np.isfinite(spread) or not np.min(sigma) < _NOTHING * spread:
        return []
    low = float(np.quantile(sigma, 0.05))
    if not low < _NOTHING * spread:
        return []
    return [
        f"sigma nears 0 (as low as {low:.2g}, where responses differ by {spread:.2g}): the terms, or the effects of "
        "groups, give the responses exactly, and the data do not keep sigma from 0. Do not use these draws; neither "
        "longer runs nor a higher target_accept help. Remove the term that gives the responses, use a factor with "
        "several different rows per level, or give sigma a known value or a prior that keeps it from 0."
    ]


def _divergences(stats: Mapping[str, NDArray[Any]], target_accept: float) -> list[str]:
    if "diverging" not in stats:
        return []
    diverging = np.atleast_2d(np.asarray(stats["diverging"], dtype=bool))
    count = int(diverging.sum())
    if count == 0:
        return []
    where = ""
    by_chain = diverging.sum(axis=1)
    if diverging.shape[0] > 1 and by_chain.max() > 0.8 * count:
        where = f", {by_chain.max()} of them in chain {by_chain.argmax()}"
    higher = higher_target_accept(target_accept)
    advice = "Give scale parameters tighter priors or simplify the model."
    if higher is not None:
        advice = (
            f"Raise target_accept (now {target_accept:g}, try {higher:g}); if divergences remain, give scale "
            "parameters tighter priors or simplify the model."
        )
    return [
        f"{count} of {diverging.size} transitions after warm-up diverged ({_percent(count, diverging.size)}{where}). "
        f"The draws may miss a region of the posterior. {advice}"
    ]


def _parameters(
    draws: Mapping[str, NDArray[Any]],
    dims: Mapping[str, Sequence[str]] | None,
    coords: Mapping[str, Sequence[Any]] | None,
    group_scales: Mapping[str, str],
    *,
    diverged: bool,
    went_on: bool,
) -> list[str]:
    """Messages about R-hat and effective sizes, and about fits that are too short to judge."""
    if not draws:
        return []
    labels: list[str] = []
    terms: dict[str, str] = {}  # by label of an sd, the term
    for name, values in draws.items():
        own = element_labels(name, np.shape(values)[2:], dims, coords)
        labels += own
        terms |= dict.fromkeys(own, group_scales.get(name, ""))
    found = measured(draws)
    if found.draws < diagnostics.MIN_DRAWS:
        return [f"{found.draws} draw(s) per chain are too few to judge convergence: use draws=1000."]
    messages = _not_finite(found.finite, labels)
    if not found.varying.any():
        return messages
    labels = [labels[int(i)] for i in np.flatnonzero(found.varying)]
    if found.chains == 1:
        messages.append("There is one chain only, so that disagreement between chains cannot be seen: use chains=4.")
    messages += _r_hat(found, labels, diverged, went_on)
    return messages + _effective_size(found, labels, terms, diverged, went_on)


def _not_finite(finite: NDArray[np.bool_], labels: Sequence[str]) -> list[str]:
    bad = np.flatnonzero(~finite)
    if bad.size == 0:
        return []
    names = _listed([labels[i] for i in bad.tolist()])
    return [
        f"{names} {_has(bad.size)} draws that are infinite or not a number. Check the data and priors of the model."
    ]


def _r_hat(found: Measured, labels: Sequence[str], diverged: bool, went_on: bool) -> list[str]:
    values, highest = found.r_hat, found.highest
    bad = np.flatnonzero(values > highest)
    if bad.size == 0:
        return []
    order = bad[np.argsort(-values[bad], kind="stable")]
    worst = _listed(
        [f"{labels[i]} ({values[i]:.2f})" if values[i] >= 1.015 else f"{labels[i]} ({values[i]:.3f})" for i in order]
    )
    wanted = found.draws_for_r_hat if _hardly_mixes(found) else found.draws_wanted
    advice = f"Run longer before trusting these parameters: about {_longer(wanted, found, went_on)}"
    if values[order[0]] > 1.1:
        advice = "Do not use these draws"
    elif diverged:
        advice = "Do not trust these parameters while transitions diverge; running longer will hardly help"
    limit = f"{MAX_R_HAT}"
    if (least := highest[bad].min()) > MAX_R_HAT:
        limit = f"{least:.3f}, which chance alone would hardly exceed,"
    return [
        f"The chains disagree: R-hat is above {limit} for {bad.size} of {len(labels)} parameters, worst {worst}. "
        f"{advice}. If longer runs do not help, look at az.plot_trace: chains that sit in different places mean that "
        f"the data leave a parameter open (collinear terms, vague priors) or that there is more than one mode."
    ]


def _hardly_mixes(found: Measured) -> bool:
    """Whether more draws alone would hardly make the effective sizes that are wanted."""
    return _round(found.draws_for_size) > max(20 * found.draws, MODEST_DRAWS)


def _round(draws: float) -> int:
    return int(np.ceil(draws / 500) * 500)


def _longer(wanted: float, found: Measured, went_on: bool) -> str:
    """What a fit of about so many draws takes: ``draws=3000, or fit(until="converged")``."""
    draws = _round(wanted)
    if went_on:
        return f"draws={draws}, or a larger budget"
    times = int(np.ceil(draws / found.draws))
    budget = f", budget={times}" if times > BUDGET else ""
    return f'draws={draws}, or fit(until="converged"{budget})'


def _effective_size(
    found: Measured, labels: Sequence[str], terms: Mapping[str, str], diverged: bool, went_on: bool
) -> list[str]:
    size, lowest = found.size, found.lowest
    needed = MIN_ESS_PER_CHAIN * found.chains
    bad = np.flatnonzero(size < lowest)
    if bad.size == 0:
        return []
    order = bad[np.argsort(size[bad], kind="stable")]
    worst = _listed([f"{labels[i]} ({size[i]:.0f})" for i in order])
    advice = f"It would take about {_longer(found.draws_wanted, found, went_on)}"
    if diverged:
        advice = "More draws alone will hardly do while transitions diverge"
    elif _hardly_mixes(found):
        advice = "More draws alone will hardly do: rescale predictors or give vague parameters tighter priors"
    slowest = labels[order[0]]
    advice += _about_scale(slowest, terms[slowest])
    limit = f"{needed} ({MIN_ESS_PER_CHAIN} per chain)"
    if (most := lowest[bad].max()) < needed:
        limit = f"{most:.0f}, which chance alone would hardly go below,"
    return [
        f"The effective sample size is below {limit} for {bad.size} of {len(labels)} "
        f"parameters, worst {worst}. Their means, intervals and R-hat are unreliable. {advice}."
    ]


def _about_scale(worst: str, term: str) -> str:
    """What helps where the slowest parameter is the sd of a group-specific term, if it is."""
    if not term:
        return ""
    return (
        f". If {worst} stays the slowest, the data hardly tell '{term}' from other terms, as where one factor is "
        f"nested in another: compare with the model without '{term}'"
    )


def _energy(stats: Mapping[str, NDArray[Any]]) -> list[str]:
    if "energy" not in stats:
        return []
    fraction = diagnostics.e_bfmi(stats["energy"])
    bad = np.flatnonzero(fraction < MIN_E_BFMI)
    if bad.size == 0:
        return []
    chains = ", ".join(f"chain {i}: {fraction[i]:.2f}" for i in bad)
    return [
        f"E-BFMI is below {MIN_E_BFMI} ({chains}): the sampler moves slowly between the centre and the tails of the "
        f"posterior, often because of heavy tails or a scale near 0. Give scale parameters tighter priors or tune "
        f"longer."
    ]


def _tree_depth(stats: Mapping[str, NDArray[Any]], max_treedepth: int) -> list[str]:
    if "reached_max_treedepth" in stats:
        reached = np.asarray(stats["reached_max_treedepth"], dtype=bool)
    elif "tree_depth" in stats:
        reached = np.asarray(stats["tree_depth"]) >= max_treedepth
    else:
        return []
    count = int(reached.sum())
    if count == 0:
        return []
    return [
        f"{count} of {reached.size} transitions ({_percent(count, reached.size)}) reached the maximum tree depth of "
        f"{max_treedepth}. The draws are right but cost more than they should. Put predictors on similar scales or "
        f"tune longer; if that does not help, raise max_treedepth to {max_treedepth + 2}."
    ]


def _listed(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return f"{share:.0f} %" if share >= 1 else f"{share:.2g} %"
