"""``hsgp(x, by=g, cov="ExpQuad")``: a Gaussian process of one or several columns, by basis functions in a box.

With the columns x_d centred and inside (-L_d, L_d), the process is a sum of weights times

    phi_j(x) = prod over d of L_d^(-1/2) sin(w_jd (x_d + L_d)),     w_jd = j_d pi / (2 L_d),     weight_j ~ N(0, S(w_j))

S the spectral density of the covariance (Solin and Sarkka 2020, Statistics and Computing 30; Riutort-Mayol et al. 2022,
arXiv:2004.11408). A periodic process is a sum of cosines and sines of its period. The rule for the weights' scales has
S; `waves.py` has the basis, which is in the unit of x. How many functions and how large a box are enough is in
`box.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MERGES
from nutslite.exceptions import DataError, FormulaError, did_you_mean
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.terms import box
from nutslite.formula.terms.kinds import Basis, Call, Interval, Settled, TermKind, TermQuantity
from nutslite.formula.terms.waves import PERIODIC, Memory, columns_of

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

MOST_LEVELS = 200
COVARIANCES = ("ExpQuad", "Matern32", "Matern52", "Periodic")
_INSTEAD = {"RBF": "ExpQuad", "exp_quad": "ExpQuad", "Matern12": "Matern32", "Exponential": "Matern32"}


def learn(call: Call) -> Memory:
    """Place the boundary; what the formula leaves open is chosen for the default prior of the length scale.

    Raises
    ------
    FormulaError
        For arguments that do not go together, or leave no room for the data.
    """
    given = call.arguments
    _check(call)
    x = call.columns("x")
    texts = tuple(call.texts[f"x[{place}]"] for place in range(len(x)))
    extents = np.ptp(x, axis=1)
    for text, extent in zip(texts, extents, strict=True):
        if not extent > 0.0:
            raise FormulaError(f"{text} has the same value in all rows, so there is nothing to model.")
    levels, codes = _groups(call)
    periodic = given["cov"] == PERIODIC
    missing = tuple(
        name
        for name, lacks in (
            ("m", given["m"] is None),
            ("c", not periodic and given["c"] is None and given["L"] is None),
        )
        if lacks
    )
    groups = 1 if levels is None else len(levels)
    memory = Memory(
        means=np.repeat(x.mean(axis=1)[None], groups, axis=0),
        boundary=np.ones((groups, len(x))),
        sizes=() if given["m"] is None else _sizes(given["m"], len(x)),
        extents=extents,
        covariance=given["cov"],
        period=float(given["period"] or 0.0),
        levels=levels,
        share=bool(given["share_cov"]),
        iso=bool(given["iso"]) or len(x) == 1,
        scale=bool(given["scale"]),
        drop=bool(given["drop_first"]),
        texts=texts,
        open=missing,
        rows=x if missing else np.empty((0, 0)),
        codes=codes if missing else np.empty(0, dtype=np.int64),
    )
    if not periodic and "c" not in missing:
        memory = _with_boundary(memory, given, x, codes)
    return _checked(_chosen(memory, None, x), call.rows) if missing else _checked(memory, call.rows)


def _check(call: Call) -> None:
    given = call.arguments
    if given["centered"]:
        raise FormulaError(
            "centered= of hsgp() is not there: how weights are sampled is the plan's choice, and "
            "Model(..., noncentered=False) where there is none."
        )
    if given["cov"] not in COVARIANCES:
        instead = _INSTEAD.get(given["cov"])
        near = f" Write cov='{instead}'." if instead else did_you_mean(str(given["cov"]), COVARIANCES)
        raise FormulaError(f"cov of hsgp() is one of {', '.join(COVARIANCES)}, not '{given['cov']}'.{near}")
    if given["c"] is not None and given["L"] is not None:
        raise FormulaError("hsgp() takes either c= or L=, or neither: hsgp(x, m=10, c=1.5).")
    if given["cov"] == PERIODIC:
        _check_periodic(call)
    elif given["period"] is not None:
        raise FormulaError(f"period= of hsgp() goes with cov='Periodic', not with cov='{given['cov']}'.")
    if given["by"] is None and not given["share_cov"]:
        raise FormulaError("share_cov=False of hsgp() is about the levels of by=, which is not given.")
    if len(given["x"]) == 1 and not given["iso"]:
        raise FormulaError("iso=False of hsgp() is about several columns, and here is one.")


def _check_periodic(call: Call) -> None:
    given = call.arguments
    if given["period"] is None or not given["period"] > 0.0:
        raise FormulaError(
            "cov='Periodic' of hsgp() needs a period above zero, in the unit of x: hsgp(month, cov='Periodic', "
            "period=12)."
        )
    if len(given["x"]) != 1:
        raise FormulaError(f"A periodic process is of one column, not of {call.texts['x']}.")
    for name in ("c", "L", "scale"):
        if given[name] is not None:
            raise FormulaError(f"{name}= of hsgp() has no meaning beside cov='Periodic', which has no boundary.")


def _groups(call: Call) -> tuple[tuple[Any, ...] | None, IndexArray]:
    """Levels of ``by=``, if it is given, and the level of each row."""
    if call.arguments["by"] is None:
        return None, np.zeros(call.rows, dtype=np.int64)
    found = call.levels("by")
    text = call.texts["by"]
    if len(found.levels) > MOST_LEVELS:
        raise FormulaError(
            f"by= of hsgp() makes a process for each level, at most {MOST_LEVELS}; {text} has {len(found.levels):,}."
        )
    if found.unseen:
        raise FormulaError(f"{text} in hsgp() has rows without a level.")
    return found.levels, found.codes.astype(np.int64)


def _sizes(m: Any, columns: int) -> tuple[int, ...]:
    sizes = np.ravel(m)
    if sizes.size not in (1, columns):
        raise FormulaError(f"m of hsgp() is one number, or one for each of its {columns} columns, not {sizes.size}.")
    return tuple(int(size) for size in np.broadcast_to(sizes, columns))


def _with_boundary(memory: Memory, given: Mapping[str, Any], x: FloatArray, codes: IndexArray) -> Memory:
    """The box by ``c=`` or ``L=``: one of all groups, or one of each around its own mean."""
    name = "c" if given["L"] is None else "L"
    groups, columns = memory.means.shape
    table = np.asarray(given[name], dtype=float)
    if table.shape not in ((), (columns,), (groups, columns)):
        rows = f", or a row of these for each of the {groups} levels of by=" if groups > 1 else ""
        raise FormulaError(f"{name} of hsgp() is one number, or one for each of its {columns} columns{rows}.")
    if table.ndim == 2:
        memory = replace(memory, means=np.array([x[:, codes == group].mean(axis=1) for group in range(groups)]))
    half = _half_ranges(memory, x, codes, own=table.ndim == 2)
    memory = replace(memory, boundary=np.broadcast_to(table, half.shape) * (half if name == "c" else 1.0))
    short = np.argwhere(memory.boundary < half)
    if short.size:
        group, column = short[0]
        less = float(np.broadcast_to(table, half.shape)[group, column])
        raise FormulaError(
            f"{name}={less:g} leaves rows outside: {memory.texts[column]} goes to {half[group, column]:.6g} from its "
            f"mean, and the boundary would be at {memory.boundary[group, column]:.6g}. c= is at least 1; 1.5 is usual."
        )
    return memory


def _half_ranges(memory: Memory, x: FloatArray, codes: IndexArray, *, own: bool) -> FloatArray:
    """Largest distances from the mean, shape (G, D): of each group's own rows, or of all."""
    groups = range(len(memory.means))
    return np.array(
        [np.abs(x[:, codes == g if own else slice(None)] - memory.means[g][:, None]).max(axis=1) for g in groups]
    )


