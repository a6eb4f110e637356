"""Models of data on engines: the same priors, numbers and densities as of a DataFrame, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import DataError, FormulaError, SettingError
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.methods import streamed as streamed_method
from nutslite.posterior.targets.streamed_target import StreamedTarget, joint_part
from nutslite.posterior.targets.target import JointTarget
from nutslite.results.container.inference_data import group_names

pa = pytest.importorskip("pyarrow", reason="data on engines need pyarrow")
from pyarrow import dataset, parquet  # noqa: E402

N = 1200
NUMBERS = 300  # so few numbers a block that a row group has several


def make_data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x, z = rng.normal(3.0, 2.0, N), rng.gamma(2.0, size=N)
    g, h = rng.choice(["low", "mid", "top"], N), rng.integers(0, 4, N)
    eta = 0.5 * x - 0.2 * z + 0.3 * (g == "mid")
    return pd.DataFrame(
        {
            "y": 1e3 + eta + np.array([0.0, 0.3, -0.2, 0.5])[h] + rng.normal(size=N),
            "b": (rng.random(N) < 1.0 / (1.0 + np.exp(1.0 - eta))).astype(int),
            "c": rng.poisson(np.exp(-1.0 + 0.3 * eta)),
            "few": rng.integers(0, 4, N),
            "w": rng.uniform(0.5, 2.0, N),
            "o": rng.normal(size=N),
            "x": x,
            "z": z,
            "g": g,
            "h": h,
        }
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return make_data()


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """Two files of several row groups each, sorted so that blocks differ and not every one has every level."""
    path = tmp_path_factory.mktemp("rows")
    table = pa.Table.from_pandas(data.sort_values("g"), preserve_index=False)
    parquet.write_table(table.slice(0, 700), path / "a.parquet", row_group_size=200)
    parquet.write_table(table.slice(700), path / "b.parquet", row_group_size=150)
    return str(path)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nutslite.engines.sources.source.BLOCK_NUMBERS", NUMBERS)
        yield


def assert_same_priors(ours: nl.Model, theirs: nl.Model) -> None:
    found, expected = ours.parameters, theirs.parameters
    assert list(found) == list(expected)
    for parameter, terms in theirs.priors.terms.items():
        for name, prior in terms.items():
            assert str(ours.priors.terms[parameter][name]) == str(prior)
    assert str(ours.priors.constants) == str(theirs.priors.constants)


GAUSSIAN = [
    "y ~ x + z + g",
    "y ~ x * g + offset(o)",
    "weighted(y, w) ~ x + z",
    "y ~ 0 + x + C(h)",
    "y ~ x + z + (1|g) + (x|h)",
    "y ~ x + (1|g:h)",
    "weighted(y, w) ~ log(z) + (1|h)",
]


@pytest.mark.parametrize("formula", GAUSSIAN)
def test_a_gaussian_model_has_the_same_crossproducts(formula, data, folder):
    ours, theirs = nl.Model(formula, folder), nl.Model(formula, data)
    assert_same_priors(ours, theirs)
    assert ours._specification.spec.design.n_rows < 250
    own, other = (reduce_gaussian(model._specification.posterior.assembled) for model in (ours, theirs))
    assert own.data.total_weight == pytest.approx(other.data.total_weight, rel=1e-12)
    assert own.shift == pytest.approx(other.shift, rel=1e-9, abs=1e-9)
    scale = np.sqrt(np.outer(*2 * [np.diag(other.data.cross)]))
    assert np.abs(own.data.cross - other.data.cross).max() < 1e-9 * scale.max()
    assert own.data.cross[-1, -1] == pytest.approx(other.data.cross[-1, -1], rel=1e-9)
    assert own.data.precision == pytest.approx(other.data.precision, rel=1e-9, abs=1e-9)
    assert own.level_cross == pytest.approx(other.level_cross, rel=1e-8, abs=1e-6)


def test_a_close_fit_loses_no_digits(data, tmp_path):
    close = data.assign(y=1e6 + 50.0 * data.x - 3.0 * data.z + 1e-4 * data.o)
    parquet.write_table(pa.Table.from_pandas(close), tmp_path / "close.parquet", row_group_size=100)
    own, other = (
        reduce_gaussian(nl.Model("y ~ x + z", some)._specification.posterior.assembled)
        for some in (str(tmp_path), close)
    )
    assert own.data.cross[-1, -1] == pytest.approx(other.data.cross[-1, -1], rel=1e-4)
    assert own.data.cross[-1, -1] == pytest.approx(1e-8 * N, rel=0.1)


@pytest.fixture(scope="module")
def streamed(folder):
    return nl.Model("b ~ x + z + g + offset(o)", folder, "bernoulli")


def in_memory_target(model: nl.Model) -> JointTarget:
    return JointTarget(model._specification.posterior.assembled)


def test_passes_give_the_log_density_of_all_rows(streamed, data):
    theirs = nl.Model("b ~ x + z + g + offset(o)", data, "bernoulli")
    assert_same_priors(streamed, theirs)
    ours, other = StreamedTarget(streamed._specification.posterior.assembled), in_memory_target(theirs)
    positions = 0.3 * np.random.default_rng(2).normal(size=(70, ours.dimension))
    assert ours.log_densities(positions, 2) == pytest.approx(other.log_densities(positions, 1), rel=1e-12)
    assert ours.has_total
    ours.has_total = False
    assert ours.log_densities(positions, 2) == pytest.approx(other.log_densities(positions, 1), rel=1e-12)
    _, expected = joint_part(without_codes(other.model), other.assembled.spec, positions[:2], True)
    _, found = ours._values_and_gradients(positions[:2])
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_search_starts_with_a_sample_and_ends_at_the_mode_of_all_rows(folder, data, monkeypatch):
    monkeypatch.setattr("nutslite.model.record.survey.SAMPLED", 200)
    model = nl.Model("b ~ x + z", folder, "bernoulli")
    sample = model._specification.spec.elsewhere.sample
    assert 100 < sample.n_rows < 300
    assert sample.weights.sum() == pytest.approx(N)
    target = StreamedTarget(model._specification.posterior.assembled)
    launch = target.launch()
    assert launch.settled
    assert 2 <= target.passes <= 8
    exact = in_memory_target(nl.Model("b ~ x + z", data, "bernoulli")).launch()
    sds = np.sqrt(np.diag(np.linalg.inv(exact.information.border)))
    assert np.abs(launch.center - exact.center).max() < 0.1 * sds.max()
    assert np.sqrt(np.diag(launch.information)) == pytest.approx(sds, rel=0.3)


@pytest.fixture(scope="module")
def fitted(streamed):
    return streamed.fit(draws=250, chains=2, random_seed=3, progressbar=False)


def test_a_streamed_fit_has_the_posterior_of_a_fit_in_memory(fitted, data):
    theirs = nl.Model("b ~ x + z + g + offset(o)", data, "bernoulli").fit(
        draws=250, chains=2, random_seed=3, progressbar=False
    )
    for name in ("Intercept", "x", "z", "g"):
        ours, other = (np.asarray(found["posterior"][name]).reshape(500, -1) for found in (fitted, theirs))
        error = np.sqrt((ours.var(axis=0) + other.var(axis=0)) / 250)
        assert np.all(np.abs(ours.mean(axis=0) - other.mean(axis=0)) < 4.5 * error)
        assert ours.std(axis=0) == pytest.approx(other.std(axis=0), rel=0.25)
    assert "observed_data" not in group_names(fitted)


def test_ctrl_c_in_the_pass_of_draws_keeps_those_of_the_trial(streamed, fitted, monkeypatch, caplog):
    found, calls = StreamedTarget.log_densities, []

    def interrupted(self, positions, cores):
        calls.append(len(positions))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found(self, positions, cores)

    monkeypatch.setattr(StreamedTarget, "log_densities", interrupted)
    monkeypatch.setattr("nutslite.posterior.independence.trials.PROBED_ROWS", 0)
    monkeypatch.setattr("nutslite.posterior.methods.streamed.CLOSE", 0.5)
    with caplog.at_level("WARNING", "nutslite"):
        kept = streamed.fit(draws=250, chains=2, random_seed=3, progressbar=False)
    draws = np.asarray(kept["posterior"]["x"])
    assert draws.shape[0] == 2
    assert 40 < draws.shape[1] <= 125
    assert f"draws of the trial before it, {draws.shape[1]} of each chain" in caplog.text
    whole = np.asarray(fitted["posterior"]["x"])
    assert abs(draws.mean() - whole.mean()) < 5.0 * whole.std() / np.sqrt(draws.size / 2)
    assert draws.std() == pytest.approx(whole.std(), rel=0.3)


def test_it_goes_on_by_further_passes_until_it_has_converged(streamed, fitted, monkeypatch):
    options = {"draws": 40, "chains": 2, "random_seed": 3, "progressbar": False}
    results = streamed.fit(**options, until="converged", budget=20)
    first, whole = streamed.fit(**options, compute_convergence_checks=False), np.asarray(fitted["posterior"]["x"])
    draws = np.asarray(results["posterior"]["x"])
    assert draws.shape[1] > 40
    assert results["posterior"].attrs["converged"] == 1
    np.testing.assert_allclose(draws[:, :40], first["posterior"]["x"], rtol=1e-12)
    assert len(np.unique(draws)) > 0.5 * draws.size
    assert abs(draws.mean() - whole.mean()) < 5.0 * whole.std() * np.sqrt(2.0 / draws.size)
    monkeypatch.setattr(streamed_method, "_draws", once(streamed_method._draws))
    kept = streamed.fit(**options, until="converged", budget=20)
    assert kept["posterior"].attrs["interrupted"] == 1
    np.testing.assert_array_equal(kept["posterior"]["x"], first["posterior"]["x"])


def once(function):
    """The function, with Ctrl-C at the second call."""
    calls = []

    def called(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return function(*arguments)

    return called


def test_draws_are_those_of_the_seed_whatever_the_cores(streamed, fitted):
    again = streamed.fit(draws=250, chains=2, random_seed=3, cores=1, progressbar=False)
    assert np.array_equal(np.asarray(again["posterior"]["x"]), np.asarray(fitted["posterior"]["x"]))


LEARNING = [
    ("y ~ center(x) + scale(z) + standardize(log(z))", "gaussian"),
    ("y ~ poly(x, 3) + scale(z, ddof=1)", "gaussian"),
    ("b ~ bs(x, df=6) + poly(z, degree=2, raw=True)", "bernoulli"),
    ("b ~ 0 + bs(z, df=5, degree=2, lower_bound=-1, upper_bound=30, intercept=True) + scale(x):g", "bernoulli"),
    ("b ~ bs(x, knots=[1, 4])", "bernoulli"),
    ("c ~ scale(few) + g", "poisson"),
]


@pytest.mark.parametrize(("formula", "family"), LEARNING)
def test_transforms_learn_from_all_rows(formula, family, data, folder, monkeypatch):
    monkeypatch.setattr("nutslite.engines.quantiles.FEW", 50)
    monkeypatch.setattr("nutslite.engines.quantiles.BINS", 8)
    monkeypatch.setattr("nutslite.model.record.survey.HEAD_ROWS", 40)
    ours, theirs = nl.Model(formula, folder, family), nl.Model(formula, data, family)
    rows = data.iloc[:50]
    for name, predictor in theirs._specification.spec.design.evaluate(rows).predictors.items():
        found = ours._specification.spec.design.evaluate(rows).predictors[name].matrix
        assert found == pytest.approx(predictor.matrix, rel=1e-10, abs=1e-10)
    assert_same_priors(ours, theirs)


def test_new_rows_are_predicted(streamed, fitted, data):
    found = streamed.predict(fitted, data=data.head(3), inplace=False)
    expected = 1.0 / (1.0 + np.exp(-_linear_predictor(fitted, data.head(3))))
    assert np.asarray(found["predictions"]["p"]) == pytest.approx(expected, rel=1e-9)


def _linear_predictor(results, rows):
    draws = {name: np.asarray(results["posterior"][name]) for name in ("Intercept", "x", "z", "g")}
    eta = draws["Intercept"][..., None] + np.asarray(rows.o)
    eta = eta + draws["x"][..., None] * np.asarray(rows.x) + draws["z"][..., None] * np.asarray(rows.z)
    for place, level in enumerate(["mid", "top"]):
        eta = eta + draws["g"][..., place, None] * np.asarray(rows.g == level)
    return eta


def test_rows_that_repeat_are_merged(folder, data):
    formula = "c ~ few + g + (1|h)"
    ours, theirs = nl.Model(formula, folder, "poisson"), nl.Model(formula, data, "poisson")
    assert_same_priors(ours, theirs)
    assert "different ones" in str(ours.plan())
    design = ours._specification.spec.design
    assert design.n_rows == len(data[["c", "few", "g", "h"]].drop_duplicates())
    assert design.weights.sum() == N
    own, other = in_memory_target(ours), in_memory_target(theirs)
    positions = 0.2 * np.random.default_rng(4).normal(size=(20, own.dimension))
    assert own.log_densities(positions, 1) == pytest.approx(other.log_densities(positions, 1), rel=1e-12)


def test_incomplete_rows_are_counted_out_or_refused(data, tmp_path):
    gaps = data.assign(x=data.x.where(np.arange(N) % 100 != 7))
    parquet.write_table(pa.Table.from_pandas(gaps), tmp_path / "gaps.parquet", row_group_size=300)
    with pytest.raises(DataError, match=r"missing values in 'x'.*dropna=True"):
        nl.Model("y ~ x", str(tmp_path))
    for formula, family in (("y ~ x", "gaussian"), ("b ~ x", "bernoulli")):
        model = nl.Model(formula, str(tmp_path), family, dropna=True)
        elsewhere = model._specification.spec.elsewhere
        assert (elsewhere.n_rows, elsewhere.n_dropped) == (N - 12, 12)
        assert_same_priors(model, nl.Model(formula, gaps, family, dropna=True))


def test_the_first_rows_may_all_be_incomplete(data, tmp_path):
    gaps = data.assign(x=data.x.where(np.arange(N) >= 300))
    parquet.write_table(pa.Table.from_pandas(gaps), tmp_path / "gaps.parquet", row_group_size=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nutslite.model.record.survey.HEAD_ROWS", 100)
        for formula in ("y ~ x + z", "y ~ x + g"):
            model = nl.Model(formula, str(tmp_path), dropna=True)
            assert_same_priors(model, nl.Model(formula, gaps, dropna=True))
            assert model._specification.spec.elsewhere.n_dropped == 300


@pytest.mark.parametrize(
    ("formula", "family", "options", "message"),
    [
        ("y ~ cr(x, df=4)", "gaussian", {}, r"'cr\(x, df=4\)' learns from all rows.*scale\(\), poly\(\)"),
        ("y ~ scale(center(x))", "gaussian", {}, r"learns from all rows"),
        ("y ~ bs(x, df=4, lower_bound=1)", "gaussian", {}, r"'bs\(x.*cannot be computed.*bounds leave some out"),
        ("y ~ poly(few, 5)", "gaussian", {}, r"degree 5 is too high"),
        ("y ~ scale(x - x)", "gaussian", {}, r"same value"),
        ("y ~ s(x)", "gaussian", {}, r"'s\(x\)' learns from all rows"),
        ("b ~ x + (1|h)", "bernoulli", {}, r"Group effects.*Write C\(g\)"),
        ("censored(y, g) ~ x", "gaussian", {}, r"limits"),
        ("y ~ nothing", "gaussian", {}, r"nothing"),
        ("c ~ x", "bernoulli", {}, r"0"),
        ("y ~ x", "gaussian", {"automatic_priors": "mle"}, r"rows in memory"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_remedy(formula, family, options, message, folder):
    with pytest.raises((DataError, FormulaError, nl.exceptions.NutsliteError), match=message):
        nl.Model(formula, folder, family, **options)


def test_what_needs_rows_says_so(streamed, fitted, tmp_path):
    asked = [
        lambda: streamed.predict(fitted),
        lambda: streamed.r2_score(fitted),
        lambda: streamed.compute_log_likelihood(fitted),
        lambda: streamed.save(tmp_path / "model"),
        lambda: streamed.prior_predictive(),
        lambda: streamed.cross_validate(),
        lambda: streamed.evaluate(fitted),
        lambda: streamed.pp_check(fitted),
        lambda: streamed.backend,
        lambda: streamed.fit(file=tmp_path / "fit.nc"),
        lambda: streamed.fit(idata_kwargs={"log_likelihood": True}),
        lambda: nl.interpret.avg_slopes(streamed, fitted),
    ]
    for ask in asked:
        with pytest.raises(DataError, match=r"1,200 rows"):
            ask()
    for options in ({"inference_method": "nuts"}, {"plan": "marginal"}, {"pilot": False}):
        with pytest.raises(SettingError, match="engine"):
            streamed.fit(**options)


def test_priors_set_later_are_scaled_by_all_rows(folder, data):
    ours, theirs = nl.Model("y ~ x + (1|h)", folder), nl.Model("y ~ x + (1|h)", data)
    for model in (ours, theirs):
        model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=1)})
    assert_same_priors(ours, theirs)


def test_the_model_says_where_its_rows_are(streamed, folder):
    assert streamed.data == folder
    assert "1200" in str(streamed)
    assert "read in passes" in str(streamed.plan())


def test_columns_that_others_span_are_warned_of(folder, data, tmp_path):
    parquet.write_table(pa.Table.from_pandas(data.assign(v=2.0 * data.x - data.z)), tmp_path / "v.parquet")
    with pytest.warns(nl.NutsliteWarning, match="linear combination"):
        nl.Model("b ~ x + z + v", str(tmp_path), "bernoulli")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nl.Model("b ~ x + z", folder, "bernoulli")


def with_outcomes(data, tmp_path, b) -> str:
    """A folder of the data with these outcomes, in a few row groups."""
    table = pa.Table.from_pandas(data.assign(b=np.asarray(b).astype(int)), preserve_index=False)
    parquet.write_table(table, tmp_path / "b.parquet", row_group_size=200)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("formula", "outcomes", "message"),
    [
        ("b ~ x + z", lambda d: d.x + 0.5 * d.z > 4.0, "'x', 'z' separate the outcomes"),
        ("b ~ x + z", lambda d: d.x > 3.0, "'x' separates the outcomes"),
        ("b ~ z + C(h)", lambda d: (d.h == 1) | (d.b == 1), r"'C\(h\)\[1\]' separates the outcomes"),
        ("b ~ few + g", lambda d: d.few > 1, "'few' separates"),
        ("b ~ x", lambda d: d.x < 1e3, "are all 1"),
    ],
)
def test_separation_is_warned_of_as_in_memory(formula, outcomes, message, data, tmp_path, monkeypatch):
    monkeypatch.setattr("nutslite.model.record.survey.SAMPLED", 150)
    b = outcomes(data)
    for some in (with_outcomes(data, tmp_path, b), data.assign(b=b.astype(int))):
        with pytest.warns(nl.NutsliteWarning, match=message):
            nl.Model(formula, some, "bernoulli")


@pytest.mark.parametrize("wrong", [0, N // 2, N - 1])
def test_one_row_among_all_undoes_a_separation(wrong, data, tmp_path, monkeypatch):
    monkeypatch.setattr("nutslite.model.record.survey.SAMPLED", 150)
    outcome = (data.x + 0.5 * data.z > 4.0).to_numpy()
    middle = np.argsort(np.abs((data.x + 0.5 * data.z - 4.0).to_numpy()))[100]
    rows = np.r_[np.arange(wrong), middle, np.arange(wrong, N)]
    flipped = np.r_[outcome[:wrong], not outcome[middle], outcome[wrong:]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nl.Model("b ~ x + z", with_outcomes(data.iloc[rows], tmp_path, flipped), "bernoulli")


def test_constant_columns_are_refused_but_not_those_constant_in_the_first_rows(data, tmp_path):
    sorted_rows = data.sort_values("h").assign(one=1.0)
    parquet.write_table(pa.Table.from_pandas(sorted_rows), tmp_path / "sorted.parquet")
    source = dataset.dataset(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nutslite.model.record.survey.HEAD_ROWS", 3)
        assert nl.Model("y ~ h", source)._specification.spec.elsewhere.n_rows == N
        with pytest.raises(DataError, match="one"):
            nl.Model("y ~ x + one", source)
