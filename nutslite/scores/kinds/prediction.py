"""`Prediction`: one face for predictions of every kind, of any library."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import CallError, public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, random_generator, refuse_other
from nutslite.scores.distributions import distribution
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.frozen import Frozen
from nutslite.scores.kinds.kind import QUESTIONS, CannotSayError, Kind
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.parametric import Parametric
from nutslite.scores.kinds.probabilities import Dirichlet, Probabilities
from nutslite.scores.kinds.quantiles import Interval, Quantiles
from nutslite.scores.kinds.translated import translated
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.numerics.checks import levels_of, probability
from nutslite.scores.pointwise.classes import EntropySplit
from nutslite.scores.pointwise.crps import scaled

FloatArray = NDArray[np.float64]


@public
class Prediction:
    """What is predicted of n rows: by draws, a distribution, quantiles, an interval, or probabilities of classes.

    Made by one of the methods ``from_...``. It answers what its kind can: `capabilities` lists that, `why_not` says why
    it cannot answer the rest, and such a question is an error with the same words.

    >>> import numpy as np
    >>> P = Prediction.from_normal(mu=[0.0, 1.0], sigma=[1.0, 2.0])
    >>> P.quantile(0.975).round(2)
    array([1.96, 4.92])
    >>> P.crps([0.3, 1.0]).round(4)
    array([0.2693, 0.4674])
    >>> Prediction.from_interval([0.0], [1.0], prob=0.9).can("log_density")
    False

    Parameters
    ----------
    kind : Kind
        For those who add a kind of prediction.
    """

    def __init__(self, kind: Kind) -> None:
        if not isinstance(kind, Kind):
            raise ArgumentTypeError(
                "A Prediction is made by Prediction.from_draws, from_normal, from_distribution, from_mixture, "
                "from_quantiles, "
                "from_interval, from_probabilities, from_dirichlet or from_vectors."
            )
        self.kind = kind

    # --- how they are made
    # ----------------------------------------------------------------------------------------------

    @classmethod
    def from_draws(
        cls, x: Any, weights: Any = None, *, whole: bool | None = None, estimator: str = "fair", draw_axis: int = 0
    ) -> Prediction:
        """Draws of what is predicted: posterior predictive draws, members of an ensemble, dropout passes.

        Parameters
        ----------
        x : array_like, shape (S, n) or (chains, draws, n)
            Or an xarray DataArray with dimensions chain, draw or sample, and one more.
        weights : array_like, shape (S,) or (S, n), optional
            Weights of draws.
        whole : bool, optional
            Whether whole numbers are predicted; by default whether all draws are.
        estimator : {"fair", "ecdf"}
            Of the CRPS, as in `crps`.
        draw_axis : int
            The axis of draws, 0 by default.
        """
        if draw_axis != 0:
            try:
                x = np.moveaxis(np.asarray(x), draw_axis, 0)
            except (TypeError, ValueError):  # AxisError is a ValueError
                raise ArgumentError(f"draw_axis={draw_axis!r} is no axis of draws of shape {np.shape(x)}.") from None
        return cls(Draws(x, weights, whole, estimator))

    @classmethod
    def from_normal(cls, mu: Any, sigma: Any) -> Prediction:
        """Normal distributions with means `mu` and standard deviations `sigma`, shape (n,): a network's two heads."""
        return cls.from_distribution("gaussian", mu=mu, sigma=sigma)

    @classmethod
    def from_distribution(cls, distribution: Any, **parameters: Any) -> Prediction:
        """One distribution a row, by name and parameters, or as an object of another library.

        Parameters
        ----------
        distribution : str or object
            The name of a family or of another distribution that is known here, or an object with methods such as cdf,
            logpdf and ppf: SciPy's frozen distributions, torch.distributions, PreliZ; or a list of these, one a row.
        **parameters : array_like, shape (n,)
            As the family has them. Shape (S, n), or (chains, draws, n), makes a mixture over draws of the parameters.
        """
        if not isinstance(distribution, str):
            if parameters:
                raise CallError(
                    f"An object has its parameters already; {', '.join(parameters)} would be ignored. Give the name "
                    f"of a "
                    "distribution to go with them."
                )
            return cls(translated(distribution) or Frozen(distribution))
        record = _distribution(distribution)
        arrays = record.checked(parameters)
        return cls(Parametric(record, arrays) if arrays[0].ndim < 2 else Mixture(record, arrays))

    @classmethod
    def from_mixture(cls, distribution: str = "gaussian", weights: Any = None, **parameters: Any) -> Prediction:
        """A mixture of M distributions a row: a deep ensemble, dropout passes with a spread, a posterior.

        Parameters
        ----------
        distribution : str
            Of the components.
        weights : array_like, shape (M,) or (M, n), optional
        **parameters : array_like, shape (M, n) or (chains, draws, n)
            ``mu=``, ``sigma=`` of normal components. What is the same for all rows has shape (M, 1).
        """
        record = _distribution(distribution)
        return cls(Mixture(record, record.checked(parameters), weights))

    @classmethod
    def from_quantiles(cls, q: Any, levels: Any) -> Prediction:
        """Quantiles q, shape (n, K), of levels, shape (K,). Crossing ones are kept; ``kind.crossing`` says where."""
        return cls(Quantiles(q, levels))

    @classmethod
    def from_interval(cls, lower: Any, upper: Any, prob: float) -> Prediction:
        """One central interval a row, its ends of shape (n,), that is to hold what comes with probability `prob`."""
        return cls(Interval(lower, upper, prob))

    @classmethod
    def from_probabilities(cls, p: Any, classes: Any = None) -> Prediction:
        """Probabilities of 1, shape (n,), or of classes, (n, K), or those of each draw or member, (draws, n, K).

        `classes` are the labels of y in the order of the columns; without them y holds codes 0, ..., K - 1.
        """
        return cls(Probabilities(p, classes))

    @classmethod
    def from_dirichlet(cls, alpha: Any, classes: Any = None) -> Prediction:
        """Concentrations of Dirichlet distributions of probabilities, shape (n, K): an evidential network's head."""
        return cls(Dirichlet(alpha, classes))

    @classmethod
    def from_vectors(
        cls, x: Any, weights: Any = None, *, whole: bool | None = None, log_density: Any = None, y: Any = None
    ) -> Prediction:
        """Draws of several numbers a row, such as counts of several outcomes, which are scored together.

        Parameters
        ----------
        x : array_like, shape (S, n, K) or (chains, draws, n, K)
        weights : array_like, shape (S,) or (S, n), optional
            Weights of draws.
        whole : bool, optional
            Whether whole numbers are predicted; by default whether all draws are.
        log_density : array_like, shape (S, n), optional
            Log densities of the observations `y` given the parameters of each draw.
        y : array_like, shape (n, K), optional
        """
        return cls(Vectors(x, weights, whole, log_density, y))

    # --- what it is
    # -----------------------------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Rows."""
        return self.kind.n

    @property
    def whole(self) -> bool:
        """Whether whole numbers are predicted: counts, or codes of classes."""
        return self.kind.whole

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What it answers."""
        return tuple(question for question in QUESTIONS if self.kind.why_not(question) is None)

    def can(self, question: str) -> bool:
        """Whether it answers a question: the name of a method."""
        return self.why_not(question) is None

    def why_not(self, question: str) -> str | None:
        """Why it does not answer a question, and what to do; None where it does."""
        refuse_other("question", question, QUESTIONS)
        return self.kind.why_not(question)

    def observed(self, y: Any) -> FloatArray:
        """Observations as float64, shape (n,) or (n, K), checked; of classes their codes."""
        return self.kind.observed(y)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"<{self.kind.name[2:] if self.kind.name.startswith('a ') else self.kind.name}, {self.n:,} rows>"

    def _ask(self, question: str) -> Kind:
        reason = self.kind.why_not(question)
        if reason is not None:
            raise CannotSayError(reason)
        return self.kind

    # --- what it answers
    # ------------------------------------------------------------------------------------------------

    def quantile(self, levels: Any) -> FloatArray:
        """Quantiles.

        Parameters
        ----------
        levels : float or array_like, shape (K,)

        Returns
        -------
        ndarray, shape (n,) for one level, else (n, K)
        """
        kind = self._ask("quantile")
        if np.ndim(levels) == 0:
            return kind.quantile(np.array([probability("levels", levels)]))[:, 0]
        return kind.quantile(levels_of(levels))

    def interval(self, prob: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends, each of shape (n,), of the central interval of probability `prob`."""
        return self._ask("interval").interval(probability("prob", prob))

    def cdf(self, y: Any) -> FloatArray:
        """``P(X <= y)`` of each row, shape (n,)."""
        kind = self._ask("cdf")
        return kind.cdf(kind.observed(y))

    def cdf_below(self, y: Any) -> FloatArray:
        """``P(X < y)``, which differs from `cdf` for whole numbers and tied draws."""
        kind = self._ask("cdf_below")
        return kind.cdf_below(kind.observed(y))

    def log_density(self, y: Any) -> FloatArray:
        """Log of the density at y, or of the probability of a whole number, shape (n,); the log score is minus this."""
        kind = self._ask("log_density")
        return kind.log_density(kind.observed(y))

    def mean(self) -> FloatArray:
        """Means, shape (n,), of several numbers a row (n, K); nan where a distribution has none."""
        return self._ask("mean").mean()

    def sd(self) -> FloatArray:
        """Standard deviations, of the shape of the means; infinite or nan where a distribution has none."""
        return self._ask("sd").sd()

    def sample(self, rng: Any = None, size: int = 1000) -> FloatArray:
        """Draws, shape (size, n), of several numbers a row (size, n, K).

        Parameters
        ----------
        rng : int or numpy.random.Generator
        size : int
        """
        kind = self._ask("sample")
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ArgumentError(f"size is how many draws to make, a whole number from 1 on; not {size!r}.")
        return kind.sample(random_generator(rng), int(size))

    def crps(self, y: Any) -> FloatArray:
        """Continuous ranked probability score, shape (n,): closed forms where there are, sorted draws, else quadrature.

        Infinite where there is no mean.
        """
        kind = self._ask("crps")
        return kind.crps(kind.observed(y))

    def scaled_crps(self, y: Any) -> FloatArray:
        """Scaled CRPS ``E|X - y| / E|X - X'| + log(E|X - X'|)/2``, shape (n,)."""
        kind = self._ask("scaled_crps")
        return scaled(*kind.deviation_and_difference(kind.observed(y)))

    def probabilities(self) -> FloatArray:
        """Probabilities of 1, shape (n,), or of all classes, (n, K)."""
        return self._ask("probabilities").probabilities()

    def entropy_split(self) -> EntropySplit:
        """Entropy of the predicted classes, total, aleatoric and epistemic, each of shape (n,)."""
        return self._ask("entropy_split").entropy_split()

    def variance_split(self) -> tuple[FloatArray, FloatArray]:
        """Aleatoric and epistemic variance of a mixture: mean of the variances, variance of the means, each (n,)."""
        return self._ask("variance_split").variance_split()


_distribution = distribution  # from_distribution has an argument of that name
