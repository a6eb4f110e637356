"""Shapes of a metric's arrays, for those that come from a file: compiled code looks at no bounds."""

from __future__ import annotations

from nutslite._schema import Misfit, Numbers
from nutslite.sampler.transition.metric import ARROWHEAD, DENSE, DIAGONAL


def _shapes(
    border: int | str, blocks: int | str, size: int | str, coupled: int | str, width: int | str
) -> dict[str, Numbers]:
    square, cube, beside = (border, border), (blocks, size, size), (coupled, width)
    shapes: dict[str, tuple[int | str, ...]] = {
        "variances": ("dimension",),
        "covariance": square,
        "factor": square,
        "block_inverses": cube,
        "block_factors": cube,
        "coupling": beside,
        "scales": (0, 0),
        "center": ("center",),
    }
    return {name: Numbers(shape, finite=True) for name, shape in shapes.items()}


METRIC_SHAPES = {
    DIAGONAL: _shapes(0, 0, 0, 0, 0),
    DENSE: _shapes("dimension", 0, 0, 0, "dimension"),
    ARROWHEAD: _shapes("border", "blocks", "block", "coupled", "border"),
}
"""By kind, the arrays of `Metric` by name, with names of lengths."""


def check_metric(sizes: dict[str, int]) -> None:
    """Whether a centre is one of all coordinates, and the parts of an arrowhead metric make them up.

    Parameters
    ----------
    sizes : dict
        Lengths by name, as `nutslite._schema.check` left them.

    Raises
    ------
    Misfit
    """
    if sizes.get("center", 0) not in (0, sizes["dimension"]):
        raise Misfit("the centre of its metric is not one of all coordinates")
    if "border" not in sizes:
        return
    beside = sizes["blocks"] * sizes["block"]
    if sizes["coupled"] != beside or sizes["border"] + beside != sizes["dimension"]:
        raise Misfit("the parts of its metric do not make up all coordinates")
