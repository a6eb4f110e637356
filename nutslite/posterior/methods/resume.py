"""Checkpoints of a model's run: where its chains were launched, so that going on needs no second pilot.

A pilot chooses starts, metric and coordinates. Doing that again would agree to many digits, but a checkpoint promises
all of them, on a machine that may be busier or have other libraries today.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._schema import FLAG, NOTHING, Either, Misfit, Number, Numbers, Record, Row, Text
from nutslite.posterior.marginal.interpolation import Interpolation, degree
from nutslite.posterior.methods.nuts_start import NutsStart
from nutslite.posterior.pilot.matrix_structure import Structure, structure_of_one_factor
from nutslite.posterior.record.transforms import BENT_LOG, FOLD, LOG
from nutslite.posterior.record.warp import FREE, UNIT
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.matrix_target import MatrixTarget
from nutslite.posterior.targets.target import JointTarget, Target
from nutslite.sampler.checkpoint.checkpoint import Checkpoint, RecordKind
from nutslite.sampler.checkpoint.metric_shapes import METRIC_SHAPES, check_metric
from nutslite.sampler.checkpoint.record_log import Entry
from nutslite.sampler.independence.proposals import DefensiveMixture
from nutslite.sampler.transition.metric import Metric

Arrays = dict[str, NDArray[Any]]
FloatArray = NDArray[np.float64]


TRANSFORMS = "data.head.transforms"

_LAUNCH = {
    "metric": Text(among=("diag", "diag_grad", "dense", "given")),
    "jitter": Number(0.0, 1e6),
    "adapts": FLAG,
    "tune": Number(0, 10**9, whole=True),
    "target_accept": Either((Number(0.0, 1.0), NOTHING), "an acceptance or nothing"),
    "trajectory": Text(among=("nuts", "rotation")),
}
WARP = "data.warp."
_WARP = {
    "members": Numbers(("members",), "int64"),
    "given": Numbers(("given",), "int64"),
    "scale": Numbers(("place and width",), finite=True),
    "knots": Numbers(("knots",), finite=True),
    "centers": Numbers((2, "knots", "members"), finite=True),
    "logs": Numbers((2, "knots", "members"), finite=True),
    "lowers": Numbers((2, "knots", "pairs"), finite=True),
    "stretched": Numbers(("members",), finite=True),
    "direction": Numbers(("head",), finite=True),
    "raised": Numbers(("rows",), finite=True),
}
MATRIX = "matrix."
_MATRIX = {
    "numbers": Numbers(("numbers",), finite=True),
    "right": Numbers(("members",), finite=True),
    "center": Numbers(("hyper",), finite=True),
    "stretch": Numbers(("hyper", "hyper"), finite=True),
}
"""The constants of matrix centring; its places follow from the model."""
_PROPOSAL = RecordKind(
    Record(),
    Record(
        {
            "center": Numbers(("dimension",), finite=True),
            "factor": Numbers(("dimension", "dimension"), finite=True),
            "sizes": Numbers(("dimension",), finite=True),
        }
    ),
)
_INTERPOLATION = RecordKind(
    Record({"serves": FLAG}),
    Record({"log_ratio": Numbers(("terms",), finite=True), "means": Numbers(("terms", "rest"), finite=True)}),
)


def resumed_start(checkpoint: Checkpoint | None, target: Target, launch: Callable[[], NutsStart]) -> NutsStart:
    """What `launch` finds, or what it found when the checkpoint was begun; the target's coordinates included."""
    if checkpoint is None:
        return launch()
    if found := checkpoint.find("launch"):
        return _launched_before(checkpoint, found[0], target)
    before = _arrays_of(_coordinates(target))
    new = launch()
    after = _arrays_of(_coordinates(target))
    arrays = {"initial": new.initial, **_changed(before, after)}
    fields: dict[str, Any] = {"jitter": new.jitter, "adapts": new.adapts, "tune": new.tune, "metric": new.metric}
    fields |= {"target_accept": new.target_accept, "trajectory": new.trajectory}
    if isinstance(target, JointTarget) and target.is_warped:
        fields |= {"warp": [int(target.model.warp.kind), int(target.model.warp.pivot)]}
        arrays |= {name: after[name] for name in after if name in {f"{WARP}{part}" for part in _WARP}}
    if isinstance(target, MatrixTarget):
        fields |= {"matrix": target.centring is not None}
        if target.centring is not None:
            arrays |= {f"{MATRIX}{name}": getattr(target.centring, name) for name in _MATRIX}
    if isinstance(new.metric, Metric):
        fields |= {"metric": "given", "metric_kind": int(new.metric.kind)}
        arrays |= {name: getattr(new.metric, name) for name in Metric._fields[1:]}
    if isinstance(target, JointTarget | MarginalTarget):  # any other is launched again, to the same end
        checkpoint.append("launch", arrays, **fields)
    return new


