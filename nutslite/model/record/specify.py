"""A model's arguments and data become its specification, and that becomes one with other priors or names.

Everything that can be wrong with a model is found here, before anything is sampled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from nutslite._config import config
from nutslite._log import log
from nutslite.engines.elsewhere import Elsewhere
from nutslite.engines.sources.recognised import source_of
from nutslite.exceptions import DataError, PriorError
from nutslite.families.record.censoring import check_response
from nutslite.families.record.family import Family
from nutslite.families.record.link_kernels import with_own_links
from nutslite.families.record.register import at_quantile, described, get_family
from nutslite.families.record.variants import for_response, plain
from nutslite.formula.columns.data import as_frame
from nutslite.formula.correlated import refuse_known_covariances
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula, as_formula
from nutslite.formula.terms.kinds import Interval
from nutslite.model.record.concerns import check_empty_formulas, warn_of_columns_and_links, warn_of_concerns
from nutslite.model.record.separated import warn_where_separated
from nutslite.model.record.specification import ModelArguments, Posterior, Specification
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.potential import Potential, read_potentials
from nutslite.priors.checks import Vector, check_noncentered, check_shift, refuse_fixed
from nutslite.priors.choosing import choose_priors
from nutslite.priors.correlations import choose_correlations
from nutslite.priors.defaults import QUANTILE, PriorSet, least_end
from nutslite.priors.intervals import middle_of
from nutslite.priors.mle import MLEPriors
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import Given, match_priors, update_priors
from nutslite.results.aliases import check_aliases, choose_aliases


def specify(arguments: ModelArguments, data: Any) -> Specification:
    """What arguments and data make together.

    Raises
    ------
    NutsliteError
        As for `Model`.

    Warns
    -----
    NutsliteWarning
        As for `Model`.
    """
    read = ArgumentsRead.of(arguments)
    frame, rows, elsewhere = _rows_of(data, read.formula, read.family, read.links, arguments)
    used = _used_data(frame, rows.used_columns, arguments.categorical)
    return specified(read, frame, used, rows, elsewhere)


@dataclass(frozen=True, eq=False)
class ArgumentsRead:
    """What is known of a model before its data are looked at.

    Attributes
    ----------
    arguments : ModelArguments
    formula : Formula
    family : Family
        With a kernel that knows its links.
    links : dict
    unused : str
        What to do about priors of what is not in the model.
    potentials : tuple of Potential
    """

    arguments: ModelArguments
    formula: Formula
    family: Family
    links: dict[str, str]
    unused: str
    potentials: tuple[Potential, ...]

    @classmethod
    def of(cls, arguments: ModelArguments) -> ArgumentsRead:
        """Read a model's arguments."""
        formula = as_formula(arguments.formula)
        family, links = _family_and_links(arguments)
        potentials = read_potentials(arguments.potentials)
        unused = config["UNUSED_PRIORS"] if arguments.unused_priors is None else arguments.unused_priors
        return cls(arguments, formula, family, links, unused, potentials)


