"""`Model`: formula, data, family and priors come in; draws with names come out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from nutslite._calls import public
from nutslite._config import config
from nutslite.exceptions import check_flags
from nutslite.families.record.family import Family
from nutslite.families.record.link_kernels import with_own_links
from nutslite.families.record.register import described, get_family, own_links
from nutslite.formula.columns.data import as_frame
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula, as_formula
from nutslite.model.concerns import check_empty_formulas, warn_of_concerns
from nutslite.model.fitting import Fitting
from nutslite.model.saving import given_arguments, used_data
from nutslite.posterior.record.inventory import take_inventory
from nutslite.posterior.record.potential import read_potentials
from nutslite.priors.checks import check_automatic, check_noncentered
from nutslite.priors.correlations import choose_correlations
from nutslite.priors.prior import Prior


@public
class Model(Fitting):
    """A Bayesian generalized linear mixed model.

    Parameters
    ----------
    formula : str or Formula
        ``"y ~ x + (x|g)"``; a `Formula` may model further parameters: ``Formula("y ~ x", "sigma ~ z")``.
    data : DataFrame, polars or pyarrow table, dict of arrays, or path of a CSV or Parquet file
        One row per observation.
    family : str or Family
        ``"gaussian"``, ``"bernoulli"``, ``"poisson"``, ... or a Family of your own.
    priors : dict, optional
        By name of term (``"x"``, ``"1|g"``, ``"Intercept"``), of a coefficient (``"g[b]"``), tuple of names,
        ``"common"``, ``"group_specific"``, or parameter (``"sigma"``). What is not named gets a weakly informative
        default; a number or name (``"narrow"``, ``"medium"``, ``"wide"``, ``"superwide"``) says how wide that is.
    link : str, Link or dict, optional
        Link of the parent parameter, or links by parameter; a `Link` may be of functions of your own.
    categorical : str or collection of str, optional
        Columns to treat as categorical although they hold numbers.
    dropna : bool
        Leave incomplete rows out (with a message) instead of raising.
    auto_scale : bool
        False: flat priors instead of scaled defaults.
    noncentered : bool or dict
        Where group effects start: non-centred (True) or centred; by parameter in a dict (``{"sigma": False}``, True
        where left out). A `Prior` may say otherwise for its term. With a pilot each level's centring is chosen.
    center_predictors : bool
        Whether the prior of an intercept is about centred predictors, as in Bambi. The reported one is not centred.
    extra_namespace : dict, optional
        Functions and values that the formula may use beside the known ones.
    correlated : bool
        Whether effects of one term ``(x|g)`` are correlated, with an LKJ(1) prior. Default as in Bambi: independent.
    priors_cor : dict, optional
        By grouping factor, the shape of an LKJ prior of its correlations (a number or ``Prior("LKJ", eta=2)``).
    unused_priors : {"warn", "error", "ignore"}, optional
        What to do about names in `priors` that are not in the model; by default what ``nutslite.config`` says under
        ``"UNUSED_PRIORS"``, which is to warn.
    automatic_priors : {"default", "mle"}
        Where priors that are not given come from: the usual rules, or the likelihood of the common effects.
    taylor : int, optional
        Order of the expansion behind ``automatic_priors="mle"``, 1 to 13: by default 5 for the gaussian family and 1
        for others. The highest orders make priors that are much too wide.
    potentials : list of (name or tuple of names, function), optional
        Terms to add to the log density: functions of variables by their names in the results, on their natural scale
        (``("sigma", lambda sigma: -10 * sigma)``), that return a number, or an array that is summed. Derivatives are
        derived. A compiled or compilable function of numbers is fast, any other is called in Python each time.

    Raises
    ------
    NutsliteError
        (FormulaError, DataError, FamilyError, PriorError) naming what is wrong, before any sampling.

    Warns
    -----
    NutsliteWarning
        Where the data leave something to the priors alone: columns that others span or that are 0, predictors that
        separate two outcomes perfectly, responses all alike, a grouping factor with one level or one for every row;
        texts that read as numbers; names in `priors` that are not in the model; default links whose means leave their
        range.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
    >>> model.family.name
    'gaussian'
    """

    def __init__(
        self,
        formula: str | Formula,
        data: Any,
        family: str | Family = "gaussian",
        priors: Mapping[Any, Any] | None = None,
        link: str | Mapping[str, str] | None = None,
        categorical: str | Collection[str] | None = None,
        dropna: bool = False,
        auto_scale: bool = True,
        noncentered: bool | Mapping[str, bool] = True,
        center_predictors: bool = True,
        extra_namespace: Mapping[str, Any] | None = None,
        correlated: bool = False,
        priors_cor: Mapping[str, float | Prior] | None = None,
        unused_priors: str | None = None,
        automatic_priors: str = "default",
        taylor: int | None = None,
        potentials: Sequence[tuple[str | tuple[str, ...], Callable[..., Any]]] | None = None,
    ) -> None:
        link = own_links(family) if link is None else link
        self._arguments = given_arguments(locals())
        check_flags(dropna=dropna, auto_scale=auto_scale, center_predictors=center_predictors, correlated=correlated)
        self.formula = as_formula(formula)
        self.family = get_family(family)
        self.links = self.family.choose_links(link)
        chosen = self.family.chosen_links(link)
        self.family = described(with_own_links(self.family, self.links), self.links)
        self.automatic_priors, self.taylor = check_automatic(automatic_priors, taylor, auto_scale)
        self.auto_scale = auto_scale
        self.center_predictors = center_predictors
        self.potentials = read_potentials(potentials)
        self.unused_priors = config["UNUSED_PRIORS"] if unused_priors is None else unused_priors
        parameters = tuple(parameter.name for parameter in self.family.parameters)
        self.data = as_frame(data)
        self.design = build_design(
            self.formula,
            self.data,
            parameters=parameters,
            intercept=self.family.intercept,
            categorical=categorical,
            dropna=dropna,
            extra_namespace=extra_namespace,
        )
        self._data = used_data(self.data, self.design.used_columns, categorical)
        self.family.check_response(self.design.response)
        self.family = self.family.bound(self.design.response)
        check_empty_formulas(self.design, self.family, self.links)
        self.noncentered = check_noncentered(noncentered, self.design.predictors)
        self.correlations = choose_correlations(self.design.factors, correlated, priors_cor, self.design.group_terms)
        self._given_priors = priors or {}
        self.priors = self._choose_priors(self._given_priors)
        self._inventory = take_inventory(self._spec(self.priors))
        self._assembled = None
        self._backend = None
        self._aliases = {}
        self._fitted = False
        if self.potentials:  # whether they fit shows only with all names
            from nutslite.posterior.targets.potential_target import check_potentials

            check_potentials(self._assembly)
        warn_of_concerns(self.design, self.family, self.links, chosen, self.priors)