def _launched_before(checkpoint: Checkpoint, entry: Entry, target: Target) -> NutsStart:
    """What a record of a launch says, once its arrays were found to be those of this target."""
    sizes = {"dimension": target.dimension}
    before = _arrays_of(_coordinates(target))
    coordinates = {
        name: Numbers(array.shape, dtype=str(array.dtype))
        for name, array in before.items()
        if array.dtype == np.float64 or name == TRANSFORMS  # no launch changes the integers that are places in arrays
        if not name.startswith(WARP)
    }
    kind = entry.fields.get("metric_kind") if entry.fields.get("metric") == "given" else None
    arrays = {"initial": Numbers(("chains", "dimension"), finite=True)}
    fields = _LAUNCH
    warped = isinstance(target, JointTarget) and "warp" in entry.fields
    if kind is not None:
        arrays |= METRIC_SHAPES.get(kind if isinstance(kind, int) else -1, {})
        fields = {**fields, "metric_kind": Number(0, len(METRIC_SHAPES) - 1, whole=True)}
    if warped:
        arrays |= {f"{WARP}{name}": numbers for name, numbers in _WARP.items()}
        fields = {**fields, "warp": Row((Number(0, UNIT, whole=True), Number(0, target.dimension - 1, whole=True)))}
    moved = isinstance(target, MatrixTarget) and entry.fields.get("matrix") is True
    if isinstance(target, MatrixTarget):
        fields = {**fields, "matrix": FLAG}
    structure = _structure_of(target) if moved else None
    if structure is not None:
        sizes |= {"numbers": structure.pattern.rows.size, "members": structure.members.size}
        sizes |= {"hyper": structure.hyper.size}
        arrays |= {f"{MATRIX}{name}": numbers for name, numbers in _MATRIX.items()}
    record = checkpoint.read(entry, RecordKind(Record(fields), Record(arrays, coordinates)), sizes)
    metric: Metric | str = record.fields["metric"]
    with checkpoint.damage_in_words():
        check_metric(sizes)
        if TRANSFORMS in record.arrays:
            _check_transforms(before[TRANSFORMS], record.arrays[TRANSFORMS])
        if warped:
            _check_warp(record.fields["warp"][0], record.arrays, target)
    if metric == "given":
        metric = Metric(int(record.fields["metric_kind"]), *(record.arrays[name] for name in Metric._fields[1:]))
    _set_coordinates(target, {name: value for name, value in record.arrays.items() if name.startswith("data.")})
    if isinstance(target, JointTarget) and warped:
        kind, pivot = record.fields["warp"]
        target.model = target.model._replace(warp=target.model.warp._replace(kind=kind, pivot=pivot))
    if isinstance(target, MatrixTarget) and structure is not None:
        target.move_to(target.model, structure.centring(*(record.arrays[f"{MATRIX}{name}"] for name in _MATRIX)))
    plain = (record.fields[name] for name in ("adapts", "tune", "target_accept", "trajectory"))
    return NutsStart(record.arrays["initial"], record.fields["jitter"], metric, *plain)


def _structure_of(target: Target) -> Structure:
    """The places of matrix centring, which the model says.

    Raises
    ------
    Misfit
        If this model has none.
    """
    found = None
    if isinstance(target, MatrixTarget):
        found = target.structure or structure_of_one_factor(target.model)
    if found is None:
        raise Misfit("its coordinates are not those of this model")
    return found


def _check_warp(kind: int, arrays: Arrays, target: Target) -> None:
    """Raise where tables of coordinates do not fit each other, or name places that the model lacks."""
    sizes = {name: arrays[f"{WARP}{name}"].shape[-1] for name in _WARP}
    n = sizes["members"]
    places = np.concatenate([arrays[f"{WARP}members"], arrays[f"{WARP}given"]])
    rows, head = (target.rows, _coordinates(target).head.transforms.size) if kind != FREE else (0, 0)
    fits = sizes["given"] <= 1 and sizes["scale"] == 2 and sizes["knots"] > 0 and sizes["lowers"] == n * (n - 1) // 2
    fits &= kind == FREE or (sizes["raised"] == rows and sizes["direction"] == head)
    if not (fits and ((places >= 0) & (places < target.dimension)).all()):
        raise Misfit("its coordinates are not those of this model")


