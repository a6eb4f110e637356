"""Whether a picture is given the kind of record that it is of."""

from __future__ import annotations

from typing import Any

from nutslite.exceptions import SettingTypeError
from nutslite.recording.chain_record import ChainRecord
from nutslite.recording.transition_record import TransitionRecord


def check_transition(record: Any) -> None:
    """Refuse what is not the record of one transition.

    Raises
    ------
    SettingTypeError
    """
    if isinstance(record, ChainRecord):
        raise SettingTypeError(
            "This is a picture of one transition, and record is a whole chain: choose one, chain[500]."
        )
    if not isinstance(record, TransitionRecord):
        raise SettingTypeError(f"record is a TransitionRecord, chain[500] for example, not {type(record).__name__}.")


def check_chain(record: Any) -> None:
    """Refuse what is not the record of a chain.

    Raises
    ------
    SettingTypeError
    """
    if not isinstance(record, ChainRecord):
        hint = " Of those of record_fit, choose one." if isinstance(record, list) else ""
        raise SettingTypeError(f"record is a ChainRecord, as record_chain makes, not {type(record).__name__}.{hint}")
