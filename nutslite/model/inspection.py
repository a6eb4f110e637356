"""What a model says and shows of itself: text, names, its log density, its graph, its priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, NutsliteError, check_flags, random_generator, refuse_other, warn
from nutslite.formula.terms import Response
from nutslite.model.components import (
    ConditionalParameter,
    MarginalParameter,
    Parameter,
    ResponseComponent,
    list_parameters,
)
from nutslite.model.wiring import Wiring
from nutslite.posterior.points.compiled_model import Backend

if TYPE_CHECKING:
    from nutslite.results.pictures.description import Described

STYLES = ("modern", "classic")
NOT_BUILT = (
    "Model is not built yet! Call .build() or .fit() before .{method}(), so that the priors that it shows are those "
    "that a fit would use."
)


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
class Inspection(Wiring):
    """The part of `Model` that is looked at."""

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

    def __repr__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        """The description as a table, for notebooks."""
        from nutslite.results.pictures.description import describe_html

        return describe_html(self._described())

    def describe(self, style: str = "modern") -> str:
        """The model in words; ``style="classic"`` gives the layout of Bambi 0.6."""
        from nutslite.results.pictures.description import describe

        refuse_other("style", style, STYLES)
        return describe(self._described(), fitted=self._fitted, style="classic" if style == "classic" else "modern")

    def _described(self) -> Described:
        from nutslite.results.pictures.description import Described

        return Described(
            formulas=self.formula.get_all_formulas(),
            family=self.family,
            links=self.links,
            n_rows=self.design.n_rows,
            predictors=self.design.predictors,
            priors=self.priors,
            aliases=self._aliases,
            correlations=self.correlations,
        )

    # ------------------------------------------------------------------------------------------------------- names

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The family's parameters by name, with their terms and priors; the parent first."""
        names = tuple(parameter.name for parameter in self.family.parameters)
        return list_parameters(names, self.design, self.priors, self._aliases)

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
        return self.design.response

    @property
    def response_name(self) -> str:
        """Name of the response in the results."""
        return self.design.response.name

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
        from nutslite.results.aliases import check_aliases, choose_aliases

        prefixes = {name: self._prefix(name) for name in self.parameters}
        inventory = self._inventory
        known = tuple(dict.fromkeys([*inventory.dims, *self.parameters]))
        chosen = choose_aliases(aliases, names=known, derived=inventory.followers(), prefixes=prefixes)
        check_aliases({**self._aliases, **chosen}, inventory)
        self._aliases = {**self._aliases, **chosen}

    # ------------------------------------------------------------------------------------------- density and pictures

    @property
    def backend(self) -> Backend:
        """What the model runs on; ``backend.model`` has its log density, gradient and named variables."""
        if self._backend is None:
            self._backend = Backend(self._assembly)
        return self._backend

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

        self._need_build("graph")
        refuse_other("formatting", formatting, FORMATS)
        graph = draw_graph(self._assembly, formatting=formatting, aliases=self._aliases, figsize=figsize, dpi=dpi)
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
        from nutslite.posterior.points.prior_draws import draw_prior
        from nutslite.results.fit import named_prior
        from nutslite.results.pictures.prior_plots import Look, plot_priors

        self._need_build("plot_priors")
        if hdi_prob is not None and ci_prob is not None:
            raise ArgumentError("hdi_prob and ci_prob are the same: give one of them.")
        check_flags(omit_offsets=omit_offsets, omit_group_specific=omit_group_specific)
        look = Look(kind, figsize, hdi_prob if ci_prob is None else ci_prob, point_estimate, round_to, bins)
        values, effects = draw_prior(self._assembly, draws, random_generator(random_seed), flat="nan")
        arrays, dims = named_prior(self._assembly, values[None], effects[None], omit_offsets=omit_offsets)
        factors = {f"{factor}__factor_dim" for factor in self.design.factors} if omit_group_specific else set()
        return plot_priors(
            {name: array for name, array in arrays.items() if not factors.intersection(dims.get(name, ()))},
            dims=dims,
            coords=self._assembly.layout.coords,
            aliases=self._aliases,
            var_names=var_names,
            filter_vars=filter_vars,
            look=look,
        )

    def _need_build(self, method: str) -> None:
        if not self.built:
            raise ArgumentError(NOT_BUILT.format(method=method))


def _say_older(name: str, today: str) -> None:
    warn(f"Model.{name} is now called {today}.", FutureWarning)
