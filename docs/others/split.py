"""The rows that predictions of docs/predictions_of_others.md were made from, and those that they are judged on."""

from __future__ import annotations

import pandas as pd

import nutslite as nl


def houses() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Houses to learn from, and every third of a county's, in random order, to judge by."""
    return apart(nl.load_data("radon"), "county")


def householders() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Householders of Copenhagen, one a row: to learn from, and every third of each kind to judge by."""
    counted = nl.load_data("housing")
    people = counted.loc[counted.index.repeat(counted["Freq"])].drop(columns="Freq").reset_index(drop=True)
    return apart(people, ["Infl", "Type", "Cont"])


def apart(data: pd.DataFrame, by: str | list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two thirds and one third of the rows; what `by` tells apart is split alike."""
    mixed = data.sample(frac=1, random_state=1)
    held_out = mixed[mixed.groupby(by, observed=True).cumcount() % 3 == 2].sort_index()
    return data.drop(held_out.index), held_out
