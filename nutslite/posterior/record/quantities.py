"""All quantities and dimensions of a model, by the rules that name them.

A new kind of quantity has a line here, so that a clash with it is found before anything is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite.exceptions import DataError
from nutslite.formula.correlated import EffectGroup, correlated_effects
from nutslite.formula.records import BasisTerm, CommonTerm, GroupTerm, LinearPredictor
from nutslite.formula.terms.kinds import TermQuantity
from nutslite.formula.terms.level_sds import LEVEL_SDS
from nutslite.posterior.record.inventory import (
    OBSERVATIONS,
    ROW_LABELS,
    SAMPLE_DIMS,
    STATUS,
    UPPER_ENDS,
    Dimension,
    Inventory,
    Quantity,
    check_names,
    check_texts,
    check_unconstrained,
    two_things,
)
from nutslite.posterior.record.refusals import refuse_unserved
from nutslite.priors.hyperparameters import is_shared
from nutslite.priors.prior import Prior, resolve
from nutslite.priors.shrinkage import Shrinkage, shrinkage_kind, shrinkages_of

if TYPE_CHECKING:  # who only wants names need not load Numba
    from nutslite.posterior.record.model_spec import ModelSpec


def take_inventory(spec: ModelSpec) -> Inventory:
    """List what the results of a model hold.

    Raises
    ------
    DataError
        If two things would have one name, or a name or a level is a text that no file can hold.
    PriorError, FormulaError
        As `refuse_unserved`.
    """
    refuse_unserved(spec)
    taker = _Taker(spec)
    taker.run()
    check_texts(taker.quantities, taker.dimensions.values())
    check_names(taker.reserved, taker.dimensions.values(), taker.quantities)
    check_unconstrained(taker.quantities)
    return Inventory(tuple(taker.quantities), tuple(taker.dimensions.values()))


class _Taker:
    """One pass over the parameters of the family."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.quantities: list[Quantity] = []
        self.reserved = [
            Quantity(name, (), f"the dimension '{name}', which all results have")
            for name in (*SAMPLE_DIMS, OBSERVATIONS)
        ]
        self.reserved.append(Quantity(ROW_LABELS, (), "the row labels, which all results have"))
        if spec.design.response.censoring is not None:
            own = "what results say of a censored response"
            self.reserved += [Quantity(name, (), own) for name in (STATUS, UPPER_ENDS)]
        self.dimensions: dict[str, Dimension] = {}
        self.makers: dict[str, str] = {}  # by dimension along a vector, what it was first of
        self.along: tuple[str, ...] = ()  # the first dimension of everything in a vector's linear predictors

    def run(self) -> None:
        response = self.spec.design.response.name
        columns = self._vector(*(self.spec.family.response_dim or ("", ())), "the response")
        self._add(Quantity(response, (OBSERVATIONS, *columns), "the response", response, "response"))
        for parameter in self.spec.family.parameters:
            predictor = self.spec.design.predictors.get(parameter.name)
            own = f"the parameter '{parameter.name}' of the family"
            self.along = self._vector(parameter.dim, parameter.labels, own)
            if predictor is None:
                prior = self.spec.priors.constants[parameter.name]
                if isinstance(prior, Prior):
                    suffix = "_ordered__" if parameter.ordered and parameter.size > 1 else _suffix(prior)
                    self._add_with_prior(
                        Quantity(parameter.name, self.along, own, "", "constant", parameter.name, prior=prior), suffix
                    )
                else:  # a number: not in the results, but nothing else may be called so
                    self.reserved.append(Quantity(parameter.name, (), own))
            else:
                combined = self._vector(*self.spec.family.combined.get(parameter.name, ("", ())), own)
                self._add(Quantity(parameter.name, (OBSERVATIONS, *combined), own, "", "row parameter", parameter.name))
                self._predictor(predictor)

    def _vector(self, dim: str, labels: tuple[Any, ...], own: str) -> tuple[str, ...]:
        """The dimension along a vector, as dims; none where it is no vector."""
        own = self.makers.setdefault(dim, own)  # the response and parameters of a family may share one
        return (self._register(Dimension(dim, labels, f"the dimension of {own}", "")),) if dim else ()

    def _add(self, quantity: Quantity, suffix: str | None = None) -> None:
        """Add a quantity; where it is sampled with what its unconstrained number's name ends in."""
        unconstrained = "" if suffix is None else f"{quantity.name}{suffix}"
        self.quantities.append(replace(quantity, unconstrained=unconstrained))

    def _add_with_prior(self, quantity: Quantity, suffix: str, dims: tuple[str, ...] = ()) -> None:
        """Add a quantity, and the hyperparameters of its prior, which have `dims`."""
        self._add(quantity, suffix)
        self._hyperparameters(quantity, (*self.along, *dims))

    def _predictor(self, predictor: LinearPredictor) -> None:
        prefix = self.spec.family.prefix(predictor.parameter)
        within = f" in the formula of {predictor.parameter}" if prefix else ""
        priors = self.spec.priors.terms[predictor.parameter]
        parameter = predictor.parameter
        if predictor.intercept:
            prior, suffix = priors["Intercept"], "_centered" if predictor.terms else _suffix(priors["Intercept"])
            own = f"the intercept{within}"
            self._add_with_prior(
                Quantity(f"{prefix}Intercept", self.along, own, "", "intercept", parameter, "Intercept", prior=prior),
                suffix,
            )
        for term in predictor.terms:
            prior = priors[term.name]
            dims = (
                () if term.scalar else (self._dim(f"{prefix}{term.name}_dim", term, f"the columns of '{term.name}'"),)
            )
            own = f"the coefficients of the term '{term.name}'{within}"
            name, along = f"{prefix}{term.name}", (*self.along, *dims)
            if shrinkage_kind(prior) is not None:
                self._effects_of_one_level(
                    Quantity(name, along, own, term.name, "coefficients", parameter, term.name, prior=prior),
                    f"the standardised coefficients of the term '{term.name}'{within}",
                )
                continue
            quantity = Quantity(name, along, own, term.name, "coefficients", parameter, term.name, prior=prior)
            if not prior.hierarchical:
                self._add(quantity, _suffix(prior))
                continue
            if prior.has_bounds:
                self._add_with_prior(quantity, _suffix(prior), dims)
                continue
            self._add_with_prior(quantity, "_offset", dims)
            if self.spec.noncentered.get(name, True) and _draws_scale(prior):
                own = f"the standardised coefficients of the term '{term.name}'{within}"
                offset = replace(
                    quantity, name=f"{name}_offset", made_by=own, kind="standardised effects", prior=None, of=name
                )
                self._add(offset)
        for shrinkage in shrinkages_of(predictor, priors):
            self._shrinkage(shrinkage, parameter, prefix, within)
        for basis_term in predictor.basis_terms:
            self._basis_term(basis_term, parameter, within, priors)
        for group_term in predictor.group_terms:
            self._group_term(group_term, parameter, within, priors[group_term.name])
        for group in correlated_effects(self.spec.design.predictors, self.spec.correlations):
            if group.members[-1].parameter == parameter:
                self._correlations(group, within)

    def _effects_of_one_level(self, quantity: Quantity, own: str) -> None:
        """Add what is sampled as effects are, standardised; `own` says what the standardised ones are."""
        name = quantity.name
        self._add(quantity, "_offset")
        self._add(
            replace(quantity, name=f"{name}_offset", made_by=own, kind="standardised effects", prior=None, of=name)
        )

    def _shrinkage(self, shrinkage: Shrinkage, parameter: str, prefix: str, within: str) -> None:
        """The parameters that the coefficients of a formula share, and those of which each has one."""
        kind = shrinkage.kind
        name, what = f"{prefix}{kind.prefix}", f"the {kind.prefix}{within}"
        dim = Dimension(f"{name}_dim", shrinkage.labels, f"the coefficients of {what}", "")
        members = tuple(f"{prefix}{term.name}" for term in shrinkage.terms)
        for key, prior in shrinkage.priors.items():
            own = f"the {key.replace('_', ' ')} {'scales' if key == kind.each else 'parameter'} of {what}"
            dims = (self._register(dim),) if key == kind.each else ()
            shares = prior.density.support == "simplex"
            quantity = Quantity(
                f"{name}_{key}",
                dims,
                own,
                "",
                "simplex" if shares else "hyperparameter",
                parameter,
                kind.prefix,
                (key,),
                prior=prior,
                members=members,
            )
            self._add(quantity, "_simplex__" if shares else _suffix(prior))

    def _basis_term(self, term: BasisTerm, parameter: str, within: str, priors: Mapping[str, Any]) -> None:
        """Weights and hyperparameters of a term of a special kind; its coefficients are common terms."""
        if term.simplex is not None:
            self._simplex(term, term.simplex, parameter, within, priors)
        if term.weights is not None:
            self._weights(term, term.weights, parameter, within, priors)
        if term.standard is not None:
            self._standard(term, term.standard, parameter, within, priors)
        if term.kind is LEVEL_SDS:
            prefix, terms = self.spec.family.prefix(parameter), self.spec.design.predictors[parameter].group_terms
            effects = tuple(f"{prefix}{own.name}" for own in terms if own.factor == term.name)
            self._scales(term, "", parameter, within, priors, effects)

    def _weights(
        self, term: BasisTerm, weights: TermQuantity, parameter: str, within: str, priors: Mapping[str, Any]
    ) -> None:
        """The weights of a term, and the hyperparameters that their scales depend on."""
        prefix = self.spec.family.prefix(parameter)
        name = f"{prefix}{term.full(weights)}"
        drawn = self._scales(term, name, parameter, within, priors)
        own = f"the weights of the term '{term.name}'{within}"
        dims = self._axes(term, weights, prefix, within)
        key = (weights.name,)
        quantity = Quantity(name, (*self.along, *dims), own, term.name, "weights", parameter, term.name, key)
        self._add(quantity, "_offset")
        if self.spec.noncentered.get(name, True) and drawn:
            own = f"the standardised weights of the term '{term.name}'{within}"
            self._add(replace(quantity, name=f"{name}_offset", made_by=own, kind="standardised effects", of=name))

    def _standard(
        self, term: BasisTerm, normals: TermQuantity, parameter: str, within: str, priors: Mapping[str, Any]
    ) -> None:
        """The standard normals of a term, and the hyperparameters that its values depend on beside them."""
        prefix = self.spec.family.prefix(parameter)
        name = f"{prefix}{term.full(normals)}"
        self._scales(term, name, parameter, within, priors)
        own, dims = f"the standard normals of the term '{term.name}'{within}", self._axes(term, normals, prefix, within)
        key, prior = (normals.name,), priors[term.full(normals)]
        quantity = Quantity(name, (*self.along, *dims), own, term.name, "weights", parameter, term.name, key)
        self._add(replace(quantity, prior=prior), "")

    def _scales(
        self,
        term: BasisTerm,
        governs: str,
        parameter: str,
        within: str,
        priors: Mapping[str, Any],
        members: tuple[str, ...] = (),
    ) -> bool:
        """The hyperparameters of a term, which govern what is called so, or all `members`; whether one is drawn."""
        prefix = self.spec.family.prefix(parameter)
        drawn = False
        for item in term.hyperparameters:
            if item.role != "hyperparameter":
                continue
            prior = priors[term.full(item)]
            dims = self._axes(term, item, prefix, within)
            quantity = Quantity(
                f"{prefix}{term.full(item)}",
                (*self.along, *dims),
                f"the {item.name} of the term '{term.name}'{within}",
                term.name,
                "hyperparameter",
                parameter,
                term.name,
                (item.name,),
                governs=governs,
                prior=prior,
                members=members,
            )
            if isinstance(prior, Prior):
                drawn = True
                self._add_with_prior(quantity, _suffix(prior), dims)
            else:  # a number: not in the results, but nothing else may be called so
                self.reserved.append(replace(quantity, dims=(), kind="reserved"))
        return drawn

    def _axes(self, term: BasisTerm, item: TermQuantity, prefix: str, within: str) -> tuple[str, ...]:
        """The dimensions of one of a term's quantities, which may share some."""
        own = f"the dimension of the term '{term.name}'{within}"
        return tuple(
            self._register(Dimension(f"{prefix}{name}", labels, own, term.name)) for name, labels in term.axes_of(item)
        )

    def _simplex(
        self, term: BasisTerm, shares: TermQuantity, parameter: str, within: str, priors: Mapping[str, Any]
    ) -> None:
        """The shares that the weights of a term are made of, and of its coefficient."""
        name = f"{self.spec.family.prefix(parameter)}{term.full(shares)}"
        own = f"the {shares.name} of the term '{term.name}'{within}"
        labels = tuple(int(label) for label in shares.labels)
        dim = self._register(Dimension(f"{name}_dim", labels, f"the dimension of {own}", term.name))
        prior = priors[term.full(shares)]
        quantity = Quantity(name, (dim,), own, term.name, "simplex", parameter, term.name, (shares.name,), prior=prior)
        self._add(quantity, "_simplex__")

    def _group_term(self, term: GroupTerm, parameter: str, within: str, prior: Prior) -> None:
        prefix = self.spec.family.prefix(parameter)
        name = f"{prefix}{term.name}"
        columns = self._expression_dims(term, prefix)
        factor = f"{term.factor}__factor_dim"
        levels = self.spec.design.factors[term.factor].levels
        self.dimensions.setdefault(factor, Dimension(factor, levels, f"the levels of '{term.factor}'", term.factor))
        dims = (*self.along, *columns, factor)
        own = f"the effects of '{term.name}'{within}"
        effects = Quantity(name, dims, own, term.factor, "effects", parameter, term.name, prior=prior)
        self._add_with_prior(effects, "_offset", columns)
        if self.spec.noncentered.get(name, True) and _draws_scale(prior):
            own = f"the standardised effects of '{term.name}'{within}"
            self._add(
                replace(effects, name=f"{name}_offset", made_by=own, kind="standardised effects", prior=None, of=name)
            )

    def _hyperparameters(self, of: Quantity, dims: tuple[str, ...]) -> None:
        """The arguments of a quantity's prior that have priors of their own."""
        if not isinstance(of.prior, Prior):  # one distribution a column, without hyperpriors
            return
        for key, value in zip(of.prior.density.argument_names, resolve(of.prior).arguments, strict=True):
            if isinstance(value, Prior):
                own_dims = self.along if of.kind == "coefficients" and is_shared(value) else dims
                own = f"the {key} of the prior of '{of.name}'"
                density = of.prior.density
                scale = "" if density.scale is None else density.argument_names[density.scale]
                hyperparameter = replace(
                    of,
                    name=f"{of.name}_{key}",
                    dims=own_dims,
                    made_by=own,
                    kind="hyperparameter",
                    arguments=(*of.arguments, key),
                    governs=of.name,
                    of=of.of or of.name,
                    is_group_scale=of.kind == "effects" and key == scale,
                    prior=value,
                )
                self._add(hyperparameter, _suffix(value))
                self._hyperparameters(hyperparameter, own_dims)

    def _correlations(self, group: EffectGroup, within: str) -> None:
        labels, factor = group.labels, group.factor
        pairs = tuple(f"{labels[c]}, {labels[r]}" for r in range(len(labels)) for c in range(r))
        if len(group.parameters) > 1:
            within = f" in the formulas of {' and '.join(group.parameters)}"
        dim, own = f"{group.name}_dim", f"the correlations of the effects of '{factor}'{within}"
        self._register(Dimension(dim, pairs, f"the dimension of {own}", factor))
        members = tuple(member.name for member in group.members)
        parameter = group.parameters[0]
        self._add(Quantity(group.name, (dim,), own, factor, "correlations", parameter, members=members), "_cholesky__")

    def _expression_dims(self, term: GroupTerm, prefix: str) -> tuple[str, ...]:
        """The dimension of a group term's columns, if it has one.

        Terms of one formula share it where they have the same columns. ``(g|s) + (0 + g|u)`` have not: the second
        gets a dimension with its factor in its name.
        """
        if term.scalar:
            return ()
        name = f"{prefix}{term.expression}__expr_dim"
        known = self.dimensions.get(name)
        own = f"the columns of '{term.expression}' for groups"
        if known is not None and known.made_by == own:
            if known.labels == _labels(term):
                return (name,)
            name = f"{prefix}{term.name}__expr_dim"
        return (self._dim(name, term, own),)

    def _dim(self, name: str, term: CommonTerm | GroupTerm, made_by: str) -> str:
        column = term.expression if isinstance(term, GroupTerm) else term.name
        return self._register(Dimension(name, _labels(term), made_by, column))

    def _register(self, dimension: Dimension) -> str:
        known = self.dimensions.setdefault(dimension.name, dimension)
        if known != dimension:
            raise DataError(two_things(known, dimension))
        return dimension.name


def _labels(term: CommonTerm | GroupTerm) -> tuple[Any, ...]:
    """Labels of a term's columns: numbers for ``bs(x, df=4)``; the levels of a factor are texts, even "2001"."""
    numbered = term.kind == "numeric" and all(label.isdigit() for label in term.labels)
    return tuple(int(label) for label in term.labels) if numbered else term.labels


def _suffix(prior: Any) -> str:
    """PyMC's ending for the number that is sampled in place of one with this prior."""
    if not isinstance(prior, Prior):  # one distribution a column
        return _suffix(prior.priors[-1])
    resolved = resolve(prior)
    lower, upper = (float(np.ravel(end)[-1]) for end in (resolved.lower, resolved.upper))
    if lower == -math.inf:
        return "" if upper == math.inf else "_upperbound__"
    if upper == math.inf:
        return "_log__" if lower == 0.0 else "_lowerbound__"
    return "_logodds__" if (lower, upper) == (0.0, 1.0) else "_interval__"


def _draws_scale(prior: Prior) -> bool:
    """Whether a prior has a location and a scale, and the scale a prior of its own."""
    density = prior.density
    if density.location is None or density.scale is None:
        return False
    return isinstance(resolve(prior).arguments[density.scale], Prior)
