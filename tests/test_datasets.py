"""The bundled data sets load as what their sources say they are."""

import json
from importlib import resources

import pandas as pd
import pytest

from nutslite.datasets import datasets, load_data
from nutslite.exceptions import DataError
from nutslite.families.record.register import get_family
from nutslite.formula.design import build_design

FOLDER = resources.files("nutslite.datasets")
# names that differ from those of the files they were taken from
ORIGINALS = {
    "penicillin": "Penicillin",
    "pastes": "Pastes",
    "dyestuff": "Dyestuff",
    "kidiq": "kidiq_rstanarm",
    "radon": "radon_rstanarm",
    "admissions": "binary",
    "owls": "Owls",
    "verbagg": "VerbAgg",
    "wells": "wells_rstanarm",
    "oats": "Oats",
    "orthodont": "Orthodont",
    "eight_schools": "pdb_eight_schools",
    "kilpisjarvi": "pdb_kilpisjarvi",
}
RENAMED = {
    "gasoline": {"yield": "share"},
    "oats": {"yield": "grain"},
    "kilpisjarvi": {"x": "year", "y": "temperature"},
}


@pytest.mark.parametrize("name", list(datasets()))
def test_loads_complete_with_its_categories(name):
    dataset = datasets()[name]
    frame = load_data(name)
    assert len(frame) == dataset.rows
    assert frame.isna().any().any() == dataset.dropna
    for column, (levels, ordered) in dataset.categories.items():
        assert isinstance(frame[column].dtype, pd.CategoricalDtype)
        assert frame[column].cat.ordered == ordered
        if levels is not None:
            assert tuple(frame[column].cat.categories) == levels
            assert set(frame[column]) == set(levels)  # no level without a row


@pytest.mark.parametrize("name", list(datasets()))
def test_levels_are_numbers_where_they_are_written_as_numbers(name):
    """``data[data.Subject == 308]`` finds rows, as in the published tables; the names in results are texts."""
    frame = load_data(name)
    for column in datasets()[name].categories:
        levels = frame[column].cat.categories
        assert not any(str(level).isdigit() and isinstance(level, str) for level in levels)
        assert (frame[column] == levels[0]).any()
        design = build_design(f"row ~ (1|{column})", frame.assign(row=range(len(frame))))
        assert design.factors[column].levels == tuple(str(level) for level in levels)


@pytest.mark.parametrize("name", list(datasets()))
def test_suggested_model_suits_the_data(name):
    dataset = datasets()[name]
    family = get_family(dataset.family)
    design = build_design(
        dataset.formula,
        load_data(name),
        parameters=[parameter.name for parameter in family.parameters],
        dropna=dataset.dropna,
    )
    family.check_response(design.response)
    assert design.n_rows + design.n_dropped == dataset.rows
    assert (design.n_dropped > 0) == dataset.dropna


@pytest.mark.parametrize("name", list(datasets()))
def test_equals_the_original(name, shared_data):
    original = ORIGINALS.get(name, name)
    categories = datasets()[name].categories
    expected = pd.read_csv(shared_data / f"{original}.csv", dtype=dict.fromkeys(categories, "str"))
    expected = expected.rename(columns=RENAMED.get(name, {}))
    if name == "kilpisjarvi":
        expected["year"] -= 2000  # what posteriordb added
    frame = load_data(name)
    pd.testing.assert_frame_equal(frame.astype(dict.fromkeys(categories, "str")), expected, check_dtype=False)
    recorded = json.loads((shared_data / "columns.json").read_text()).get(original, {"columns": {}})["columns"]
    for column, kind in recorded.items():
        factor = "factor" in kind["type"] or (name, column) == ("inhaler", "rating")  # ordered, called 1 to 4
        assert (column in categories) == factor
        if isinstance(kind.get("levels"), list):
            assert [str(level) for level in frame[column].cat.categories] == kind["levels"]


def test_sleepstudy_is_the_published_table():
    frame = load_data("sleepstudy")
    assert list(frame.columns) == ["Reaction", "Days", "Subject"]
    assert frame["Subject"].nunique() == 18
    assert len(frame[frame["Subject"] == 308]) == 10
    assert frame["Reaction"].mean() == pytest.approx(298.5079, abs=1e-4)


def test_rrr_long_lacks_what_the_guide_says_it_lacks():
    frame = load_data("rrr_long")
    assert len(frame) == 6940
    assert frame.isna().any(axis=1).sum() == 401
    assert frame[["value", "condition", "age", "gender"]].isna().any(axis=1).sum() == 33
    assert len(frame[["study", "uid"]].drop_duplicates()) == 1735
    assert frame["uid"].nunique() == 189  # the numbers start again in every laboratory


def test_names_ignore_capitals():
    pd.testing.assert_frame_equal(load_data("SleepStudy"), load_data("sleepstudy"))


def test_every_call_gives_a_frame_of_its_own():
    frame = load_data("mtcars")
    frame["mpg"] = 0.0
    assert load_data("mtcars")["mpg"].mean() > 20


def test_without_a_name_lists_what_there_is():
    listing = load_data()
    assert list(listing.index) == list(datasets())
    assert listing.loc["sleepstudy", "formula"] == "Reaction ~ Days + (Days|Subject)"


def test_unknown_name_suggests_a_near_one():
    with pytest.raises(DataError, match=r"no data set 'sleepstdy'\. Did you mean 'sleepstudy'\?"):
        load_data("sleepstdy")


def test_every_file_has_an_entry_and_a_source():
    files = {entry.name.split(".")[0] for entry in FOLDER.iterdir() if entry.name.endswith((".csv", ".csv.gz"))}
    assert files == set(datasets())
    readme = FOLDER.joinpath("README.md").read_text(encoding="utf-8")
    for dataset in datasets().values():
        assert f"`{dataset.name}`" in readme
        assert dataset.source in readme


def test_stays_small():
    assert sum(len(entry.read_bytes()) for entry in FOLDER.iterdir() if entry.is_file()) < 200_000
