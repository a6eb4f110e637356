"""What passes find out of columns, beside the same of the whole column: quantiles, polynomials."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite.engines import quantiles
from nutslite.engines.learning import extent, polynomial
from nutslite.engines.quantiles import Listing
from nutslite.engines.way import Way
from nutslite.formula.evaluation.transforms import Polynomial

RNG = np.random.default_rng(1)
COLUMNS = {
    "normal": RNG.normal(size=1001),
    "long tail": np.exp(4.0 * RNG.normal(size=1000)),
    "ties": RNG.integers(0, 5, 1000).astype(float),
    "one far away": np.append(RNG.normal(size=999), 1e9),
    "two values": np.array([2.0, 7.0]),
    "one value": np.full(100, 3.0),
}


def end_of(way: Way, x: np.ndarray, looks: list | None = None):
    """What a way finds out of a column in five blocks."""
    sums = None
    while True:
        try:
            look = way.send(sums)
        except StopIteration as end:
            return end.value
        if looks is not None:
            looks.append(look)
        first, *others = (look(block, {"degree": 3}) for block in np.array_split(x, 5) if len(block))
        sums = first
        for other in others:
            sums = sums + other


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("few", [0, 20, 10_000])
def test_quantiles_are_numpys(name, few, monkeypatch):
    monkeypatch.setattr(quantiles, "FEW", few)
    monkeypatch.setattr(quantiles, "BINS", 8)
    x, shares = COLUMNS[name], [0.0, 0.1, 1 / 3, 0.5, 0.99, 1.0]
    found = end_of(quantiles.quantiles(x.min(), x.max(), len(x), shares), x)
    assert found == pytest.approx(np.quantile(x, shares), rel=1e-12)


def test_quantiles_of_many_rows_look_at_few_values(monkeypatch):
    monkeypatch.setattr(quantiles, "FEW", 100)
    monkeypatch.setattr(quantiles, "BINS", 64)
    x, looks = COLUMNS["normal"], []
    end_of(quantiles.quantiles(x.min(), x.max(), len(x), [0.25, 0.5, 0.75]), x, looks)
    assert len(looks) == 2
    listings = [look for look in looks[-1].looks if isinstance(look, Listing)]
    assert len(listings) == 3
    assert all(len(look(x, {}).values) <= 100 for look in listings)


def test_polynomials_are_those_of_the_whole_column():
    x = COLUMNS["normal"]
    whole, way = Polynomial(), polynomial()
    whole.memorize_chunk(x, 3)
    found = end_of(way, x)
    assert found.transform(x, 3) == pytest.approx(whole.transform(x, 3), rel=1e-9, abs=1e-12)
    assert extent(x, {}).rows == len(x)


def test_a_degree_beyond_the_different_values_is_refused():
    with pytest.raises(ValueError, match="degree 3 is too high"):
        end_of(polynomial(), np.tile([0.0, 1.0, 5.0], 40))
