"""Settings for all models of a process, as in Bambi: ``nutslite.config["UNUSED_PRIORS"] = "error"``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nutslite.exceptions import NutsliteError, did_you_mean, refuse_other

CHOICES = {"UNUSED_PRIORS": ("warn", "error", "ignore")}
"""What a setting may be, by its name; the first at the beginning."""


class UnknownSettingError(NutsliteError, KeyError):
    """There is no setting of that name."""

    def __str__(self) -> str:  # a KeyError would put its message in quotes
        return str(self.args[0])


class SettingByNameError(NutsliteError, AttributeError):
    """An assignment to an attribute."""


class Config(Mapping[str, str]):
    """Settings by name; they hold for models that are made afterwards.

    ``"UNUSED_PRIORS"`` says what a `Model` without ``unused_priors=`` does about names in its `priors` that are not in
    it: ``"warn"``, ``"error"`` or ``"ignore"``. Another name is a `NutsliteError` (and a KeyError), another value too.
    """

    def __init__(self) -> None:
        self._values: dict[str, str]
        self.__dict__["_values"] = {name: choices[0] for name, choices in CHOICES.items()}

    def __setattr__(self, name: str, value: object) -> None:
        raise SettingByNameError(f"config.{name} = ... sets nothing: config[{_known(name)!r}] = {value!r} does.")

    def __getitem__(self, name: str) -> str:
        return self._values[_known(name)]

    def __setitem__(self, name: str, value: str) -> None:
        refuse_other(f"config['{_known(name)}']", value, CHOICES[name])
        self._values[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Config({self._values})"


def _known(name: str) -> str:
    if name not in CHOICES:
        raise UnknownSettingError(
            f"config has no setting {name!r}.{did_you_mean(str(name), CHOICES)} It has: {', '.join(CHOICES)}."
        )
    return name


config = Config()
"""The settings of this process."""
