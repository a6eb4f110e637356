"""Reports as trees of data, as xarray and ArviZ have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


def tree_of(report: Any) -> DataTree:
    """Tables of a report by name; see `Report.to_datatree`."""
    from xarray import DataTree

    children = {"table": _dataset(report.table, "score"), "pointwise": _dataset(report.pointwise, "row")}
    if report.by is not None:
        children["by"] = _by(report.by)
    if report.joint is not None:
        children["joint"] = _dataset(report.joint, "group")
    tree = DataTree.from_dict(children, name="report")
    tree.attrs = {
        "verdict": report.verdict(),
        "notes": "\n".join(report.notes),
        "confidence": report.confidence,
        "rows": report.n,
    }
    return tree


def _dataset(table: pd.DataFrame, dim: str) -> Dataset:
    """Columns as variables; an index of several levels as labels of plain places."""
    from xarray import Dataset

    variables = {str(name): (dim, _plain(table[name])) for name in table.columns}
    if table.index.nlevels > 1:
        labels = {
            str(name): (dim, _plain(table.index.get_level_values(level)))
            for level, name in enumerate(table.index.names)
        }
        return Dataset(variables, coords={dim: range(len(table)), **labels})
    return Dataset(variables, coords={dim: _plain(table.index)})


def _by(table: pd.DataFrame) -> Dataset:
    """Labels and scores are dimensions of their own."""
    from xarray import Dataset

    labels, names = (table.index.get_level_values(level).unique() for level in ("by", "score"))
    variables = {}
    for column in table.columns:
        wide = table[column].unstack("score").loc[labels, names]
        variables[str(column)] = (("label", "score"), _plain(wide))
    return Dataset(variables, coords={"label": _plain(labels), "score": _plain(names)})


def _plain(values: Any) -> Any:
    """Numbers as they are; texts and whatever else has no type of its own as texts, which files can hold."""
    array = values.to_numpy()
    return array.astype(str) if array.dtype.kind == "O" or array.dtype.kind not in "biufUM" else array
