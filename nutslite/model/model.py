"""`Model`: formula, data, family and priors come in; draws with names come out."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nutslite._calls import public
from nutslite.exceptions import DataError, NutsliteError
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.formula.formula import Formula
from nutslite.formula.updating import updated
from nutslite.model.drawn import Drawn
from nutslite.model.embedded import Embedded
from nutslite.model.evaluated import Evaluated
from nutslite.model.record.specification import ModelArguments
from nutslite.model.record.specify import specify, with_aliases, with_priors
from nutslite.model.saving import read_file, save_model, warn_of_differences
from nutslite.model.shown import Shown
from nutslite.posterior.record.potential import Potential
from nutslite.priors.defaults import PriorSet
from nutslite.priors.prior import Prior

SETTERS = {
    "priors": " set_priors replaces priors.",
    "prior": " set_priors replaces priors.",
    "aliases": " set_alias gives other names.",
    "alias": " set_alias gives other names.",
}
"""What to call instead of an assignment."""


class ReadOnlyError(NutsliteError, AttributeError):
    """An assignment to an attribute of a model."""


@public
class Model(Drawn, Evaluated, Embedded, Shown):
    """A Bayesian generalized linear mixed model.

    Parameters
    ----------
    formula : str or Formula
        ``"y ~ x + (x|g)"``; a `Formula` may model further parameters: ``Formula("y ~ x", "sigma ~ z")``.
    data : DataFrame, polars or pyarrow table, dict of arrays, or path of a CSV or Parquet file
        One row per observation. Or data on an engine, which are read in passes: the path of a folder of Parquet files
        or a list of such files, a pyarrow Dataset, a DuckDB relation, a Dask DataFrame (docs/data_on_engines.md).
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
    quantile : float, optional
        The level of the quantile that the formula models, between 0 and 1, in the families ``"asymmetriclaplace"`` and
        ``"elf"``. `adjust_intervals` then makes intervals of the draws cover.

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
        quantile: float | Sequence[float] | None = None,
    ) -> None:
        self._specification = specify(ModelArguments.among(locals()), data)
        self._fitted = False

    if not TYPE_CHECKING:  # otherwise type checkers would let any name pass

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property failed over something inside: that error, not this name
                return object.__getattribute__(self, name)
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

        def __setattr__(self, name: str, value: Any) -> None:
            if not name.startswith("_") and "_fitted" in self.__dict__:  # so it has been made
                raise ReadOnlyError(
                    f"model.{name} = ... would not change what is fitted: a model keeps what it was made of."
                    f"{SETTERS.get(name, ' Make a new Model.')}"
                )
            object.__setattr__(self, name, value)

    @property
    def formula(self) -> Formula:
        """The formula, with those of further parameters."""
        return self._specification.formula

    @property
    def data(self) -> Any:
        """The data as given, with all rows and columns; as an object of their engine, where they are on one."""
        elsewhere = self._specification.spec.elsewhere
        return self._specification.data if elsewhere is None else elsewhere.data

    @property
    def family(self) -> Family:
        """The family."""
        return self._specification.spec.family

    @property
    def links(self) -> Mapping[str, str]:
        """Names of links by parameter."""
        return self._specification.spec.links

    @property
    def design(self) -> Design:
        """The data as the numbers that the formula makes of them."""
        return self._specification.spec.design

    @property
    def priors(self) -> PriorSet:
        """All priors, those given and the automatic ones."""
        return self._specification.spec.priors

    @property
    def correlations(self) -> Mapping[str, float]:
        """Shape of the LKJ prior by grouping factor, where its effects are correlated."""
        return self._specification.spec.correlations

    @property
    def potentials(self) -> tuple[Potential, ...]:
        """Terms added to the log density."""
        return self._specification.spec.potentials

    @property
    def quantile(self) -> float | tuple[float, ...] | None:
        """The level of the quantile that is modelled, if it is one; increasing levels of several."""
        return self._specification.spec.family.quantile

    @property
    def center_predictors(self) -> bool:
        """Whether the prior of an intercept is about centred predictors."""
        return self._specification.spec.center_predictors

    @property
    def automatic_priors(self) -> str:
        """Where priors that are not given come from."""
        return self._specification.arguments.automatic_priors

    @property
    def taylor(self) -> int | None:
        """Order of the expansion behind ``automatic_priors="mle"``."""
        return self._specification.arguments.taylor

    @property
    def auto_scale(self) -> bool:
        """Whether default priors are scaled; flat ones otherwise."""
        return self._specification.arguments.auto_scale

    @property
    def noncentered(self) -> bool | Mapping[str, bool]:
        """Whether group effects start non-centred, for all or by parameter."""
        return self._specification.arguments.noncentered

    @property
    def unused_priors(self) -> str:
        """What is done about names in `priors` that are not in the model."""
        return self._specification.unused_priors

    def set_priors(
        self,
        priors: Mapping[Any, Any] | None = None,
        common: Prior | float | str | None = None,
        group_specific: Prior | float | str | None = None,
    ) -> None:
        """Replace priors, those named here only. Needs a new `fit` to take effect.

        Parameters
        ----------
        priors : dict, optional
            As ``priors`` of the model.
        common, group_specific : Prior, number or str, optional
            For all common terms (without the intercept), and for all group-specific ones, that have no prior of their
            own by name.

        Raises
        ------
        PriorError
            The model is then unchanged.
        """
        generic = {"common": common, "group_specific": group_specific}
        self._specification = with_priors(self._specification, priors, **generic)

    def set_alias(self, aliases: Mapping[str, str | Mapping[str, str]]) -> None:
        """Give variables other names, which descriptions, results, tables and pictures then use.

        Parameters
        ----------
        aliases : dict
            By name of a term, parameter, hyperparameter or of the response, its alias. There may be one such dict per
            parameter, for its terms and itself: ``{"mu": {"x": "slope"}, "sigma": {"x": "spread", "sigma": "sd"}}``.
            Hyperparameters follow the alias of their term (``1|g`` as ``group`` makes ``group_sigma``), dimensions
            keep their names. Names that were given before and are not here keep their alias.

        Raises
        ------
        DataError
            If an alias is no text, or two variables would be called the same.

        Warns
        -----
        NutsliteWarning
            About names that are not in the model.

        Examples
        --------
        >>> import nutslite as nl
        >>> model = nl.Model("Reaction ~ Days + (1|Subject)", nl.load_data("sleepstudy"))
        >>> model.set_alias({"Days": "slope", "1|Subject": "person"})
        >>> print("slope ~" in str(model))
        True
        """
        self._specification = with_aliases(self._specification, aliases)

    def update(self, formula: str | Formula | None = None, data: Any = None, **changes: Any) -> Self:
        """Another model, made as this one with some of its arguments changed; this one stays as it is.

        Parameters
        ----------
        formula : str or Formula, optional
            A dot stands for what is there now: ``"~ . + x"``, ``"log(.) ~ ."``, ``"~ . - z"``. Formulas of further
            parameters stay unless there is a new one for them.
        data : DataFrame or the like, optional
        **changes
            Other arguments of `Model`: ``family=``, ``priors=``, ... Priors that are not given anew stay.

        Returns
        -------
        Model

        Raises
        ------
        NutsliteError
            As for `Model`.

        Examples
        --------
        >>> import nutslite as nl
        >>> model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
        >>> model.update("~ . + (1|Subject)").formula.main
        'Reaction ~ Days + (1|Subject)'
        """
        own = self._specification
        arguments = {**vars(own.arguments), **changes}
        arguments["formula"] = own.formula if formula is None else updated(own.formula, formula)
        model = type(self)(data=self.data if data is None else data, **arguments)
        known = {
            name: alias for name, alias in own.aliases.items() if name in model._specification.posterior.inventory.dims
        }
        if known:
            model.set_alias(known)
        return model

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one file: formula, the used columns of the data, family, links, priors, all arguments.

        Draws are not in it: ``nutslite.save`` writes results. Functions of your own (in ``extra_namespace``,
        ``potentials``, a family or a link) cannot be written; a line says so, and `load` asks for them.

        Parameters
        ----------
        path : path-like
            A file there is replaced once the new one is complete.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        DataError
            If no file can be made there, or a column holds values that cannot be stored.

        Examples
        --------
        >>> import nutslite as nl
        >>> model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
        >>> path = model.save("sleep.model")  # doctest: +SKIP
        >>> same = nl.Model.load("sleep.model")  # doctest: +SKIP
        """
        return save_model(path, self._specification, fitted=self._fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **again: Any) -> Self:
        """Read a model that `save` wrote.

        Parameters
        ----------
        path : path-like
        **again
            What the file could not hold: ``extra_namespace``, ``family``, ``link``, ``potentials``, as for `Model`.

        Raises
        ------
        DataError
            If there is no such file, it is no model, damaged, or of a newer version; if something that it lacks is not
            passed, or something that it has.
        NutsliteError
            As for `Model`.
        """
        stored = read_file(path, again)
        try:
            model = cls(data=stored.data, **stored.arguments)
        except Exception as error:  # the file's fields have the right types; what they say must make a model
            raise DataError(f"What '{path}' holds makes no model: {error}") from error
        model._specification = replace(model._specification, aliases=stored.state["aliases"])
        model._fitted = stored.state["fitted"]
        warn_of_differences(path, stored.identity, model._specification)
        return model
