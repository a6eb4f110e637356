"""Which groups a question is about, and the rows of a model with the effects of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import ArgumentError, refuse_other
from nutslite.formula.design import Design
from nutslite.formula.rows import with_new_groups
from nutslite.model.record.specification import Specification
from nutslite.results.predictions.linear_predictor import NamedDraws
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.results.predictions.response_draws import PredictionTask

OBSERVED, TYPICAL, NEW, POPULATION = "observed", "typical", "new", "population"
GROUPS = (OBSERVED, TYPICAL, NEW, POPULATION)
DEFAULT_NEW = 100
SAID = {
    OBSERVED: "Group effects are those of each row's own groups.",
    TYPICAL: "Group effects are zero: these are of a typical group.",
    NEW: "Groups are taken for new ones: the intervals hold what differs between groups.",
}


@dataclass(frozen=True)
class Groups:
    """Whose effects rows have.

    Attributes
    ----------
    which : str
        ``"observed"``: of the groups in the rows; ``"typical"``: none, which is the middle of all groups; ``"new"``: of
        a group that nobody has seen, one for each draw; ``"population"``: averages over `integrate` such groups.
    integrate : int
        New groups that each draw is averaged over; 1 where it is not.
    sample : bool
        Whether observed groups may be new to the model.
    """

    which: str
    integrate: int = 1
    sample: bool = False

    @property
    def said(self) -> str:
        """One sentence for readers of a table."""
        if self.which == OBSERVED and self.sample:
            return f"{SAID[OBSERVED]} Those that the model has not seen have effects of a new group."
        if self.which != POPULATION:
            return SAID[self.which]
        return f"Every draw is averaged over {self.integrate} new groups: these are means of the population of groups."

    def design(self, specification: Specification, frame: pd.DataFrame) -> Design:
        """The model's terms on rows."""
        own = specification.spec.design
        if self.which == TYPICAL or not own.factors:
            return own.evaluate(frame, groups=False)
        found = own.evaluate(frame)
        return found if self.which == OBSERVED else with_new_groups(found)

    def rows(self, draws: NamedDraws, design: Design, task: PredictionTask, seed: int) -> Iterator[ParameterDraws]:
        """The parameters of rows at draws: once, or for each new group that is averaged over."""
        for child in np.random.SeedSequence(seed).spawn(self.integrate):
            yield ParameterDraws(
                draws,
                design,
                task,
                np.random.default_rng(child),
                include_group_specific=self.which != TYPICAL,
                sample_new_groups=self.sample or self.which in (NEW, POPULATION),
            )


def groups_of(specification: Specification, given: Any, integrate: Any, sample_new_groups: Any, named: bool) -> Groups:
    """The groups that arguments ask for.

    Parameters
    ----------
    specification : Specification
    given : str or None
        One of `GROUPS`; None for observed ones where rows have them, else typical ones.
    integrate : int or None
    sample_new_groups : bool or None
        Bambi's argument.
    named : bool
        Whether the rows say which groups they are of.

    Raises
    ------
    ArgumentError
        For arguments that contradict each other, and for new groups where a model has none.
    """
    if given is not None:
        refuse_other("groups", given, GROUPS)
    if integrate is not None:
        _check_integrate(given, integrate)
        given = POPULATION
    if not specification.spec.design.factors:
        if given in (NEW, POPULATION):
            raise ArgumentError(f"groups='{given}': the model has no group-specific terms.")
        return Groups(TYPICAL)
    if given is None:
        given = OBSERVED if named else TYPICAL
    if given == POPULATION:
        return Groups(POPULATION, DEFAULT_NEW if integrate is None else int(integrate))
    return Groups(given, sample=bool(sample_new_groups))


def _check_integrate(given: Any, integrate: Any) -> None:
    whole = isinstance(integrate, int | np.integer) and not isinstance(integrate, bool)
    if not whole or integrate < 1:
        raise ArgumentError(f"integrate is a number of new groups, 1 or more, not {integrate!r}.")
    if given not in (None, POPULATION):
        raise ArgumentError(f"integrate= averages over new groups (groups='population'), not groups='{given}'.")
