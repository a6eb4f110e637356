"""The part of `Model` that is looked at: text, names, its log density, its graph, its priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, check_flags, refuse_other, warn
from nutslite.formula.records import Response
from nutslite.model.fits.after_fit import with_predictions
from nutslite.model.fits.before_fit import plot_priors
from nutslite.model.record.components import (
    ConditionalParameter,
    MarginalParameter,
    Parameter,
    ResponseComponent,
    list_parameters,
)
from nutslite.model.record.specification import Specification
from nutslite.posterior.points.compiled_model import Backend

if TYPE_CHECKING:
    import pandas as pd

STYLES = ("modern", "classic")
NOT_BUILT = (
    "Model is not built yet! Call .build() or .fit() before .{method}(), so that the priors that it shows are those "
    "that a fit would use."
)


@public
class Shown:
    """What `Model` says and shows of itself; the texts and pictures are made in the room of results."""

    _specification: Specification
    _fitted: bool

    def __repr__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        """The description as a table, for notebooks."""
        from nutslite.results.pictures.description import describe_html

        return describe_html(self._specification.described())

    def describe(self, style: str = "modern") -> str:
        """The model in words; ``style="classic"`` gives the layout of Bambi 0.6."""
        from nutslite.results.pictures.description import describe

        refuse_other("style", style, STYLES)
        described = self._specification.described()
        return describe(described, fitted=self._fitted, style="classic" if style == "classic" else "modern")

    def prior_table(self) -> pd.DataFrame:
        """All priors, those given and the automatic ones.

        Returns
        -------
        pandas.DataFrame
            One row for each ``term`` of a ``parameter``, or for one that has no formula; the ``kind`` of either; the
            ``prior``, or the number that it is fixed to; its ``source``, ``"given"`` or ``"automatic"``. Correlations
            of effects come last.
        """
        from nutslite.model.record.prior_table import prior_table

        return prior_table(self._specification)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The family's parameters by name, with their terms and priors; the parent first."""
        return list_parameters(self._specification.spec, self._specification.aliases)

    @property
    def conditional_parameters(self) -> dict[str, ConditionalParameter]:
        """Those that have a formula, so that they vary with the predictors; the parent first."""
        return {name: item for name, item in self.parameters.items() if isinstance(item, ConditionalParameter)}

    @property
    def marginal_parameters(self) -> dict[str, MarginalParameter]:
        """Those that are one number for all rows."""
        return {name: item for name, item in self.parameters.items() if isinstance(item, MarginalParameter)}

    @property
    def components(self) -> dict[str, Parameter]:
        """Older name of `parameters`."""
        _say_older("components", "parameters")
        return self.parameters

    @property
    def distributional_components(self) -> dict[str, ConditionalParameter]:
        """Older name of `conditional_parameters`."""
        _say_older("distributional_components", "conditional_parameters")
        return self.conditional_parameters

    @property
    def constant_components(self) -> dict[str, MarginalParameter]:
        """Older name of `marginal_parameters`."""
        _say_older("constant_components", "marginal_parameters")
        return self.marginal_parameters

    @property
    def response_component(self) -> ResponseComponent:
        """Older place of `response_term`."""
        _say_older("response_component", "response_term")
        return ResponseComponent(self.response_term)

    @property
    def response_term(self) -> Response:
        """The left-hand side of the formula, its name and values."""
        return self._specification.spec.design.response

    @property
    def response_name(self) -> str:
        """Name of the response in the results."""
        return self._specification.spec.design.response.name

    @property
    def backend(self) -> Backend:
        """What the model runs on; ``backend.model`` has its log density, gradient and named variables."""
        self._specification.need_rows("The log density by names")
        return self._specification.posterior.backend

    def graph(
        self, formatting: str = "plain", name: str | None = None, figsize: Any = None, dpi: int = 300, fmt: str = "png"
    ) -> Any:
        """The model as a graph of variables.

        Parameters
        ----------
        formatting : {"plain", "plain_with_params"}
            Whether variables show the name of their distribution, or its arguments too.
        name : str, optional
            A file to write; `fmt` is added where it has no ending. That needs the program Graphviz; the source
            (``fmt="gv"`` or ``"dot"``) does not.
        figsize : (float, float), optional
            Width and height in inches.
        dpi : int
            Of a picture made of pixels.
        fmt : str
            ``"png"``, ``"svg"``, ``"pdf"``, ...

        Returns
        -------
        Graph
            A text in Graphviz's language; notebooks show it as a picture where Graphviz is installed.
        """
        from nutslite.results.pictures.graph import FORMATS, draw_graph

        _need_build(self._specification, "graph")
        refuse_other("formatting", formatting, FORMATS)
        assembled, aliases = self._specification.posterior.assembled, self._specification.aliases
        graph = draw_graph(assembled, formatting=formatting, aliases=aliases, figsize=figsize, dpi=dpi)
        if name is not None:
            graph.save(name, fmt)
        return graph

    def plot_priors(
        self,
        draws: int = 5000,
        var_names: Any = None,
        *,
        filter_vars: str | None = None,
        kind: str = "kde",
        figsize: Any = None,
        omit_offsets: bool = True,
        omit_group_specific: bool = True,
        random_seed: Any = None,
        hdi_prob: float | None = None,
        ci_prob: float | None = None,
        point_estimate: str | None = "mean",
        round_to: int | None = None,
        bins: int | None = None,
    ) -> Any:
        """Draw from the priors and show their densities; flat ones are left out with a message.

        Parameters
        ----------
        draws : int
        var_names : str or list of str, optional
            Variables to show; a name that begins with ``~`` is left out instead.
        filter_vars : {None, "like", "regex"}
            Whether `var_names` has whole names, parts of names, or regular expressions.
        kind : {"kde", "hist"}
            A smooth density or a histogram (of `bins`).
        figsize : (float, float), optional
            Inches.
        omit_offsets, omit_group_specific : bool
            Whether to leave out standardised group effects (``1|g_offset``), and group effects.
        random_seed : int, optional
        hdi_prob, ci_prob : float
            Probability of the highest-density interval below each density, 0.94 by default; two names for one thing.
        point_estimate : {"mean", "median", None}
        round_to : int, optional
            Digits of the numbers in the picture, by default 2.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NutsliteError
            Before the model is built, without matplotlib (``pip install nutslite[plots]``), or where there is
            nothing to show.
        """
        from nutslite.results.pictures.prior_plots import Look

        _need_build(self._specification, "plot_priors")
        if hdi_prob is not None and ci_prob is not None:
            raise ArgumentError("hdi_prob and ci_prob are the same: give one of them.")
        check_flags(omit_offsets=omit_offsets, omit_group_specific=omit_group_specific)
        return plot_priors(
            self._specification,
            draws,
            var_names=var_names,
            filter_vars=filter_vars,
            look=Look(kind, figsize, hdi_prob if ci_prob is None else ci_prob, point_estimate, round_to, bins),
            omit_offsets=omit_offsets,
            omit_group_specific=omit_group_specific,
            random_seed=random_seed,
        )

    def pp_check(
        self, idata: Any, kind: str = "ecdf", *, draws: int | None = None, random_seed: Any = None, **options: Any
    ) -> Any:
        """Draw responses that the model would have made beside those that there are, with ArviZ.

        Predictions and log likelihoods that `idata` lacks are made, and not put into it.

        Parameters
        ----------
        idata : InferenceData or DataTree
            What `fit` returned.
        kind : str
            ``"ecdf"``, ``"kde"``, ``"pit"``, ``"tstat"`` and ``"loo_pit"`` with any ArviZ; with ArviZ 1.0 or later
            ``"hist"``, ``"coverage"``, ``"rootogram"``, ``"interval"``, ``"pava"`` and ``"censored"`` too; with 0.x
            ``"scatter"``, ``"p_value"`` and ``"separation"``. ArviZ's names (``"cumulative"``, ``"u_value"``, ...)
            mean the same.
        draws : int, optional
            How many posterior draws to predict from, all by default; predictions in `idata` are then made anew.
        random_seed : int, optional
            Of the predictions; given, they are made anew.
        **options
            For ArviZ's function: ``num_samples=100``, ``t_stat="max"``, ....

        Returns
        -------
        PlotCollection or Axes
            What ArviZ's function returns.

        Raises
        ------
        ArgumentError
            Where the ArviZ that is installed has no such picture.
        """
        from nutslite.results.pictures.pp_check import draw_check, find_check

        check = find_check(kind)
        complete = with_predictions(self._specification, idata, check.groups, draws, random_seed)
        return draw_check(check, complete, self.response_name, options)


def _need_build(specification: Specification, method: str) -> None:
    if not specification.posterior.is_assembled:
        raise ArgumentError(NOT_BUILT.format(method=method))


def _say_older(name: str, today: str) -> None:
    warn(f"Model.{name} is now called {today}.", FutureWarning)
