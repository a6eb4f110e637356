"""Hypotheses about parameters: how probable one is, and what the data say for a point against all else."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, DataError, PriorError, did_you_mean, shown, warn
from nutslite.interpret.expression import evaluate
from nutslite.interpret.streaming import checked_seed, draws_of
from nutslite.interpret.summaries import Intervals, intervals_of
from nutslite.model.record.specification import Specification, specification_of

FloatArray = NDArray[np.float64]

PROB = 0.95
PRIOR_DRAWS = 20_000
BATCHES = 20  # of draws, whose densities say how sure the density of all is
FEWEST_BEYOND = 20  # draws on either side of a point whose density they are to say
_QUOTED = re.compile(r"`([^`]+)`")
_SIGN = re.compile(r"(<=|>=|==|<|>|=)")


@public
def hypothesis(
    model: Any,
    idata: Any,
    hypothesis: Any,
    prob: float = PROB,
    use_hdi: bool = False,
    *,
    prior_draws: int = PRIOR_DRAWS,
    random_seed: int = 0,
) -> pd.DataFrame:
    """Test statements about parameters.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    hypothesis : str or list of str
        ``"x > 0"``, ``"x = z"``, ``"exp(Intercept + 2 * x) < 3"``, ``"`1|g_sigma` > sigma"``: names of results;
        ``f[b]`` is an element. A name in back-quotes is never taken for arithmetic: `` `exp(x)` `` is a term's.
    prob : float
        Of the intervals, 0.95 by default. Beside a one-sided hypothesis the interval leaves out as much on each side as
        the test does on one: 0.90.
    use_hdi : bool
        Intervals of highest density, or with equal tails.
    prior_draws : int
        How many draws of the prior stand for its density, for hypotheses with ``=``.
    random_seed : int

    Returns
    -------
    DataFrame
        One row for each hypothesis: ``estimate``, ``sd``, ``lower``, ``upper`` of left less right side;
        ``evidence_ratio``, its standard error ``evidence_error``, and ``probability``.

    Raises
    ------
    ArgumentError, DataError
        For what is not understood, and names that results do not have.
    PriorError
        For ``=`` where a prior is flat: the ratio depends on it.

    Warns
    -----
    NutsliteWarning
        Where the point lies beyond nearly all draws, so that they cannot say its density.

    Notes
    -----
    With ``<`` or ``>`` the evidence ratio is the posterior odds of the hypothesis, and `probability` its posterior
    probability. With ``=`` it is the Savage-Dickey ratio (Dickey, 1971, Annals of Mathematical Statistics 42), the
    posterior's density at the point over the prior's, which is the Bayes factor of the point against the rest where the
    other parameters' prior does not depend on it; `probability` is then its posterior probability from even odds.
    Densities are of kernels with Silverman's bandwidth; the error is from batches of draws.
    """
    specification = specification_of(model)
    intervals = intervals_of(prob, use_hdi)
    if len(intervals.probs) != 1:
        raise ArgumentError(f"prob is one probability between 0 and 1, not {prob!r}.")
    seed = checked_seed(random_seed)
    texts = [hypothesis] if isinstance(hypothesis, str) else hypothesis
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise ArgumentError(f"hypothesis is a text such as 'x > 0', or a list of them, not {shown(hypothesis)}.")
    posterior = draws_of(specification, idata).named.arrays
    statements = [_Statement.read(text, [*posterior, *specification.aliases.values()]) for text in texts]
    if intervals.probs[0] <= 0.5 and any(statement.sign != "=" for statement in statements):
        raise ArgumentError(
            f"prob={prob!r}: beside < and > the interval leaves out 1 - prob on each side, so that prob is above 0.5."
        )
    prior: Mapping[str, FloatArray] = {}
    if any(statement.sign == "=" for statement in statements):
        prior = _prior(specification, prior_draws, seed)
    lines = [statement.judged(specification, posterior, prior, intervals) for statement in statements]
    table = pd.DataFrame({"hypothesis": list(texts)})
    return pd.concat([table, pd.DataFrame(lines)], axis=1)


@dataclass(frozen=True)
class _Statement:
    """A hypothesis, taken apart; names in back-quotes have been replaced by plain ones."""

    text: str
    left: str
    sign: str
    right: str
    quoted: dict[str, str]

    @classmethod
    def read(cls, text: str, names: Collection[str]) -> _Statement:
        quoted: dict[str, str] = {}
        text_of_names = _with_quotes(text, names)

        def plain(found: re.Match[str]) -> str:
            name = f"quoted_{len(quoted)}"
            quoted[name] = found.group(1)
            return name

        pieces = _SIGN.split(_QUOTED.sub(plain, text_of_names))
        if len(pieces) != 3:
            several = " What lies between two numbers is two hypotheses." if len(pieces) > 3 else ""
            raise ArgumentError(f"hypothesis={text!r} needs one of <, > and =, as in 'x > 0'.{several}")
        left, sign, right = pieces
        return cls(text, left, "=" if sign == "==" else sign[0], right, quoted)

    def values(self, specification: Specification, draws: Mapping[str, FloatArray]) -> FloatArray:
        """Draws of the left side less the right one."""

        def resolve(tree: ast.expr) -> Any:
            element: list[str] = []
            if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Name):
                element = [part.strip(" '\"") for part in ast.unparse(tree.slice).strip("()").split(",")]
                tree = tree.value
            if not isinstance(tree, ast.Name):
                return None
            name = self.quoted.get(tree.id, tree.id)
            name, _, labels = name.partition("[") if name not in draws and name.endswith("]") else (name, "", "")
            if labels:
                element = [part.strip(" '\"") for part in labels[:-1].split(",")]
            return _element(specification, draws, self._known(specification, draws, name), element, self.text)

        known = "Names are those of the results, in back-quotes where they are no plain names"
        try:
            with np.errstate(over="ignore"):
                left, right = (evaluate(side, self.text, resolve, known) for side in (self.left, self.right))
        except ArgumentError as error:
            own = re.sub(r"quoted_\d+", lambda found: f"`{self.quoted[found.group(0)]}`", str(error))
            raise ArgumentError(own) from None
        return np.broadcast_to(np.asarray(left - right, dtype=float), (len(next(iter(draws.values()))),))

    def _known(self, specification: Specification, draws: Mapping[str, FloatArray], name: str) -> str:
        own = {alias: key for key, alias in specification.aliases.items()}.get(name, name)
        if own not in draws:
            names = [*draws, *specification.aliases.values()]
            raise DataError(f"hypothesis={self.text!r}: the results have no '{name}'.{did_you_mean(name, names)}")
        return own

    def judged(
        self,
        specification: Specification,
        posterior: Mapping[str, FloatArray],
        prior: Mapping[str, FloatArray],
        intervals: Intervals,
    ) -> dict[str, float]:
        """One line of the table."""
        values = self.values(specification, posterior)
        if unknown := int(np.isnan(values).sum()):
            warn(
                f"hypothesis={self.text!r}: {unknown} of {values.size} draws are nan, as a logarithm or a quotient has "
                "no value there, and so is what is said of them."
            )
        if self.sign == "=":
            found = _line(values, intervals)
            ratio, error = _savage_dickey(values, self.values(specification, prior), self.text)
            return {**found, "evidence_ratio": ratio, "evidence_error": error, "probability": ratio / (1.0 + ratio)}
        one_sided = Intervals((2.0 * intervals.probs[0] - 1.0,), intervals.hdi)
        holds = values > 0.0 if self.sign == ">" else values < 0.0
        share = float("nan") if np.isnan(values).any() else float(holds.mean())
        error = _batch_error(holds.astype(float))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, spread = (float(np.divide(share, 1.0 - share)), float(np.divide(error, (1.0 - share) ** 2)))
        return {
            **_line(values, one_sided),
            "evidence_ratio": ratio,
            "evidence_error": spread,
            "probability": share,
        }


def _with_quotes(text: str, names: Collection[str]) -> str:
    """The text with back-quotes around the names of results that are no plain ones, as ``x:z`` and ``f[a+]``."""
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))

    def quoted(found: re.Match[str]) -> str:
        whole = found.group(0)
        if whole.startswith("`") or not (found.group("element") or _is_odd(whole)):
            return whole
        return f"`{whole}`"

    return re.sub(rf"`[^`]*`|(?<![\w.])(?:{known})(?P<element>\[[^\[\]]*\])?(?!\w)", quoted, text)


def _is_odd(name: str) -> bool:
    """Whether a name is no arithmetic of plain names, which `evaluate` reads by itself: ``exp(x)`` is."""
    try:
        evaluate(name, name, lambda tree: 1.0 if isinstance(tree, ast.Name) else None, "")
    except ArgumentError:
        return True
    return False


def _line(values: FloatArray, intervals: Intervals) -> dict[str, float]:
    return {name: float(column[0]) for name, column in intervals.columns(values[:, None]).items()}


def _element(
    specification: Specification, draws: Mapping[str, FloatArray], name: str, element: list[str], text: str
) -> FloatArray:
    """Draws of one number of a variable."""
    inventory = specification.posterior.inventory
    labels = [[str(label) for label in inventory.coords.get(dim, ())] for dim in inventory.by_name[name].dims]
    values = draws[name].reshape(len(draws[name]), -1)
    if not element and values.shape[1] == 1:
        return values[:, 0]
    names = [", ".join(each) for each in itertools.product(*labels)]
    wanted = ", ".join(element)
    if wanted not in names:
        if not all(labels):
            raise DataError(f"hypothesis={text!r}: '{name}' has a number for each row; predictions compares rows.")
        some = ", ".join(f"{name}[{each}]" for each in names[:6]) + (", ..." if len(names) > 6 else "")
        what = f"has no [{wanted}]" if element else "has several numbers"
        raise DataError(f"hypothesis={text!r}: '{name}' {what}; name one of {some}.")
    return values[:, names.index(wanted)]


def _prior(specification: Specification, count: Any, seed: int) -> dict[str, FloatArray]:
    """Draws of the prior by name, (draws, ...)."""
    from nutslite.posterior.points.prior_draws import draw_prior
    from nutslite.results.fit import named_prior

    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1000:
        raise ArgumentError(f"prior_draws is a whole number from 1000 on, not {count!r}.")
    assembled = specification.posterior.assembled
    try:
        values, effects = draw_prior(assembled, int(count), np.random.default_rng(seed))
    except PriorError as error:
        raise PriorError(f"A hypothesis with '=' is judged by the density of the prior. {error}") from None
    return {name: array[0] for name, array in named_prior(assembled, values[None], effects[None])[0].items()}


def _savage_dickey(posterior: FloatArray, prior: FloatArray, text: str) -> tuple[float, float]:
    """Posterior over prior density at zero, and the standard error of the ratio."""
    if posterior.size < 2 * FEWEST_BEYOND:
        raise DataError(
            f"hypothesis={text!r}: {posterior.size} draws are too few to say a density; fit with draws=1000."
        )
    beyond = min(int((posterior > 0.0).sum()), int((posterior < 0.0).sum()))
    edge = min(int((prior > 0.0).sum()), int((prior < 0.0).sum()))
    if beyond < FEWEST_BEYOND <= edge:
        warn(
            f"hypothesis={text!r}: {beyond} of {posterior.size} draws lie beyond the point, which is too few to say "
            "its density: the evidence ratio is small, and how small is not known."
        )
    (above, above_error), (below, below_error) = (_density_at_zero(values) for values in (posterior, prior))
    if below == 0.0:
        raise DataError(f"hypothesis={text!r}: the prior has no draws near the point, so that no ratio is known.")
    ratio = above / below
    relative = (above_error / above if above > 0.0 else 0.0) ** 2 + (below_error / below) ** 2
    return ratio, ratio * float(np.sqrt(relative))


def _density_at_zero(values: FloatArray) -> tuple[float, float]:
    """A kernel's density estimate at zero, and its standard error."""
    low, high = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std(ddof=1)), float(high - low) / 1.349) or float(values.std(ddof=1))
    if spread == 0.0:
        raise DataError("The draws of a hypothesis with '=' do not vary, so that they have no density.")
    width = 0.9 * spread * values.size**-0.2
    kernel = np.exp(-0.5 * (values / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
    return float(kernel.mean()), _batch_error(kernel)


def _batch_error(values: FloatArray) -> float:
    """Standard error of the mean of draws that depend on each other, from means of batches of neighbours."""
    batches = min(BATCHES, values.size)
    means = np.array([part.mean() for part in np.array_split(values, batches)])
    return float(means.std(ddof=1) / np.sqrt(batches)) if batches > 1 else float("nan")