def _check_transforms(before: NDArray[Any], after: NDArray[Any]) -> None:
    """Raise where a launch would have given a parameter another transform than those of scales that may be zero."""
    changed = before != after
    if not (np.isin(before[changed], (LOG,)).all() and np.isin(after[changed], (FOLD, BENT_LOG)).all()):
        raise Misfit("its coordinates are not those of this model")


def proposed(
    checkpoint: Checkpoint | None, dimension: int, propose: Callable[[], tuple[DefensiveMixture, FloatArray]]
) -> tuple[DefensiveMixture, FloatArray]:
    """The proposal of an independence sampler and the sizes (d,) of scales that are folded, 0 of others.

    They are what `propose` finds, or what it found for the checkpoint.
    """
    if checkpoint is not None and (found := checkpoint.find("proposal")):
        arrays = checkpoint.read(found[0], _PROPOSAL, {"dimension": dimension}).arrays
        center, factor, sizes = (arrays[name] for name in ("center", "factor", "sizes"))
        return DefensiveMixture(center, factor, tuple(np.flatnonzero(sizes).tolist())), sizes
    proposal, sizes = propose()
    if checkpoint is not None:
        checkpoint.append("proposal", {"center": proposal.center, "factor": proposal.factor, "sizes": sizes})
    return proposal, sizes


def known_between(
    checkpoint: Checkpoint | None,
    proposal: DefensiveMixture,
    rest: int,
    interpolate: Callable[[], Interpolation | None],
) -> Interpolation | None:
    """The interpolation that `interpolate` finds, or found for the checkpoint; None where it found none.

    `rest` is the number of columns whose means it has.
    """
    if checkpoint is not None and (found := checkpoint.find("interpolation")):
        d = proposal.center.size
        sizes = {"terms": math.comb(d + degree(d), d), "rest": rest}
        kind = (
            _INTERPOLATION if found[0].fields.get("serves") is True else RecordKind(Record({"serves": FLAG}), Record())
        )
        arrays = checkpoint.read(found[0], kind, sizes).arrays
        return Interpolation(proposal.center, proposal.factor, arrays["log_ratio"], arrays["means"]) if arrays else None
    new = interpolate()
    if checkpoint is not None:
        arrays = {} if new is None else {"log_ratio": new.log_ratio, "means": new.means}
        checkpoint.append("interpolation", arrays, serves=new is not None)
    return new


def _coordinates(target: Target) -> Any:
    """The record whose arrays a launch may replace."""
    if isinstance(target, JointTarget):
        return target.model
    return target.reduction.data if isinstance(target, MarginalTarget) else None


def _changed(before: Arrays, after: Arrays) -> Arrays:
    """What is another array now, or another whole number."""
    return {
        name: array
        for name, array in after.items()
        if array is not before.get(name)
        and not (array.dtype.kind == "i" and np.array_equal(array, before.get(name, array[:0])))
        and name not in (f"{WARP}kind", f"{WARP}pivot")  # which are a field
    }


def _set_coordinates(target: Target, arrays: Arrays) -> None:
    record = _with_arrays(_coordinates(target), arrays)
    if isinstance(target, JointTarget):
        target.model = record
    elif isinstance(target, MarginalTarget):
        target.reduction = replace(target.reduction, data=record)


def _arrays_of(record: Any, path: str = "data") -> Arrays:
    """The arrays and whole numbers of a nested record, by the path to each."""
    if isinstance(record, np.ndarray):
        return {path: record}
    if isinstance(record, int):
        return {path: np.array([record])}
    found: Arrays = {}
    for name in getattr(record, "_fields", ()):
        found |= _arrays_of(getattr(record, name), f"{path}.{name}")
    return found


def _with_arrays(record: Any, arrays: Arrays, path: str = "data") -> Any:
    """The nested record with some of its arrays and whole numbers replaced."""
    if not hasattr(record, "_fields"):
        found = arrays.get(path, record)
        return int(found[0]) if isinstance(record, int) and isinstance(found, np.ndarray) else found
    return record._replace(
        **{name: _with_arrays(getattr(record, name), arrays, f"{path}.{name}") for name in record._fields}
    )
