"""The search for garbage: paused while modules load, as it was before and after."""

from __future__ import annotations

import gc
import weakref

import pytest

from nutslite._garbage import importing, without_collections


@pytest.fixture(autouse=True)
def frozen_as_before():
    """The run of the tests has frozen its own objects (`conftest.py`)."""
    frozen = gc.get_freeze_count()
    yield
    if frozen:
        gc.freeze()


class Node:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize("quiet", [without_collections, importing])
def test_it_pauses_and_goes_on(quiet):
    with quiet():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), quiet():
        raise ImportError
    assert gc.isenabled()


@pytest.mark.parametrize("quiet", [without_collections, importing])
def test_who_has_turned_it_off_finds_it_off(quiet):
    gc.disable()
    try:
        with quiet():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_of_imports_is_found_by_a_full_search():
    gc.unfreeze()  # what pytest has frozen
    with importing():
        gone = weakref.ref(Node())
    assert gone() is not None
    gc.collect(0)
    assert gone() is not None  # it counts as old
    gc.collect()
    assert gone() is None


def test_what_is_frozen_stays_frozen():
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        with importing():
            pass
        assert gc.get_freeze_count() > 0.9 * frozen > 0  # some of it may have been given up meanwhile
    finally:
        gc.unfreeze()