def specified(
    read: ArgumentsRead,
    frame: pd.DataFrame,
    used: pd.DataFrame,
    rows: Design,
    elsewhere: Elsewhere | None = None,
    like: Specification | None = None,
) -> Specification:
    """What arguments that were read and a design make together.

    Parameters
    ----------
    read : ArgumentsRead
    frame, used : DataFrame
        All data, and the columns that the model uses.
    rows : Design
    elsewhere : Elsewhere, optional
        Where the rows are, if not in memory.
    like : Specification, optional
        A model of the same arguments whose design has the same terms: names, and priors as they were matched with
        terms, are taken from it.

    Raises
    ------
    NutsliteError
        As for `Model`.
    """
    arguments, unused, links = read.arguments, read.unused, read.links
    design = rows if elsewhere is None else elsewhere.summary
    family = for_response(read.family, design.response)
    check_response(family, design.response)
    family = family.bound(design.response, design.predictors)
    links = {item.name: links.get(item.name, item.default_link) for item in family.parameters}
    check_empty_formulas(design, family, links)
    noncentered = check_noncentered(arguments.noncentered, design.predictors)
    if noncentered != arguments.noncentered:
        arguments = replace(arguments, noncentered=noncentered)
    correlations = choose_correlations(design.factors, arguments.correlated, arguments.priors_cor, design.group_terms)
    refuse_known_covariances(design.predictors, design.factors, correlations)
    given = None if like is None else like.given
    if given is None:
        given = _match_priors(arguments, unused, design, family)
    priors = _choose_priors(arguments, given, design, family, links)
    if like is not None and _are_the_same(priors, like.spec.priors):
        priors = like.spec.priors
    design = _settled(design, priors)
    spec = ModelSpec(
        design=design if elsewhere is None else rows,
        family=family,
        links=links,
        priors=priors,
        center_predictors=arguments.center_predictors,
        correlations=correlations,
        noncentered=_starts_noncentered(arguments, design, family, priors),
        potentials=read.potentials,
        elsewhere=elsewhere,
    )
    same = like is not None and priors is like.spec.priors
    posterior = _named(Posterior(spec, like.posterior if same and like is not None else None))
    chosen = get_family(arguments.family).chosen_links(arguments.link)
    if elsewhere is None:
        warn_of_concerns(design, family, links, chosen, priors)
    else:
        kept = warn_of_columns_and_links(design, family, links, chosen, None if elsewhere.streams else rows)
        check_streamed(posterior)
        if elsewhere.streams:
            warn_where_separated(elsewhere, frame, family, kept)
    return Specification(arguments, read.formula, frame, used, unused, posterior, given=given)


def _rows_of(
    data: Any, formula: Formula, family: Family, links: Mapping[str, str], arguments: ModelArguments
) -> tuple[pd.DataFrame, Design, Elsewhere | None]:
    """The data as a frame and as a design; where they are on an engine, what stands for them, and where they are."""
    source = source_of(data)
    if source is not None:
        from nutslite.model.record.survey import survey  # most data are in memory

        return survey(source, data, formula, family, links, arguments)
    frame = as_frame(data)
    design = build_design(
        formula,
        frame,
        parameters=tuple(parameter.name for parameter in (*family.parameters, *family.optional)),
        without_intercept=family.without_intercept,
        categorical=arguments.categorical,
        dropna=arguments.dropna,
        extra_namespace=arguments.extra_namespace,
    )
    return frame, design, None


def with_priors(specification: Specification, given: Mapping[Any, Any] | None, **generic: Any) -> Specification:
    """The model with the priors that `given` names replaced, and generic ones that are not None.

    Raises
    ------
    PriorError
    DataError
        If a name of the results would then be another one's alias.
    """
    named = {key: prior for key, prior in generic.items() if prior is not None}
    all_given = update_priors(update_priors(specification.arguments.priors, named), given)
    arguments, spec = replace(specification.arguments, priors=all_given), specification.spec
    matched = _match_priors(arguments, specification.unused_priors, spec.summary, spec.family)
    priors = _choose_priors(arguments, matched, spec.summary, spec.family, spec.links)
    noncentered = _starts_noncentered(arguments, spec.design, spec.family, priors)
    design = _settled(spec.design, priors)
    posterior = Posterior(replace(spec, design=design, priors=priors, noncentered=noncentered))
    check_streamed(posterior)
    check_aliases(specification.aliases, posterior.inventory)
    return replace(specification, arguments=arguments, posterior=posterior, given=matched)


def with_aliases(specification: Specification, given: Mapping[str, str | Mapping[str, str]]) -> Specification:
    """The model with other names for what `given` names.

    Raises
    ------
    DataError
        If an alias is no text, or two variables would be called the same.
    """
    family, inventory = specification.spec.family, specification.posterior.inventory
    prefixes = {parameter.name: family.prefix(parameter.name) for parameter in family.parameters}
    known = tuple(dict.fromkeys([*inventory.dims, *prefixes]))
    chosen = choose_aliases(given, names=known, derived=inventory.followers(), prefixes=prefixes)
    aliases = {**specification.aliases, **chosen}
    check_aliases(aliases, inventory)
    return replace(specification, aliases=aliases)