def _chosen(memory: Memory, interval: Interval | None, x: FloatArray) -> Memory:
    """m, c or both for the length scales that a prior holds likely: the default one, or `interval` of another."""
    low, high = _likely(memory, interval)
    if memory.covariance == PERIODIC:
        return replace(memory, sizes=(box.harmonics(float(low[0])),))
    half = np.abs(x - memory.means[0][:, None]).max(axis=1)
    boundary = memory.boundary
    if "c" in memory.open:
        boundary = np.repeat((half * box.boundaries(memory.covariance, half, high))[None], len(memory.means), axis=0)
    sizes = memory.sizes
    if "m" in memory.open:
        sizes = box.functions(memory.covariance, boundary.max(axis=0), low)
        total = int(np.prod(sizes))
        if total > box.MOST_FUNCTIONS:
            raise FormulaError(
                f"To serve length scales of {', '.join(memory.texts)} from {box.listed(low)} on, hsgp() would take "
                f"{' x '.join(map(str, sizes))} = {total:,} functions, and it makes at most {box.MOST_FUNCTIONS:,}. "
                "Give m= and c=, or a prior of ell that says less of short ones."
            )
    return replace(memory, boundary=boundary, sizes=sizes)


def _likely(memory: Memory, interval: Interval | None) -> tuple[FloatArray, FloatArray]:
    """The shortest and the longest length scale of each column that are to be served, in the unit of x."""
    columns = memory.extents.size
    share = box.share_of_prior(columns)
    found = None if interval is None else interval("ell", share)
    if found is None:
        low, high = box.DEFAULT_INTERVALS[share]
        return low * memory.unit, high * memory.unit
    lows, highs = (np.asarray(end, dtype=float).reshape(-1, 1 if memory.iso else columns) for end in found)
    unit = memory.unit if memory.scale else 1.0
    return lows.min(axis=0) * np.ones(columns) * unit, highs.max(axis=0) * np.ones(columns) * unit


