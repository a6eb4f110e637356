"""The container of results under both generations of ArviZ, and its way to disk and back."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from nutslite.exceptions import DataError
from nutslite.results.container import inference_data as idt
from nutslite.results.storage import storage

xarray = pytest.importorskip("xarray")
needs_netcdf = pytest.mark.skipif(
    not (importlib.util.find_spec("h5netcdf") and importlib.util.find_spec("h5py")), reason="h5netcdf is not installed"
)
GENERATIONS = ["installed", "tree"]


@pytest.fixture(params=GENERATIONS)
def generation(request, monkeypatch):
    """The container of the installed ArviZ, and the DataTree of ArviZ 1.x whatever is installed."""
    if request.param == "tree":
        monkeypatch.setattr(idt, "arviz_major", lambda: 1)
    elif idt.arviz_major() < 1:
        pytest.importorskip("arviz")
    return request.param


def example(rng=None):
    rng = rng or np.random.default_rng(0)
    levels = ["308", "309", "310"]
    groups = {
        "posterior": {
            "Intercept": rng.normal(size=(2, 50)),
            "g": rng.normal(size=(2, 50, 2)),
            "1|Subject": rng.normal(size=(2, 50, 3)),
            "I(x/10)": rng.normal(size=(2, 50)),
        },
        "sample_stats": {"diverging": np.zeros((2, 50), bool), "energy": rng.normal(size=(2, 50))},
        "warmup_posterior": {"Intercept": rng.normal(size=(2, 20))},
        "log_likelihood": {"y": rng.normal(size=(2, 50, 4))},
        "observed_data": {"y": np.arange(4.0)},
    }
    dims = {"g": ("g_dim",), "1|Subject": ("Subject__factor_dim",), "y": ("__obs__",)}
    coords = {"g_dim": ["b, u", "c"], "Subject__factor_dim": levels, "__obs__": np.arange(4)}
    attrs = {"sampling_time": 1.5, "tuning_steps": 20, "nothing": None, "flag": True, "mixed": (1, "a")}
    return groups, dims, coords, attrs


def build():
    groups, dims, coords, attrs = example()
    return idt.to_inference_data(groups, dims=dims, coords=coords, attrs=attrs)


def test_type_follows_arviz():
    if idt.arviz_major() < 1:
        arviz = pytest.importorskip("arviz")
        assert isinstance(build(), arviz.InferenceData)
    else:
        assert isinstance(build(), xarray.DataTree)


def test_layout(generation):
    idata = build()
    assert set(idt.group_names(idata)) == set(example()[0])
    posterior = idt.posterior_dataset(idata)
    assert list(posterior.data_vars) == ["Intercept", "g", "1|Subject", "I(x\N{DIVISION SLASH}10)"]
    assert posterior["g"].dims == ("chain", "draw", "g_dim")
    assert list(posterior["g"].coords["g_dim"].values) == ["b, u", "c"]
    assert posterior["1|Subject"].sel({"Subject__factor_dim": "309"}).shape == (2, 50)
    assert idt.get_group(idata, "observed_data")["y"].dims == ("__obs__",)
    assert idt.get_group(idata, "warmup_posterior").sizes["draw"] == 20
    np.testing.assert_array_equal(idata["posterior"]["g"].values, example()[0]["posterior"]["g"])


def test_attributes(generation):
    from nutslite import __version__

    idata = build()
    for group in idt.group_names(idata):
        attrs = idt.get_group(idata, group).attrs
        assert attrs["inference_library"] == attrs["modeling_interface"] == attrs["creation_library"] == "nutslite"
        assert attrs["modeling_interface_version"] == __version__
        assert attrs["sampling_time"] == 1.5
        assert attrs["tuning_steps"] == 20
        assert attrs["flag"] == 1
        assert attrs["mixed"] == "(1, 'a')"
        assert "nothing" not in attrs
        assert ("sample_dims" in attrs) == (group != "observed_data")
        assert attrs["created_at"].endswith("+00:00")


def test_arrays_come_back(generation):
    groups, dims, coords, _ = example()
    arrays, back_dims, back_coords = idt.named_arrays(idt.posterior_dataset(build()))
    assert list(arrays) == list(groups["posterior"])  # the slash included
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, groups["posterior"][name])
        assert back_dims[name] == tuple(dims.get(name, ()))
    assert back_coords["Subject__factor_dim"] == coords["Subject__factor_dim"]


def test_unnamed_axes_and_misfits(generation):
    arrays = {"posterior": {"position": np.zeros((2, 5, 3))}}
    idata = idt.to_inference_data(arrays, dims={}, coords={})
    assert idt.posterior_dataset(idata)["position"].dims == ("chain", "draw", "position_dim_0")
    with pytest.raises(DataError, match="does not fit its dimensions"):
        idt.to_inference_data(arrays, dims={"position": ("a", "b")}, coords={})
    with pytest.raises(DataError, match="'a' has 2 coordinate values"):
        idt.to_inference_data(arrays, dims={"position": ("a",)}, coords={"a": ["x", "y"]})
    with pytest.raises(DataError, match="'draw', because a dimension"):
        idt.to_inference_data({"posterior": {"draw": np.zeros((2, 5))}}, dims={}, coords={})
    with pytest.raises(DataError, match="'b' has 4 values along 'draw'"):
        idt.to_inference_data({"posterior": {"a": np.zeros((2, 5)), "b": np.zeros((2, 4))}}, dims={}, coords={})


def test_adding_replacing_and_updating_groups(generation):
    idata = build()
    dims, coords = {"mu": ("__obs__",), "y": ("__obs__",)}, {"__obs__": np.arange(4)}
    idt.update_group(idata, "posterior", idt.to_dataset({"mu": np.ones((2, 50, 4))}, dims=dims, coords=coords))
    posterior = idt.posterior_dataset(idata)
    assert posterior["mu"].shape == (2, 50, 4)
    assert posterior["g"].shape == (2, 50, 2)
    # other rows: the old mu gives way, the rest stays
    idt.update_group(idata, "posterior", idt.to_dataset({"mu": np.zeros((2, 50, 7))}, dims=dims, coords={}))
    posterior = idt.posterior_dataset(idata)
    assert posterior["mu"].shape == (2, 50, 7)
    assert posterior["I(x\N{DIVISION SLASH}10)"].attrs["name"] == "I(x/10)"
    assert posterior.attrs["tuning_steps"] == 20
    idt.update_group(
        idata, "posterior_predictive", idt.to_dataset({"y": np.zeros((2, 50, 4))}, dims=dims, coords=coords)
    )
    assert idt.get_group(idata, "posterior_predictive")["y"].shape == (2, 50, 4)
    replacement = idt.to_dataset({"z": np.zeros((2, 50))}, dims={}, coords={})
    idt.add_group(idata, "posterior_predictive", replacement)
    assert list(idt.get_group(idata, "posterior_predictive").data_vars) == ["z"]
    with pytest.raises(DataError, match=r"no group 'log_likelihod'.*Did you mean 'log_likelihood'\?"):
        idt.get_group(idata, "log_likelihod")


def test_reading_a_group_does_not_change_the_container(generation):
    idata = build()
    group = idt.posterior_dataset(idata)
    group["new"] = group["Intercept"]
    assert "new" not in idt.posterior_dataset(idata)


@needs_netcdf
def test_disk_and_back(generation, tmp_path):
    idata = build()
    path = storage.save(idata, tmp_path / "fit.nc")
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.nc"]
    back = storage.load(path)
    assert type(back) is type(idata)
    assert set(idt.group_names(back)) == set(idt.group_names(idata))
    for name in idt.group_names(idata):
        before, after = idt.get_group(idata, name), idt.get_group(back, name)
        assert before.equals(after)
        for key, value in before.attrs.items():
            assert np.all(after.attrs[key] == value)
    assert idt.named_arrays(idt.posterior_dataset(back))[0].keys() == example()[0]["posterior"].keys()
    storage.save(back, path)  # over the file that was read
    assert type(storage.load(path)) is type(idata)


@needs_netcdf
def test_arviz_reads_our_files(tmp_path):
    arviz = pytest.importorskip("arviz")
    path = storage.save(build(), tmp_path / "fit.nc")
    theirs = arviz.from_netcdf(str(path))
    np.testing.assert_array_equal(theirs["posterior"]["g"].values, example()[0]["posterior"]["g"])


@needs_netcdf
def test_saving_and_loading_name_what_is_wrong(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        storage.save(build(), tmp_path / "absent" / "fit.nc")
    with pytest.raises(DataError, match="no file"):
        storage.load(tmp_path / "fit.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(DataError, match="not a netCDF file"):
        storage.load(tmp_path / "text.nc")


def test_saving_without_a_netcdf_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_ENGINES", {"none": ("no_such_module_at_all",)})
    with pytest.raises(DataError, match="pip install h5netcdf"):
        storage.save(build(), tmp_path / "fit.nc")


def test_arviz_understands_the_container():
    arviz = pytest.importorskip("arviz")
    idata = build()
    assert "g[c]" in arviz.summary(idata, var_names=["g"]).index
    assert np.isfinite(arviz.ess(idata, var_names=["Intercept"])["Intercept"].values)


@pytest.mark.parametrize("case", ["long", "short", "script"])
def test_background_import(case):
    """Beside long chains only, and ArviZ itself only where somebody sits before the session."""
    code = (
        "import sys\n"
        f"case = {case!r}\n"
        "if case != 'script':\n"
        "    sys.ps1 = '>>> '\n"
        "from nutslite.results.container.arviz_import import arviz_major\n"
        "from nutslite.results.container.preload import preload_arviz, sampling_is_over\n"
        "first = arviz_major() < 1\n"
        "assert 'arviz' not in sys.modules and 'xarray' not in sys.modules\n"
        "timer = preload_arviz()\n"
        "assert (timer is None) == (first and case == 'script')\n"
        "if case == 'short':\n"
        "    sampling_is_over()\n"
        "if timer is not None:\n"
        "    timer.join()\n"
        "begun = case == 'long' or (case == 'script' and not first)\n"
        "assert ('xarray' in sys.modules) == begun\n"
        "assert ('arviz' in sys.modules) == (begun and first)\n"
        "assert not begun or preload_arviz() is None\n"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