def check_streamed(posterior: Posterior) -> None:
    """Refuse a model whose densities would read data on an engine, and that passes over them cannot serve.

    Raises
    ------
    DataError
    """
    elsewhere = posterior.spec.elsewhere
    if elsewhere is not None and elsewhere.streams:
        from nutslite.posterior.targets.streamed_target import why_not_streamed

        if (reason := why_not_streamed(posterior.assembled)) is not None:
            raise DataError(
                f"This model cannot be fitted to {elsewhere.source.title}: {reason}. Round the predictors so that rows "
                "repeat, or fit it to a part of the rows that fits into memory."
            )


def _family_and_links(arguments: ModelArguments) -> tuple[Family, dict[str, str]]:
    """The family, with a kernel that knows its links, and the link of every parameter by name."""
    family = plain(get_family(arguments.family))
    if arguments.quantile is not None or family.composite:
        family = at_quantile(family, arguments.quantile)
    links = family.choose_links(arguments.link)
    return described(with_own_links(family, links), links), links


def _named(posterior: Posterior) -> Posterior:
    """The same, once it is known that each name is of one thing, and that potentials are functions of these."""
    _ = posterior.inventory
    if posterior.spec.potentials:
        from nutslite.posterior.targets.potential_target import check_potentials

        check_potentials(posterior.assembled)
    return posterior


def _used_data(frame: pd.DataFrame, used: Collection[str], categorical: Any) -> pd.DataFrame:
    """A copy of the columns that a model uses, those that `categorical` names included, whose names are checked."""
    from nutslite.results.storage.columns_file import keepable

    named = {categorical} if isinstance(categorical, str) else set(categorical or ())
    return keepable(frame[[name for name in frame.columns if name in used or name in named]])


def _are_the_same(priors: PriorSet, others: PriorSet) -> bool:
    """Whether all priors are the same objects: none was scaled by data."""
    own, theirs = ({**of.terms, "": of.constants} for of in (priors, others))
    return own.keys() == theirs.keys() and all(
        named.keys() == theirs[key].keys() and all(prior is theirs[key][name] for name, prior in named.items())
        for key, named in own.items()
    )


def _match_priors(arguments: ModelArguments, unused: str, design: Design, family: Family) -> Given:
    """The user's priors laid over those of the family, by parameter and term."""
    _check_mle(arguments, design, family)
    refuse_fixed(family.fixed, family.quantile, design.predictors, arguments.priors)
    own = {name: prior for name, prior in family.own_priors.items() if name not in design.predictors}
    known = [item.name for item in family.auxiliary if item.name not in family.fixed]
    return match_priors(
        update_priors(own, arguments.priors),
        design.predictors,
        parent=family.parent.name,
        constants=[name for name in known if name not in design.predictors],
        unused=unused,  # type: ignore[arg-type]  # checked there, with a message
        vectors=_vectors(family),
        levels=_levels(family, design),
    )


def _vectors(family: Family) -> dict[str, Vector]:
    return {item.name: Vector(item.size, item.ordered) for item in family.auxiliary if item.dim}


def _levels(family: Family, design: Design) -> dict[str, tuple[Any, ...]]:
    return {item.name: item.labels for item in family.parameters if item.dim and item.name in design.predictors}


