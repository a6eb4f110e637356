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
from nutslite.exceptions import DataError
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
from nutslite.model.record.chosen_priors import are_the_same, chosen_priors, matched_priors
from nutslite.model.record.concerns import check_empty_formulas, warn_of_columns_and_links, warn_of_concerns
from nutslite.model.record.separated import warn_where_separated
from nutslite.model.record.specification import ModelArguments, Posterior, Specification
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.potential import Potential, read_potentials
from nutslite.priors.checks import check_noncentered
from nutslite.priors.correlations import choose_correlations
from nutslite.priors.defaults import PriorSet
from nutslite.priors.intervals import middle_of
from nutslite.priors.user_priors import update_priors
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
    same_priors: bool = False,
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
    same_priors : bool
        Whether all priors are, too, none of which depends on rows.

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
        given = matched_priors(arguments, unused, design, family)
    if like is not None and same_priors:
        priors = like.spec.priors
    else:
        priors = chosen_priors(arguments, given, design, family, links)
    if like is not None and are_the_same(priors, like.spec.priors):
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
    matched = matched_priors(arguments, specification.unused_priors, spec.summary, spec.family)
    priors = chosen_priors(arguments, matched, spec.summary, spec.family, spec.links)
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
