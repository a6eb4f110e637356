"""Draws of the response given distributional parameters, and the record of what a prediction is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._draws import HIGHEST_COUNT
from nutslite.exceptions import DataError, FamilyError, warn
from nutslite.families.user.built_in import family_names
from nutslite.results.predictions.held import Held, HeldArray, Hold
from nutslite.results.predictions.new_groups import GroupSampler

if TYPE_CHECKING:
    from nutslite.families.record.family import Family

FloatArray = NDArray[np.float64]

NUMBERS_AT_ONCE = 1 << 17
_STAND_INS = {"real": 0.0, "positive": 1.0, "unit": 0.5, "simplex": 0.5}


@dataclass(frozen=True)
class PredictionTask:
    """What a prediction is made from, besides the rows.

    Attributes
    ----------
    family : Family
    links : mapping
        Link name of every parameter.
    constants : mapping
        Parameters that are fixed numbers (of a vector an array) in the model and therefore not in the posterior.
    group_sampler : GroupSampler or None
        Draws effects of new groups; `nutslite.results.predictions.new_groups.PopulationSampler`.
    aliases : mapping
        By variable, the name under which results store it.
    coords : mapping
        By dimension of the model's variables, the labels along it.
    """

    family: Family
    links: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    group_sampler: GroupSampler | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    coords: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def link(self, parameter: str) -> str:
        """Name of a parameter's link."""
        return self.links.get(parameter, self.family.parameter(parameter).default_link)


class ResponseDraws:
    """Collects draws of the response chunk by chunk; nan where a parameter lies outside its support.

    Ends of the support that a link can reach (a mean that overflows or underflows) belong to it: draws there are made
    in the limit, and no other draw is lost.
    """

    def __init__(
        self,
        task: PredictionTask,
        companions: Mapping[str, FloatArray],
        rng: np.random.Generator,
        samples: int,
        rows: int,
        of_prior: bool = False,
        hold: Hold = HeldArray,
        name: str = "",
    ) -> None:
        self.task = task
        self.companions = companions
        self.rng = rng
        self.shape = (samples, rows)
        self.hold, self.name = hold, name
        self.held: Held | None = None
        self.outside: dict[str, int] = {}
        self.capped, self.infinite = 0, 0
        self._why = (
            "The priors are wide for this link."
            if of_prior
            else "These rows are far from the data that the model was fitted to, or the data leave coefficients open."
        )
        self._knows_limits = task.family.kind in family_names()

    def add(self, parameters: Mapping[str, FloatArray], start: int, stop: int) -> None:
        """Draw for the samples from `start` to `stop`; parameters have shape (chunk, rows) or (chunk, 1)."""
        safe, invalid = self._supported(parameters, (stop - start, self.shape[1]))
        try:
            drawn = as_outcomes(self.task.family, self.task.family.random(self.rng, safe, self.companions))
        except FamilyError:  # a family that cannot draw says so in words of its own
            raise
        except ValueError as error:
            ranges = ", ".join(f"{name} from {v.min():.3g} to {v.max():.3g}" for name, v in safe.items())
            raise DataError(
                f"Cannot draw responses of the family '{self.task.family.name}' for {ranges}: {error}"
            ) from error
        if drawn.dtype.kind in "iu":
            self.capped += int(np.count_nonzero(drawn == HIGHEST_COUNT))
        elif drawn.dtype.kind == "f":
            self.infinite += int(np.count_nonzero(np.isinf(drawn)))
        if invalid is not None:
            drawn = np.where(invalid if drawn.ndim == 2 else invalid[..., None], np.nan, drawn)
        if self.held is None:
            self.held = self.hold(
                self.name, (*self.shape, *drawn.shape[2:]), drawn.dtype, self.task.family.response_dim
            )
        elif drawn.dtype.kind == "f" and self.held.dtype.kind != "f":
            self.held = self.held.as_floats()
        self.held[start:stop] = drawn

    @property
    def values(self) -> NDArray[Any]:
        """What was drawn, where it is in memory."""
        if not isinstance(self.held, HeldArray):
            raise AssertionError("the draws are elsewhere, or there are none")
        return self.held.values

    def warn(self) -> None:
        """Say once what was outside its support, or is larger than its type holds."""
        total = self.shape[0] * self.shape[1]
        if self.capped:
            warn(
                f"{self.capped} of {total} predicted responses are larger than a whole number of 64 bits, and stand as "
                f"{HIGHEST_COUNT}. Quantiles are right, sums and means are not. {self._why}"
            )
        if self.infinite:
            warn(
                f"{self.infinite} of {total} predicted responses are infinite, because their parameters are beyond "
                f"floating-point numbers. {self._why}"
            )
        for name, count in self.outside.items():
            link = self.task.links.get(name)
            advice = f" The link '{link}' allows that; another link, such as 'log', does not." if link else ""
            warn(
                f"Predicted responses are nan for {count} of {total} draws and rows, because "
                f"'{name}' is outside its range there.{advice}"
            )

    def _supported(
        self, parameters: Mapping[str, FloatArray], shape: tuple[int, int]
    ) -> tuple[dict[str, FloatArray], NDArray[np.bool_] | None]:
        """Parameters with stand-ins where they are outside their support, and where that is (None: nowhere)."""
        safe: dict[str, FloatArray] = {}
        invalid: NDArray[np.bool_] | None = None
        for name, values in parameters.items():
            support = self.task.family.parameter(name).support
            inside = ~np.isnan(values) if self._knows_limits else np.isfinite(values)
            if support == "positive":
                inside &= values >= 0
            elif support == "unit":
                inside &= (values >= 0) & (values <= 1)
            if inside.all():
                safe[name] = values
                continue
            safe[name] = np.where(inside, values, _STAND_INS[support])
            bad = np.broadcast_to(~inside if inside.ndim == 2 else ~inside.all(axis=2), shape)
            self.outside[name] = self.outside.get(name, 0) + int(bad.sum())
            invalid = bad if invalid is None else invalid | bad
        return safe, invalid


def as_outcomes(family: Family, values: Any) -> NDArray[Any]:
    """Responses in the type that the family's have: counts and outcomes are integers, if all of them are known."""
    array = np.asarray(values)
    if not family.discrete or array.dtype.kind in "iu":
        return array
    return array.astype(np.int64) if array.dtype.kind == "b" or _are_whole(array.reshape(-1)) else array


def _are_whole(numbers: FloatArray) -> bool:
    """Whether all are whole numbers of 64 bits; some are looked at at a time, beside those of a large model."""
    pieces = (numbers[start : start + NUMBERS_AT_ONCE] for start in range(0, numbers.size, NUMBERS_AT_ONCE))
    return all(bool(((np.abs(piece) < 2.0**63) & (piece == np.round(piece))).all()) for piece in pieces)
