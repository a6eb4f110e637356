"""Kernels that count no references to arrays: they make none."""

from __future__ import annotations

import numpy as np
import pytest
from family_cases import Case
from numba.core.runtime import rtsys
from numba.core.runtime._nrt_python import memsys_disable_stats, memsys_enable_stats

from nutslite._numba import jit_disabled
from nutslite.families.links.codes import CODES
from nutslite.families.record.family import compiled_loglik
from nutslite.families.record.register import get_family
from nutslite.families.rows.kernel_rows import spread_rows
from nutslite.families.user.built_in import built_in, family_names

COUNT_NOTHING = [name for name in family_names() if hasattr(built_in(name).kernel, "_allocates_nothing")]


def test_the_commonest_families_count_nothing() -> None:
    assert {"bernoulli", "binomial", "gaussian", "gamma", "poisson"} <= set(COUNT_NOTHING)


@pytest.mark.skipif(jit_disabled(), reason="Python counts references itself")
@pytest.mark.parametrize("name", COUNT_NOTHING)
def test_kernels_leave_no_memory_behind(name: str) -> None:
    """What a kernel allocates where nothing is counted would stay for ever, or not compile."""
    family = get_family(name)
    names = {code: text for text, code in CODES.items()}
    links = {parameter.name: names[parameter.native_link] for parameter in family.parameters}
    native = compiled_loglik(family, family.link_codes(links))
    for varying in (set(), set(links)):
        case = Case(family, links, varying)
        out, slopes = np.empty(case.y.shape[1]), np.empty_like(case.eta)
        memsys_enable_stats()
        before = rtsys.get_allocation_stats()
        native(case.y, np.empty(0), 0, case.eta.copy(), case.varies, case.links, out, slopes)
        after = rtsys.get_allocation_stats()
        memsys_disable_stats()
        assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free
        assert np.isfinite(out).all()


def test_a_constant_parent_is_spread_over_its_row() -> None:
    eta = np.array([[0.5, np.nan, np.nan, np.nan], [1.0, np.nan, np.nan, np.nan]])
    native, slope = getattr(spread_rows, "py_func", spread_rows)((0, 1), eta, np.array([0, 0]), np.array([0, 1]), 3)
    np.testing.assert_array_equal(native[0], [0.5, 0.5, 0.5, np.nan])
    assert native[1, 0] == 1.0
    assert slope.shape[0] == 0
