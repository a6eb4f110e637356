"""Results that nobody has looked into yet: named arrays, which become an ``InferenceData`` when someone does.

An ``InferenceData`` cannot be made without ArviZ, which takes longer to import than most models take to fit, and a
table of the draws does not need it. So results hold their groups, and whatever is asked of them (an attribute, an item,
their type, a copy) opens them first: the container is built, and the object takes over what it holds and its class.
From then on it is one, ``type(results) is arviz.InferenceData``, with nothing in between.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nutslite.results.container.arviz_import import import_arviz
from nutslite.results.container.plain_group import PlainGroup

if TYPE_CHECKING:
    import xarray

Group = Any  # PlainGroup or xarray.Dataset

_HELD = "_held_groups"
_RESCUED = "_rescued_groups"
_ONE_AT_A_TIME = threading.RLock()
"""Who opens results, or adds to what they hold. Threads that meet at one object must not build it twice."""


class Unopened(Mapping[str, Any]):
    """Groups by name, until they are looked into.

    An object can take the class of an ``InferenceData`` because both are Mappings that add nothing but a ``__dict__``.
    Python looks methods with underscores up in the class, not by `__getattribute__`, so that all of those that an
    ``InferenceData`` has are here, too.

    Parameters
    ----------
    groups : dict of PlainGroup or Dataset
        Those without a variable are left out, as ArviZ does.
    """

    def __init__(self, groups: Mapping[str, Group]) -> None:
        object.__setattr__(self, _HELD, {name: group for name, group in groups.items() if _variables(group)})

    def __getattribute__(self, name: str) -> Any:
        return getattr(opened(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(opened(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(opened(self), name)

    def __getitem__(self, name: str) -> Any:
        return opened(self)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        opened(self)[name] = value

    def __delitem__(self, name: str) -> None:
        del opened(self)[name]

    def __contains__(self, name: object) -> bool:
        return name in opened(self)

    def __iter__(self) -> Iterator[Any]:
        return iter(opened(self))

    def __len__(self) -> int:
        return len(opened(self))

    def __add__(self, other: Any) -> Any:
        return opened(self) + other

    def __repr__(self) -> str:
        return repr(opened(self))

    def __dir__(self) -> list[str]:
        return dir(opened(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return opened(self).__reduce_ex__(protocol)


def opened(results: Any) -> Any:
    """The same object as an ``InferenceData``, which it is from now on.

    Raises
    ------
    SamplingError
        If the container cannot be built: the error says to which file the draws were written. The results stay as they
        are, so that it can be tried again.
    """
    with _ONE_AT_A_TIME:
        if type(results) is not Unopened:
            return results
        inside = object.__getattribute__(results, "__dict__")
        try:
            container = import_arviz().InferenceData(**{name: as_dataset(held) for name, held in inside[_HELD].items()})
            inside.update(vars(container))
            object.__setattr__(results, "__class__", type(container))
        except Exception:
            if inside.get(_RESCUED):
                raise
            from nutslite.sampler.rescue import rescued  # with all of the sampler, which a table of a dict does without

            with rescued(lambda: _arrays(inside[_HELD]), "one array a variable, by group and name"):
                inside[_RESCUED] = True
                raise
        for own in (_HELD, _RESCUED):
            inside.pop(own, None)
        return results


def held_groups(results: Any) -> dict[str, Group] | None:
    """What unopened results hold, without opening them: a dict to read and write; None for anything else."""
    with _ONE_AT_A_TIME:
        if type(results) is not Unopened:
            return None
        held: dict[str, Group] = object.__getattribute__(results, "__dict__")[_HELD]
        return held


def as_dataset(group: Group) -> xarray.Dataset:
    """A group as xarray has it."""
    dataset: xarray.Dataset = group.dataset() if isinstance(group, PlainGroup) else group
    return dataset


def _variables(group: Group) -> Mapping[Any, Any]:
    found: Mapping[Any, Any] = group.variables if isinstance(group, PlainGroup) else group.data_vars
    return found


def _arrays(groups: Mapping[str, Group]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group, held in groups.items():
        arrays = held.named_arrays()[0] if isinstance(held, PlainGroup) else held.data_vars
        found |= {f"{group}/{name}": array for name, array in arrays.items()}
    return found