def _checked(memory: Memory, rows: int) -> Memory:
    """The same once its functions are few enough."""
    fewest = 1 + memory.drop
    total = int(np.prod(memory.sizes))
    if min(memory.sizes) < 1 or not fewest <= total <= box.MOST_FUNCTIONS:
        given = " x ".join(map(str, memory.sizes))
        raise FormulaError(f"m of hsgp() is from {fewest} to {box.MOST_FUNCTIONS:,}, not {given}.")
    check_basis(len(memory.indices) * len(memory.means), rows)
    return memory


def settle(memory: Memory, interval: Interval) -> Settled | None:
    """Choose what the formula leaves open for the prior that the user gave the length scale."""
    if not memory.open:
        return None
    settled = _checked(_chosen(memory, interval, memory.rows), memory.rows.shape[1])
    low, high = _likely(memory, interval)
    share = box.share_of_prior(memory.extents.size)
    chosen = [f"m={box.listed(settled.sizes)}"] if "m" in memory.open else []
    if "c" in memory.open:
        half = np.abs(memory.rows - memory.means[0][:, None]).max(axis=1)
        chosen.append(f"c={box.listed(settled.boundary[0] / half)}")
    sentence = (
        f"takes {' and '.join(chosen)}, enough for length scales from {box.listed(low)} to {box.listed(high)}, "
        f"the middle {100 * share:.0f} % of the prior of ell."
    )
    return Settled(
        settled, Basis(np.empty((0, memory.rows.shape[1])), columns_of(settled, memory.rows, memory.codes)), sentence
    )


def apply(memory: Memory, call: Call) -> Basis:
    """The basis functions at any rows within the boundary, those of a group zero in rows of others.

    Raises
    ------
    DataError
        For rows beyond it, where the basis is of no process, and for levels that the model has not seen.
    """
    x = call.columns("x")
    codes = np.zeros(call.rows, dtype=np.int64)
    if memory.levels is not None:
        codes = call.known_levels("by", memory.levels)
    if memory.covariance != PERIODIC:
        _refuse_outside(memory, call, x, codes)
    return Basis(np.empty((0, call.rows)), columns_of(memory, x, codes))


def _refuse_outside(memory: Memory, call: Call, x: FloatArray, codes: IndexArray) -> None:
    outside = np.abs(x - memory.means[codes].T) > memory.boundary[codes].T
    for column, text in enumerate(memory.texts):
        if rows := np.flatnonzero(outside[column]).tolist():
            group = codes[rows[0]]
            mean, boundary = memory.means[group, column], memory.boundary[group, column]
            raise DataError(
                f"{len(rows)} of {call.rows} rows of {text} lie beyond the boundary of '{call.term}', "
                f"{mean - boundary:.6g} to {mean + boundary:.6g}. A larger c= or L= in the formula moves it."
            )


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The weights, the process's standard deviation and its length scale."""
    names = () if memory.levels is None else tuple(level_name(level) for level in memory.levels)
    by = (("by", names),) if names else ()
    own = () if memory.share else by
    each = () if memory.iso else (("var", memory.texts),)
    functions = tuple(range(len(memory.indices)))
    alpha, share = box.PRIOR
    beta = share * (np.ones(memory.extents.size) if memory.scale else memory.unit)
    beta = np.tile(beta[:1] if memory.iso else beta, len(names) if own else 1)
    return (
        TermQuantity("sigma", "hyperparameter", axes=own),
        TermQuantity(
            "ell",
            "hyperparameter",
            prior=("InverseGamma", {"alpha": alpha, "beta": beta if beta.size > 1 else float(beta[0])}),
            axes=(*own, *each),
        ),
        TermQuantity("weights", "weights", axes=(("weights_dim", functions), *by)),
    )


def constants(memory: Memory) -> Mapping[str, Any]:
    """What the scales of the weights depend on beside sigma and the length scale, and what may be doubted of them."""
    return {
        "covariance": memory.covariance,
        "frequencies": memory.frequencies,
        "units": memory.unit if memory.scale else np.ones(memory.extents.size),
        "iso": memory.iso,
        "sizes": memory.sizes,
        "boundary": memory.boundary,
        "texts": memory.texts,
    }


ALLOWS = frozenset({INTEGRATES, MERGES, CODES})

HSGP = TermKind(
    ("hsgp",),
    "is a Gaussian process",
    learn,
    apply,
    quantities,
    "spectral",
    ALLOWS,
    constants=constants,
    settle=settle,
    doubts=box.doubts,
)
