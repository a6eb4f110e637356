"""What a model is: one frozen record, made once of its arguments and its data, and read by all that a model does.

Whatever changes a model (`nutslite.model.record.specify`) makes a new record. So nothing that was worked out before can
be out of date: it belongs to the record that it was made of.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from nutslite.exceptions import DataError, DataTypeError, check_flags, shown
from nutslite.families.record.family import Family
from nutslite.families.record.register import own_links, own_quantile
from nutslite.formula.formula import Formula
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.assembly.refilled import refilled
from nutslite.posterior.points.compiled_model import Backend
from nutslite.posterior.points.model_density import ModelDensity, PositionLayout
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import Inventory
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.quantities import take_inventory
from nutslite.posterior.run.identity import column_digest, model_identity
from nutslite.priors.checks import check_automatic
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import Given, apart

if TYPE_CHECKING:
    from nutslite.results.pictures.description import Described


@dataclass(frozen=True, eq=False)
class ModelArguments:
    """What `Model` was given, but for the data; a file of the model holds it.

    The fields are the arguments of `Model`, in its order. `priors` has what replaced priors later, too. Dicts and lists
    are copies: what becomes of the user's changes no model.

    Raises
    ------
    ArgumentTypeError, PriorError
        For a flag that is none, and for settings of automatic priors that do not exist or contradict each other.
    """

    formula: str | Formula
    family: str | Family
    priors: Mapping[Any, Any]
    link: str | Mapping[str, str] | None
    categorical: str | Collection[str] | None
    dropna: bool
    auto_scale: bool
    noncentered: bool | Mapping[str, bool]
    center_predictors: bool
    extra_namespace: Mapping[str, Any] | None
    correlated: bool
    priors_cor: Mapping[str, float | Prior] | None
    unused_priors: str | None
    automatic_priors: str
    taylor: int | None
    potentials: Sequence[Any] | None
    quantile: float | Sequence[float] | None

    def __post_init__(self) -> None:
        check_flags(
            dropna=self.dropna,
            auto_scale=self.auto_scale,
            center_predictors=self.center_predictors,
            correlated=self.correlated,
        )
        values = {
            name: copy.copy(value) if type(value) in (dict, list, set) else value for name, value in vars(self).items()
        }
        values["taylor"] = check_automatic(self.automatic_priors, self.taylor, self.auto_scale)[1]
        values["link"] = own_links(self.family) if self.link is None else values["link"]
        values["quantile"] = own_quantile(self.family) if self.quantile is None else values["quantile"]
        values["priors"] = apart({} if self.priors is None else self.priors)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def among(cls, variables: Mapping[str, Any]) -> Self:
        """The record of the variables that are called as its fields."""
        return cls(**{argument.name: variables[argument.name] for argument in fields(cls)})


@dataclass(frozen=True, eq=False)
class Posterior:
    """What determines a posterior, and what is made of it when it is first needed.

    Attributes
    ----------
    spec : ModelSpec
    like : Posterior or None
        One of the same formula and priors: it has the names of that, and its numbers where rows do not matter.
    """

    spec: ModelSpec
    like: Posterior | None = None

    @cached_property
    def inventory(self) -> Inventory:
        """All names that results can hold."""
        return take_inventory(self.spec) if self.like is None else self.like.inventory

    @cached_property
    def assembled(self) -> Assembled:
        """Numbers and names of the packed vector."""
        found = None if self.like is None else refilled(self.spec, self.like.assembled)
        return assemble(self.spec, self.inventory) if found is None else found

    @property
    def is_assembled(self) -> bool:
        """Whether the numbers have been made, be it that they were let go."""
        return self.holds_numbers or "let_go" in vars(self)

    @property
    def holds_numbers(self) -> bool:
        """Whether the numbers are in memory."""
        return "assembled" in vars(self)

    def let_go_of_numbers(self) -> None:
        """Let whoever has them be the only one; they are made again when they are needed."""
        del vars(self)["assembled"]
        vars(self)["let_go"] = True

    @cached_property
    def backend(self) -> Backend:
        """The log density as users evaluate it."""
        return Backend(self.assembled)

    @cached_property
    def density(self) -> ModelDensity:
        """The log density of a plain vector."""
        return ModelDensity(self.assembled)

    @cached_property
    def positions(self) -> PositionLayout:
        """What the numbers of that vector are."""
        return PositionLayout(self.assembled, self.density.points)


@dataclass(frozen=True, eq=False)
class Specification:
    """All that a model is.

    Attributes
    ----------
    arguments : ModelArguments
    formula : Formula
    data : DataFrame
        As given, with all rows and columns.
    used : DataFrame
        The columns that the formula uses, all rows: what a file of the model holds.
    unused_priors : str
        What to do about priors of what is not in the model.
    posterior : Posterior
        The part of it that determines the draws.
    aliases : mapping of str to str
        By full name of a variable, what results call it.
    given : Given or None
        The user's priors as they were matched with terms; None where that is not kept.
    """

    arguments: ModelArguments
    formula: Formula
    data: pd.DataFrame
    used: pd.DataFrame
    unused_priors: str
    posterior: Posterior
    aliases: Mapping[str, str] = field(default_factory=dict)
    given: Given | None = None

    @property
    def spec(self) -> ModelSpec:
        """What determines the posterior: design, family, links, priors and the like."""
        return self.posterior.spec

    def need_rows(self, what: str, instead: str = "Fit the model to rows that fit into memory for that") -> None:
        """Refuse `what` where the rows are on an engine.

        Raises
        ------
        DataError
        """
        if (elsewhere := self.spec.elsewhere) is not None:
            raise DataError(
                f"{what} needs the model's rows in memory, and these are {elsewhere.source.title} of "
                f"{elsewhere.n_rows:,} rows. {instead}."
            )

    def identity(self) -> dict[str, Any]:
        """What determines the posterior, as digests by the names that users know.

        Raises
        ------
        DataError
            Where the rows are on an engine, whose digests nobody has.
        """
        self.need_rows(
            "A file that knows the model again (checkpoint=, file=, save)", "Save the results by nutslite.save"
        )
        columns = {str(name): column_digest(self.used[name]) for name in self.spec.design.used_columns}
        return model_identity(str(self.formula), self.spec, self.arguments.priors, columns)

    def described(self) -> Described:
        """What there is to say of the model in words."""
        from nutslite.results.pictures.description import Described

        return Described(self.formula.get_all_formulas(), self.spec, self.aliases)

    def notes(self) -> dict[str, str]:
        """What results say of the model that they are of."""
        from nutslite.results.container.origin import notes_of

        links = {name: self.spec.links[name] for name in self.spec.design.predictors}
        return notes_of(self.formula.get_all_formulas(), self.spec.family.name, links, self.spec.family.quantile)


def specification_of(model: Any) -> Specification:
    """What a `Model` is made of, for those who look inside.

    Raises
    ------
    DataTypeError
        For what is no model.
    DataError
        For a model whose rows are on an engine.
    """
    specification = getattr(model, "_specification", None)
    if not isinstance(specification, Specification):
        hint = " Its models[0] is one, which goes with its joined results." if hasattr(model, "joined") else ""
        raise DataTypeError(f"The first argument is a Model, not {shown(model)}.{hint}")
    specification.need_rows("What looks into a model")
    return specification
