"""Predictions by other libraries' distribution objects, known by their methods: nothing is imported.

SciPy (frozen distributions and the newer classes), torch.distributions, PreliZ and whatever has methods of these names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentTypeError, DataError, NutsliteError, in_users_function
from nutslite.scores.kinds.kind import NOT_CLASSES, NOT_MIXED, CannotSayError, Kind
from nutslite.scores.numerics.checks import as_floats, numbers
from nutslite.scores.numerics.quadrature import squares_and_products, sums_over_counts

FloatArray = NDArray[np.float64]

# What is asked, and the names that libraries have for it
NAMES = {
    "cdf": ("cdf",),
    "log_density": ("logpmf", "logpdf", "log_prob"),
    "quantile": ("ppf", "icdf"),
    "mean": ("mean",),
    "sd": ("std", "stddev", "standard_deviation"),
    "sample": ("rvs", "sample"),
}
NEEDS = {
    "interval": ("quantile",),
    "cdf_below": ("cdf",),
    "crps": ("cdf", "quantile"),
    "scaled_crps": ("cdf", "quantile"),
}
TAIL = 1e-13
MOST_STEPS = 200_000  # whole numbers that the CRPS of a row is summed over


class Frozen(Kind):
    """One object whose parameters have one number a row, or a sequence of objects, one a row."""

    name: ClassVar[str] = "a prediction by an object"
    refused: ClassVar[dict[str, str]] = {**NOT_CLASSES, **NOT_MIXED}

    def __init__(self, given: Any) -> None:
        many = isinstance(given, Sequence)
        self.objects = list(given) if many else [given]
        if not self.objects or not all(_is_distribution(each) for each in self.objects):
            raise ArgumentTypeError(
                "from_distribution takes the name of a distribution with its parameters, or an object with methods "
                "cdf and "
                f"logpdf, logpmf or log_prob; not {type(given).__name__}."
            )
        event = getattr(self.objects[0], "event_shape", ())
        if tuple(event):
            raise DataError(f"The object predicts vectors of shape {tuple(event)}; one number a row is needed.")
        self.many = many
        self.whole = _is_discrete(self.objects[0])
        self.able = {question for question in NAMES if self._tried(question)}
        self.n = len(self.objects) if many else self._rows()
        self._check_rows()

    def why_not(self, question: str) -> str | None:
        """By the methods that the object has."""
        for need in NEEDS.get(question, (question,)):
            if need in NAMES and need not in self.able:
                names = " or ".join(NAMES[need])
                return (
                    f"The {type(self.objects[0]).__name__} has no working method {names}. Give draws of it to "
                    "Prediction.from_draws, or its name and parameters to from_distribution."
                )
        return super().why_not(question)

    def _rows(self) -> int:
        for question, argument in (("mean", None), ("quantile", np.array(0.5))):
            if question in self.able:
                shape = self._call(question, argument).shape
                if len(shape) > 1:
                    raise DataError(
                        f"Parameters of the object have shape {shape}; one number a row, shape (n,), is needed."
                    )
                return shape[0] if shape else 1
        raise DataError("The object has neither a mean nor quantiles: nothing says how many rows it predicts.")

    def _check_rows(self) -> None:
        """Raise where the object takes one number a row for a vector, as multivariate distributions do."""
        if "mean" not in self.able:
            return
        for question in {"cdf", "log_density"} & self.able:
            try:
                shape = self._call(question, np.broadcast_to(self._call("mean"), (self.n,))).shape
            except NutsliteError:  # the mean lies outside the support, or there is none
                continue
            if shape != (self.n,):
                raise DataError(
                    f"The {type(self.objects[0]).__name__} predicts vectors; one number a row is needed. Give draws of "
                    "it to Prediction.from_draws, or to scores.energy_score."
                )

    def _tried(self, question: str) -> bool:
        """Whether the object has the method, and it is made: torch has methods that only raise."""
        method = _member(self.objects[0], question)
        if method is None:
            return False
        if question not in ("cdf", "quantile"):
            return True
        try:
            _numbers(method(_like(self.objects[0], np.array(0.5))))
        except NotImplementedError:
            return False
        except Exception:  # 0.5 may lie outside the support, which a call with the user's numbers will say
            return True
        return True

    def _call(self, question: str, argument: FloatArray | None = None) -> FloatArray:
        """Of an argument of shape (..., n), or of none; the same shape."""
        if not self.many:
            found = _ask(self.objects[0], question, argument)
            return found if question in ("mean", "sd") else self._numbers_only(question, found)
        columns = [
            _ask(each, question, None if argument is None else argument[..., row])
            for row, each in enumerate(self.objects)
        ]
        found = np.stack([np.reshape(column, np.shape(columns[0])) for column in columns], axis=-1)
        return found if question in ("mean", "sd") else self._numbers_only(question, found)

    def _numbers_only(self, question: str, found: FloatArray) -> FloatArray:
        """What the object returns.

        Raises
        ------
        DataError
            Where it is nan: parameters are outside their range.
        """
        if np.isnan(found).any():
            name = next(name for name in NAMES[question] if hasattr(self.objects[0], name))
            what = f"What the {name} of the {type(self.objects[0]).__name__} returns"
            return numbers(what, found, "no nan")
        return found

    def quantile(self, levels: FloatArray) -> FloatArray:
        """By the object's ppf or icdf."""
        return self._quantiles(levels).T

    def _quantiles(self, levels: FloatArray) -> FloatArray:
        return self._call("quantile", np.repeat(levels[:, None], self.n, axis=1))

    def _cdf(self, x: FloatArray) -> FloatArray:
        return self._call("cdf", x)

    def cdf(self, y: FloatArray) -> FloatArray:
        """By the object's own."""
        return self._cdf(y)

    def log_density(self, y: FloatArray) -> FloatArray:
        """By the object's logpdf, logpmf or log_prob."""
        return self._call("log_density", y)

    def mean(self) -> FloatArray:
        """By the object's own."""
        return np.broadcast_to(self._call("mean"), (self.n,)).copy()

    def sd(self) -> FloatArray:
        """By the object's own."""
        return np.broadcast_to(self._call("sd"), (self.n,)).copy()

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """By quantiles of uniform numbers, so that the generator is ours; else by the object's own draws."""
        if "quantile" in self.able:
            return self._call("quantile", rng.random((size, self.n)))
        columns = [_drawn(each, size, rng) for each in self.objects]
        return columns[0].reshape(size, self.n) if not self.many else np.stack(columns, axis=-1)

    def _score_and_spread(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        if not self.whole:
            return squares_and_products(y, self._cdf, self._quantiles)
        ends = self._quantiles(np.array([TAIL, 1.0 - TAIL]))
        if float(np.max(ends[1] - ends[0])) > MOST_STEPS:
            raise CannotSayError(
                "The CRPS of the object would be a sum over too many counts. Give the distribution's name and "
                "parameters to "
                "from_distribution, or draws to from_draws."
            )
        return sums_over_counts(y, self._cdf, ends[0], ends[1])

    def crps(self, y: FloatArray) -> FloatArray:
        """By quadrature of the cdf, or sums of it; infinite where there is no finite mean."""
        score = self._score_and_spread(y)[0]
        return np.where(np.isfinite(self.mean()), score, np.inf) if "mean" in self.able else score

    def deviation_and_difference(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """By quadrature of the cdf, or sums of it."""
        score, spread = self._score_and_spread(y)
        return score + spread, 2.0 * spread


def _is_distribution(given: Any) -> bool:
    return hasattr(given, "cdf") and any(hasattr(given, name) for name in NAMES["log_density"])


def _is_discrete(given: Any) -> bool:
    """By what the library says of itself."""
    support: Any = getattr(given, "support", None)
    if hasattr(support, "is_discrete"):  # torch
        return bool(support.is_discrete)
    if getattr(given, "kind", None) in ("discrete", "continuous"):  # PreliZ
        return bool(given.kind == "discrete")
    if hasattr(given, "logpmf") and hasattr(given, "logpdf"):  # SciPy's newer classes have both
        return any("Discrete" in each.__name__ for each in type(given).__mro__)
    return hasattr(given, "logpmf")


def _member(given: Any, question: str) -> Any:
    names = NAMES[question]
    if question == "log_density" and hasattr(given, "logpdf") and not _is_discrete(given):
        names = names[1:]
    for name in names:
        try:
            return getattr(given, name)
        except (AttributeError, NotImplementedError):
            continue
    return None


def _like(given: Any, values: FloatArray) -> Any:
    """Numbers as the object wants them: as tensors where its own are some."""
    for name in ("mean", "loc", "concentration", "rate", "probs"):
        try:
            own: Any = getattr(given, name, None)
        except NotImplementedError:
            continue
        if hasattr(own, "new_tensor"):
            return own.new_tensor(values)
    return values


def _numbers(found: Any) -> FloatArray:
    return as_floats("what the object returns", found)


def _ask(given: Any, question: str, argument: FloatArray | None) -> FloatArray:
    member: Callable[..., Any] | Any = _member(given, question)
    with in_users_function(f"The method {question} of the {type(given).__name__}"):
        if argument is not None:
            return _numbers(member(_like(given, argument)))
        return _numbers(member() if callable(member) else member)


def _drawn(given: Any, size: int, rng: np.random.Generator) -> FloatArray:
    with in_users_function(f"Drawing from the {type(given).__name__}"):
        if hasattr(given, "rvs"):
            return _numbers(given.rvs(size=(size, *np.shape(_numbers(given.mean()))), random_state=rng))
        return _numbers(given.sample((size,)))
