"""Arguments that a public function does not have: an error of ours that names the function and the argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import nutslite as nl
from nutslite import calibration, datasets, recording, sampler, scores
from nutslite._calls import CallError, public
from nutslite.exceptions import NutsliteError
from nutslite.results.pictures import plots

CLASSES = (
    nl.Model,
    nl.Formula,
    nl.Prior,
    nl.Family,
    nl.Likelihood,
    nl.Link,
    calibration.Calibration,
    scores.Prediction,
    scores.Report,
    scores.Comparison,
    scores.Stacked,
)
FUNCTIONS = (
    nl.load_data, nl.clear_data_home, nl.summary, nl.save, nl.load, nl.fit_quantiles, nl.fit_many, nl.from_draws,
    calibration.simulation_based_calibration, datasets.datasets, sampler.sample, plots.plot_trace,
    *(getattr(scores, name) for name in scores.__all__ if not isinstance(getattr(scores, name), type)),
    *(getattr(recording, name) for name in recording.__all__ if not isinstance(getattr(recording, name), type)),
)  # fmt: skip


def of_users() -> Iterator[tuple[str, Callable[..., Any], int]]:
    """All functions that users call, by name, and how many first arguments are not theirs."""
    for function in FUNCTIONS:
        yield function.__name__, function, 0
    for cls in CLASSES:
        yield cls.__name__, cls, 0
        for name in dir(cls):
            member = inspect.getattr_static(cls, name)
            if name.startswith("_") or isinstance(member, property) or not callable(getattr(cls, name)):
                continue
            if name in dir(str) or inspect.isclass(member):
                continue
            yield f"{cls.__name__}.{name}", getattr(cls, name), 0 if isinstance(member, classmethod) else 1


def test_all_public_names_are_looked_at():
    known = {function.__name__ for function in FUNCTIONS} | {cls.__name__ for cls in CLASSES}
    others = {name for name in nl.__all__ if name.endswith(("Error", "Warning"))} | {"config", "__version__"}
    assert set(nl.__all__) - others <= known


@pytest.mark.parametrize(("title", "function", "own"), list(of_users()), ids=[title for title, _, _ in of_users()])
def test_an_argument_that_does_not_exist(title, function, own):
    parameters = list(inspect.signature(function).parameters.values())[own:]
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return  # judges names itself; further tests look at these
    owner = next((cls for cls in CLASSES if cls.__name__ == title.partition(".")[0]), None)
    arguments = [object.__new__(owner)] if own and owner is not nl.Link else [nl.Link("log")] * own
    named = [parameter.name for parameter in parameters if parameter.kind != parameter.VAR_POSITIONAL]
    wrong = f"{named[0]}x" if named and len(named[0]) > 2 else "zz_nothing"
    with pytest.raises(CallError) as caught:
        function(*arguments, **{wrong: 1})
    assert issubclass(CallError, TypeError)
    assert issubclass(CallError, NutsliteError)
    assert str(caught.value).startswith(f"{title} has no argument '{wrong}'.")
    if wrong != "zz_nothing":
        assert "Did you mean" in str(caught.value)


def test_too_many_missing_and_twice():
    @public
    def area(width, height=1.0, *, unit="m"):
        return f"{width * height} {unit}"

    assert area(2.0, unit="km") == "2.0 km"
    for arguments, options, words in [
        ((1, 2, 3), {}, "area takes 2 arguments by position, not 3. It has: width, height, unit"),
        ((), {"height": 1}, "area needs width"),
        ((1,), {"width": 1}, "area is given width by position and by name"),
        ((1,), {"heigth": 1}, "Did you mean 'height'"),
    ]:
        with pytest.raises(CallError, match=words):
            area(*arguments, **options)


def test_errors_from_inside_stay_what_they_are():
    @public
    def inner(first):
        return abs()

    with pytest.raises(TypeError) as caught:
        inner(1)
    assert not isinstance(caught.value, CallError)


def test_names_of_methods_are_those_of_the_object():
    class Base:
        def area(self, width): ...

    public(Base)

    class Square(Base):
        pass

    with pytest.raises(CallError, match=r"Square\.area has no argument 'depth'"):
        Square().area(depth=1)


def test_signatures_and_documentation_stay():
    assert list(inspect.signature(nl.Model).parameters)[:3] == ["formula", "data", "family"]
    assert "posterior" in (nl.Model.fit.__doc__ or "")
    assert nl.Model.fit.__qualname__ == "Drawn.fit"
