"""The choice among ways of sampling a Gaussian model: by prices that never fall as data grow, and it never fails."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.posterior.marginal import prices
from nutslite.posterior.marginal.prices import Sizes, cheapest, pairs_of_columns, too_dear
from nutslite.posterior.marginal.reduction import Reduction


def sizes(rows: int, common: int, levels: int, others: int, width: int = 1, classes: int = 20) -> Sizes:
    """A crossed design: `levels` of the largest factor, `others` effects of another, both spread evenly over rows."""
    rest = common + others
    per_level = np.full(levels, -(-rows // levels) if levels else 0)
    return Sizes(
        rows=rows,
        common=common,
        effects_per_row=width + (others > 0) if levels else 0,
        rest=rest,
        levels=levels,
        width=width if levels else 0,
        classes=min(classes, levels),
        pairs=pairs_of_columns(per_level, common, int(others > 0), rest),
        intercept_only=width == 1 and levels > 0,
    )


def price(found: Sizes) -> float:
    return prices.prices(found)[cheapest(found)]


CODES = ("s", "d", "dept", "service")
ROWS = (30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 1_000_000)
COMMON = (1, 5, 30, 61, 100, 170, 400)
LEVELS = (0, 5, 60, 300, 1000, 3000, 10_000)
OTHERS = (0, 5, 60, 300, 1100, 4000)


def test_fewer_rows_never_cost_more():
    for common, levels, others, width in product(COMMON, LEVELS, OTHERS, (1, 2)):
        if others <= levels:
            found = [price(sizes(rows, common, levels, others, width)) for rows in ROWS]
            assert all(less <= more for less, more in pairwise(found)), (common, levels, others, width)


def test_fewer_columns_and_levels_never_cost_more():
    for rows, levels, others in product(ROWS, LEVELS, OTHERS):
        found = [price(sizes(rows, common, levels, others)) for common in COMMON]
        assert all(less <= more for less, more in pairwise(found))
    for rows, common, levels in product(ROWS, COMMON, LEVELS[1:]):
        found = [price(sizes(rows, common, levels, others)) for others in OTHERS]
        assert all(less <= more for less, more in pairwise(found))


def test_part_of_the_data_never_costs_more():
    """Rows left out at random, with whatever levels go with them."""
    rng = np.random.default_rng(3)
    for n, n_levels, n_others in ((5000, 1500, 700), (400, 60, 50), (20_000, 100, 90)):
        left = np.column_stack([rng.integers(0, n_levels, n), rng.integers(0, n_others, n)])
        found = []
        while len(left) > 50:
            levels, others = (np.unique(column, return_counts=True)[1] for column in left.T)
            rest = 2 + others.size
            pairs = pairs_of_columns(levels, 2, 1, rest)
            found.append(price(Sizes(len(left), 2, 2, rest, levels.size, 1, 20, pairs, True)))
            left = left[rng.random(len(left)) < 0.7]
        assert len(found) > 5
        assert found == sorted(found, reverse=True)


def test_each_way_is_cheapest_somewhere_and_says_why_it_is_not():
    assert cheapest(sizes(180, 2, 18, 0)) == "marginal"
    assert cheapest(sizes(10_000, 2, 2700, 1100)) == "large"
    assert cheapest(sizes(100, 400, 0, 0)) == "joint"
    assert "order 400" in too_dear(sizes(100, 400, 0, 0))
    assert "302 columns" in too_dear(sizes(100, 2, 300, 300, width=2))
    many = sizes(2000, 60, 2000, 100, width=2, classes=2000)
    assert cheapest(many) == "joint"
    assert "2000 different levels" in too_dear(many)


def test_a_way_that_would_not_fit_into_memory_is_not_taken():
    assert prices.prices(sizes(10**6, 2, 500_000, 100_000))["large"] == np.inf
    assert prices.prices(sizes(10**6, 60, 10**5, 0, width=2, classes=10**5))["marginal"] == np.inf


def crossed(rows: int, columns: int, levels: tuple[int, ...]) -> nl.Model:
    rng = np.random.default_rng(rows + columns)
    data = {f"x{j}": rng.normal(size=rows) for j in range(columns)}
    for k, count in enumerate(levels):
        data[f"g{k}"] = np.char.add("l", (rng.permutation(rows) % count).astype(str))
    groups = "".join(f" + (1|g{k})" for k in range(len(levels)))
    formula = " + ".join(["1", *(f"x{j}" for j in range(columns))]) + groups
    return nl.Model(f"y ~ {formula}", pd.DataFrame({"y": rng.normal(size=rows), **data}))


@pytest.mark.filterwarnings("ignore::nutslite.exceptions.NutsliteWarning")
@pytest.mark.parametrize("levels", [(), (2,), (30,), (30, 29), (3, 40), (25, 4, 20)], ids=str)
@pytest.mark.parametrize("columns", [0, 1, 59, 62, 90, 180])
@pytest.mark.parametrize("rows", [40, 300])
def test_there_is_a_plan_for_every_size(rows, columns, levels):
    plan = crossed(rows, columns, levels).plan()
    assert len(plan.sentences) >= 3
    assert plan.path in ("joint", "marginal")
    reduced = isinstance(plan.reduction, Reduction)
    assert reduced == (plan.path == "marginal")
    if reduced:
        left = 1 + columns + sum(sorted(levels)[:-1])
        assert plan.reduction.rest_targets.size == left


@pytest.mark.parametrize("formula", ["log_radon ~ 0 + county:floor", "log_radon ~ county*floor"])
@pytest.mark.parametrize("kind", [str, float])
def test_interactions_of_many_levels(formula, kind):
    radon = nl.load_data("radon").astype({"floor": kind})
    own = {"common": nl.Prior("Normal", mu=0, sigma=5)}
    with pytest.warns(nl.NutsliteWarning, match="No row has"):
        model = nl.Model(formula, radon, priors=own)
    assert model.plan().path in ("joint", "marginal")


def test_two_crossed_factors_of_many_levels_are_factored_however_few_the_rows():
    plans = [crossed(rows, 1, (1500, 800)).plan() for rows in (2000, 6000)]
    assert [plan.reduction.large for plan in plans] == [True, True]


def test_a_part_of_the_ratings_is_sampled_as_all_of_them_are(shared_data):
    if not (shared_data / "InstEval_10k.csv").is_file():
        pytest.skip("needs InstEval_10k.csv")
    ratings = pd.read_csv(shared_data / "InstEval_10k.csv", dtype=dict.fromkeys(CODES, str))
    plan = nl.Model("y ~ service + (1|s) + (1|d) + (1|dept:service)", ratings.astype({"y": float})).plan()
    assert plan.reduction.large
    assert plan.reduction.rest_targets.size == 1102
