"""Columns are counted before they are made: what would fill the memory is refused at once, with the number."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.design import build_design
from nutslite.formula.evaluation import sizes

ROWS = 20_000
IDS = np.char.add("s", np.arange(10_000).astype(str))


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = {"y": rng.normal(size=ROWS), "x": rng.normal(size=ROWS), "k": rng.integers(0, 8, ROWS)}
    ids = {name: pd.Categorical.from_codes(rng.integers(0, 10_000, ROWS), IDS) for name in ("g", "h")}
    return pd.DataFrame(columns | ids)


DATA = data()
NESTED = "/".join(f"C(k + {shift})" for shift in range(12))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("g:h", ("'g:h'", "columns", "(1|g:h)", "20000 rows")),
        ("g*h", ("'g:h'", "(1|g:h)")),
        ("0 + h:g", ("'h:g'", "(1|h:g)")),
        ("x:g:h", ("'x:g:h'", "(0 + x|g:h)")),
        ("(g:h|k)", ("'g:h'",)),
        ("C(g, Sum):C(h, Sum)", ("'C(g, Sum):C(h, Sum)'",)),
        (NESTED, ("crosses 6 categories", "8 x 8 x 8 x 8 x 8 x 8 = 262144")),
        (f"({NESTED}|k)", ("crosses 6 categories",)),
        (
            ":".join(f"C(k > {bound})" for bound in range(7)) + ":" + ":".join(f"C(x > 0.{i})" for i in range(9)),
            ("16",),
        ),
        ("bs(x, df=300):poly(x, 7):g", ("columns", "at most 50000 are made", "fewer columns")),
        ("bs(x, df=230):cr(x, df=230)", ("'bs(x, df=230):cr(x, df=230)' has 52900", "fewer columns")),
        ("C(x):k", ("'C(x):k' has 20000 columns", "(0 + k|C(x))")),
    ],
)
def test_interactions_are_refused_with_their_number(
    terms: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "physical_memory", lambda: 2.0**31)
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(DataError) as caught:
            build_design(f"y ~ {terms}", DATA)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < 40.0  # splines of two columns take most of it, on a busy machine
    assert peak < 3e8
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("bs(x, df=900)", ("900 columns of 20000 rows", "fewer columns")),
        ("cr(x, df=900)", ("900 columns of 20000 rows",)),
        ("cc(x, df=900)", ("900 columns of 20000 rows",)),
        ("poly(x, 900)", ("900 columns of 20000 rows",)),
        ("poly(x, 900, raw=True)", ("900 columns of 20000 rows",)),
        ("bs(x, knots=places)", ("2000 knots", "at most 1000")),
        ("bs(x, df=1001)", ("at most 1000",)),
        ("te(cr(x, df=20), cr(k, df=6))", ("120 columns of 20000 rows",)),
        ("te(te(cr(x, df=20), x), te(cr(x, df=10), cr(x, df=6)))", ("20 x 60 = 1200 columns", "at most 1000")),
        ("te(te(te(cr(x, df=20), x), x), cr(k, df=6))", ("120 columns of 20000 rows",)),
    ],
)
def test_bases_are_refused_before_they_are_made(
    call: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "physical_memory", lambda: 2.0 * 8 * 100 * ROWS)
    extra = {"places": np.linspace(-1.0, 1.0, 2000)}
    with pytest.raises(FormulaError) as caught:
        build_design(f"y ~ {call}", DATA, extra_namespace=extra)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_count_is_what_is_made() -> None:
    """Full and reduced coding, several columns, contrasts: a limit at the count lets pass, one below refuses."""
    rng = np.random.default_rng(2)
    small = pd.DataFrame(rng.normal(size=(60, 2)), columns=["y", "x"]).assign(
        g=np.resize(list("abc"), 60), h=rng.permutation(np.resize(list("uvwz"), 60))
    )
    terms = ["g", "g:h", "0 + g:h", "g*h", "g/h", "x:g", "bs(x, df=4):g:h", "C(g, Sum)*C(h, Helmert)", "0 + x:g + g"]
    with pytest.MonkeyPatch.context() as patch:
        for text in terms:
            patch.undo()
            made = len(build_design(f"y ~ {text}", small).predictors["mu"].matrix)
            patch.setattr(sizes, "MOST_COLUMNS", made)
            build_design(f"y ~ {text}", small)
            patch.setattr(sizes, "MOST_COLUMNS", made - 1)
            with pytest.raises(DataError, match="columns"):
                build_design(f"y ~ {text}", small)


def test_a_degree_that_float64_cannot_tell_apart() -> None:
    with pytest.raises(FormulaError, match="degree 60 is too high"):
        build_design("y ~ poly(x, 60)", DATA)
    basis = build_design("y ~ poly(x, 20)", DATA).predictors["mu"].matrix
    np.testing.assert_allclose(basis @ basis.T, np.eye(20), atol=1e-6)


def test_memory_that_runs_out_in_a_function_of_the_user_is_said() -> None:
    def hungry(x: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(FormulaError, match=r"'hungry\(x\)' takes more memory"):
        build_design("y ~ hungry(x)", DATA, extra_namespace={"hungry": hungry})
