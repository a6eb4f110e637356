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
        "border_coupling": beside,
    }
    return {name: Numbers(shape, finite=True) for name, shape in shapes.items()}


METRIC_SHAPES = {
    DIAGONAL: _shapes(0, 0, 0, 0, 0),
    DENSE: _shapes("dimension", 0, 0, 0, "dimension"),
    ARROWHEAD: _shapes("border", "blocks", "block", "coupled", "border"),
}
"""By kind, the arrays of `Metric` by name, with names of lengths."""


def check_arrowhead(sizes: dict[str, int]) -> None:
    """Whether the parts of an arrowhead metric make up all coordinates; other kinds have no such parts.

    Parameters
    ----------
    sizes : dict
        Lengths by name, as `nutslite._schema.check` left them.

    Raises
    ------
    Misfit
    """
    if "border" not in sizes:
        return
    beside = sizes["blocks"] * sizes["block"]
    if sizes["coupled"] != beside or sizes["border"] + beside != sizes["dimension"]:
        raise Misfit("the parts of its metric do not make up all coordinates")