def _check_mle(arguments: ModelArguments, design: Design, family: Family) -> None:
    """Refuse priors from the likelihood where it has no curvature that is known."""
    if arguments.automatic_priors == "mle" and family.bind is not None:
        raise PriorError(
            f"automatic_priors='mle' is for one linear predictor and a mean, which family '{family.name}' does not "
            "have. Leave it out."
        )
    if arguments.automatic_priors == "mle" and (family.smooth or family.at_quantile) is not None:
        raise PriorError(
            f"automatic_priors='mle' needs the curvature of a likelihood, which family '{family.name}' has not. Leave "
            "it out."
        )
    if arguments.automatic_priors == "mle" and design.response.censoring is not None:
        raise PriorError("automatic_priors='mle' does not know censored responses. Leave it out.")
    if arguments.automatic_priors == "mle" and family.unbound is not None:
        raise PriorError(
            f"automatic_priors='mle' does not know what the response '{design.response.name}' comes with "
            f"({', '.join(design.response.companions)}). Leave it out."
        )


def _choose_priors(
    arguments: ModelArguments, given: Given, design: Design, family: Family, links: Mapping[str, str]
) -> PriorSet:
    """The user's priors over automatic ones."""
    mle = MLEPriors(design, family, links, arguments.taylor) if arguments.automatic_priors == "mle" else None
    chosen = choose_priors(
        None,
        design.predictors,
        design.response,
        family=family.kind if family.quantile is None else QUANTILE,
        link=links[family.parent.name],
        parent=family.parent.name,
        auxiliary={item.name: item.default_prior for item in family.auxiliary if item.name not in family.fixed},
        auto_scale=arguments.auto_scale,
        mle=mle,
        automatic=_automatic(family, design, arguments.auto_scale),
        spreads={parameter.name: parameter.spread for parameter in family.auxiliary if parameter.spread},
        vectors=_vectors(family),
        levels=_levels(family, design),
        given=given,
    )
    for item in family.auxiliary:
        if item.below_responses and item.name in chosen.constants:
            check_shift(item.name, chosen.constants[item.name], least_end(design.response), design.response.name)
    return replace(chosen, constants={**chosen.constants, **family.fixed})


def _automatic(family: Family, design: Design, auto_scale: bool) -> dict[str, Prior]:
    """Of parameters without a formula, automatic priors other than those that the family has for any data."""
    found = {}
    for item in family.auxiliary:
        if item.below_responses:
            found[item.name] = Prior("Uniform", lower=0.0, upper=least_end(design.response))
        elif auto_scale and item.scaled_prior is not None:
            found[item.name] = Prior(item.scaled_prior[0], **item.scaled_prior[1])
    return found


def _settled(design: Design, priors: PriorSet) -> Design:
    """The design once its terms know the priors that they go by, and a line for each that left something open."""
    full = {
        (name, term.name, quantity.name): term.full(quantity)
        for name, predictor in design.predictors.items()
        for term in predictor.basis_terms
        for quantity in term.hyperparameters
    }

    def interval(parameter: str, term: str) -> Interval:
        def of_prior(quantity: str, share: float) -> tuple[Any, Any] | None:
            name = full[parameter, term, quantity]
            chosen = name in priors.chosen.get(parameter, ())
            return middle_of(priors.terms[parameter][name], share) if chosen else None

        return of_prior

    design, sentences = design.settled(interval)
    for sentence in sentences:
        log.info("%s", sentence)
    return design


def _starts_noncentered(arguments: ModelArguments, design: Design, family: Family, priors: PriorSet) -> dict[str, bool]:
    """Whether effects of each group term, and weights, start non-centred: as their prior says, or else the model."""
    general = arguments.noncentered
    out = {}
    for name, predictor in design.predictors.items():
        own = general if isinstance(general, bool) else general.get(name, True)
        shrunk = [term.name for term in predictor.terms if priors.terms[name][term.name].hierarchical]
        for term in [*(term.name for term in predictor.group_terms), *shrunk]:
            said = priors.terms[name][term].noncentered
            out[f"{family.prefix(name)}{term}"] = own if said is None else bool(said)
        for basis in predictor.basis_terms:
            if basis.weights is not None:
                out[f"{family.prefix(name)}{basis.full(basis.weights)}"] = own
    return out
