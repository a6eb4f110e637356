"""The bundled data sets: what there is, and each as a DataFrame with its categories restored.

A CSV file does not say which columns are categories, nor in which order their levels come (the first is the reference),
so ``catalogue.json`` does, along with the title, the original publication and a model that suits the data.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

from nutslite._calls import public
from nutslite._garbage import importing
from nutslite._log import log
from nutslite.exceptions import DataError, DataTypeError, did_you_mean, error_about

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """One bundled data set.

    Parameters
    ----------
    name : str
        What `load_data` calls it.
    title : str
        What was measured.
    source : str
        The publication in which the data appeared.
    formula, family : str
        A model that suits the data.
    rows : int
        Number of rows.
    categories : mapping of str to (tuple of str or int, or None; bool)
        For every categorical column its levels in order (None: sorted), numbers where the publication has numbers, and
        whether they are ordered.
    dropna : bool
        Whether values are missing, so that the model needs ``dropna=True``.
    """

    name: str
    title: str
    source: str
    formula: str
    family: str
    rows: int
    categories: Mapping[str, tuple[tuple[str | int, ...] | None, bool]]
    dropna: bool = False


@public
@functools.cache
def datasets() -> Mapping[str, Dataset]:
    """All bundled data sets by name.

    >>> datasets()["cbpp"].formula
    'p(incidence, size) ~ period + (1|herd)'
    """
    text = resources.files("nutslite.datasets").joinpath("catalogue.json").read_text(encoding="utf-8")
    catalogue = {}
    for name, entry in json.loads(text).items():
        categories = {
            column: (None if kind["levels"] is None else tuple(kind["levels"]), kind["ordered"])
            for column, kind in entry.pop("categories").items()
        }
        catalogue[name] = Dataset(name=name, categories=MappingProxyType(categories), **entry)
    return MappingProxyType(catalogue)


@public
def load_data(name: str | None = None) -> pd.DataFrame:
    """Load a bundled data set, or list them all.

    Parameters
    ----------
    name : str, optional
        One of the names that ``load_data()`` lists; capitals do not matter.

    Returns
    -------
    pandas.DataFrame
        The data, one observation a row, categorical columns as ``category`` with their levels in order. Levels that
        are numbers in the publication are numbers: ``data[data["Subject"] == 308]`` finds a driver.
        Without `name`: one row per data set, with its size, a model that suits it, and its source.

    Raises
    ------
    DataError
        If there is no data set of that name.

    Examples
    --------
    >>> data = load_data("sleepstudy")
    >>> data.dtypes["Subject"].name
    'category'
    >>> len(data[data["Subject"] == 308])
    10
    """
    if name is None:
        return _listing()
    known = datasets()
    key = str(name).lower()
    if key not in known:
        raise error_about(name, str, DataError, DataTypeError)(
            f"There is no data set '{name}'.{did_you_mean(key, known)} Bundled are: {', '.join(known)}."
            " A file of your own is read by pandas.read_csv."
        )
    return _read(known[key])


@public
def clear_data_home(data_home: object = None) -> None:
    """Do nothing, and say so: data sets come with the package, so there is no folder of downloads to clear.

    It is here because Bambi, which downloads its data sets, has it.
    """
    log.info("The data sets are part of nutslite: nothing was downloaded, so there is nothing to clear.")


def _read(dataset: Dataset) -> pd.DataFrame:
    with importing():
        import pandas as pd

    folder = resources.files("nutslite.datasets")
    packed = folder.joinpath(f"{dataset.name}.csv.gz")  # the longer tables
    file = packed if packed.is_file() else folder.joinpath(f"{dataset.name}.csv")
    with file.open("rb") as content:
        # levels that are texts as texts, also where they are written in digits
        numbers = {name for name, (levels, _) in dataset.categories.items() if levels and isinstance(levels[0], int)}
        dtype = dict.fromkeys(dataset.categories.keys() - numbers, "str")
        frame = pd.read_csv(content, dtype=dtype, compression="gzip" if file is packed else None)
    for column, (levels, ordered) in dataset.categories.items():
        categories = None if levels is None else list(levels)
        frame[column] = pd.Categorical(frame[column], categories=categories, ordered=ordered)
    return frame


def _listing() -> pd.DataFrame:
    import pandas as pd

    columns = ("rows", "family", "formula", "title", "source")
    rows = [[getattr(dataset, column) for column in columns] for dataset in datasets().values()]
    return pd.DataFrame(rows, index=pd.Index(datasets(), name="name"), columns=list(columns))
