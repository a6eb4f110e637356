"""Pictures and films of recorded transitions: what is drawn is what was recorded."""

from __future__ import annotations

import numpy as np
import pytest
from known_targets import banana
from sampler_targets import correlated_normal, light_funnel

from nutslite import recording
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.recording import record_chain, record_transition

pytest.importorskip("matplotlib")

NAMES = ("a", "b")


@pytest.fixture(scope="module")
def orbit():
    """One with a doubling that is dropped."""
    for seed in range(20):
        record = record_transition(banana, 0.0, position=[1.2, 0.7], step_size=0.25, random_seed=seed, names=NAMES)
        if record.stopped == "u-turn within a doubling" and record.index.size > 4:
            return record
    raise AssertionError("no such transition")


@pytest.fixture(scope="module")
def chain():
    names = ("scale", "a", "b")
    return record_chain(light_funnel, 0.0, initial=np.zeros(3), draws=60, tune=150, random_seed=8, names=names)


def marks(ax):
    """Points by the label of what they belong to."""
    return {line.get_label(): np.column_stack(line.get_data()) for line in ax.get_lines()}


def test_trajectory_shows_every_state_by_its_doubling(orbit):
    ax = recording.plot_trajectory(orbit)
    drawn = marks(ax)
    np.testing.assert_array_equal(drawn["start"], orbit.position[:1])
    np.testing.assert_array_equal(drawn["the draw"], [orbit.draw])
    for doubling in orbit.doublings:
        way = "forwards" if doubling.direction > 0 else "backwards"
        label = f"doubling {doubling.number}, {way}" + ("" if doubling.counts else " (dropped)")
        np.testing.assert_array_equal(drawn[label], orbit.position[orbit.doubling == doubling.number])
    ends = [orbit.row(orbit.turn.first), orbit.row(orbit.turn.last)]
    np.testing.assert_array_equal(drawn["turned"], orbit.position[ends])
    assert (ax.get_xlabel(), ax.get_ylabel()) == NAMES
    assert any(type(artist).__name__.endswith("ContourSet") for artist in ax.get_children())


def test_contours_need_two_coordinates_unless_asked_for(chain):
    record = chain[180]
    ax = recording.plot_trajectory(record, coordinates=["b", "scale"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("b", "scale")
    np.testing.assert_array_equal(marks(ax)["the draw"], [record.draw[[2, 0]]])
    assert not any(type(artist).__name__.endswith("ContourSet") for artist in ax.get_children())
    ax = recording.plot_trajectory(record, coordinates=(0, 1), contours=True, legend=False)
    assert any(type(artist).__name__.endswith("ContourSet") for artist in ax.get_children())
    assert ax.get_legend() is None


def test_energies_along_the_orbit(orbit):
    drawn = marks(recording.plot_energy(orbit))
    np.testing.assert_array_equal(drawn["the draw"], [[orbit.selected, orbit.energy_error[orbit.row(orbit.selected)]]])
    shown = np.concatenate([points for label, points in drawn.items() if label == "start" or "doubling" in label])
    np.testing.assert_allclose(np.sort(shown[:, 1]), np.sort(orbit.energy_error))


def test_divergent_energies_have_a_scale_they_fit_on():
    data = (np.zeros(2), np.diag([1.0, 1e4]))
    record = record_transition(correlated_normal, data, position=[1.0, 0.0], step_size=0.5, random_seed=1)
    assert record.stopped == "divergence"
    assert recording.plot_energy(record).get_yscale() == "symlog"
    recording.plot_trajectory(record).figure.canvas.draw()


def test_warmup_shows_steps_and_metric(chain):
    steps, metric = recording.plot_warmup(chain)
    drawn = marks(steps)
    np.testing.assert_array_equal(drawn["in use"][:, 1], chain.stats["step_size"][:150])
    np.testing.assert_array_equal(drawn["average"][:, 1], chain.stats["step_size_bar"][:150])
    drawn = marks(metric)
    for i, name in enumerate(chain.names):
        np.testing.assert_array_equal(drawn[name][:, 1], np.sqrt(chain.variances[:150, i]))
    assert len(steps.patches) == len(chain.windows) == 1


def test_energy_transitions_say_the_fraction(chain):
    ax = recording.plot_energy_transitions(chain)
    assert f"E-BFMI {chain.e_bfmi:.2f}" in [text.get_text() for text in ax.texts]


def test_divergences_are_where_they_were():
    data = (np.zeros(2), np.diag([1.0, 1e4]))
    options = {"initial": np.zeros(2), "draws": 30, "tune": 0, "step_size": 0.03, "random_seed": 1, "jitter": 0.0}
    chain = record_chain(correlated_normal, data, names=NAMES, **options)
    assert 0 < chain.divergent.size < 30
    (ax,) = recording.plot_divergences(chain)
    starts = [line for line in ax.get_lines() if len(line.get_xdata()) == chain.divergent.size]
    np.testing.assert_array_equal(np.column_stack(starts[-1].get_data()), chain.diverged_from)
    assert f"{chain.divergent.size} divergence" in ax.texts[0].get_text()
    for number, start, end in zip(chain.divergent, chain.diverged_from, chain.diverged_at, strict=True):
        record = chain[number]
        assert record.stopped == "divergence"
        np.testing.assert_array_equal(record.position[0], start)
        np.testing.assert_array_equal(record.position[-1], end)


def test_pairs_fill_the_lower_triangle(chain):
    panels = recording.plot_divergences(chain, warmup=True)
    assert [ax.get_visible() for ax in panels] == [True, False, True, True]
    assert panels[2].get_xlabel() == "scale"
    assert panels[2].get_ylabel() == "b"


def test_a_film_has_a_frame_for_each_state(tmp_path):
    image = pytest.importorskip("PIL.Image")
    orbit = record_transition(
        banana, 0.0, position=[1.2, 0.7], step_size=0.1, max_treedepth=2, random_seed=1, names=NAMES
    )
    assert orbit.index.size == 4
    film = recording.animate(orbit, frames_per_second=5, contours=False)
    with image.open(film.save(tmp_path / "orbit.gif")) as picture:
        assert picture.n_frames >= orbit.index.size + 1  # the last ones are alike, and may be one that stays longer
    page = film.save(tmp_path / "orbit.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64") >= orbit.index.size + 1
    with pytest.raises(SettingError, match=r"\.gif or \.html"):
        film.save(tmp_path / "orbit.mp3")
    with pytest.raises(SettingError, match="no folder"):
        film.save(tmp_path / "nowhere" / "orbit.gif")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"coordinates": [0, 7]}, SettingError, "no coordinate 7"),
        ({"coordinates": ["a", "c"]}, SettingError, "no coordinate 'c'"),
        ({"coordinates": [0]}, SettingError, "2 different coordinates"),
        ({"coordinates": [0, 0]}, SettingError, "2 different coordinates"),
        ({"coordinates": "ab"}, SettingTypeError, "a list of numbers or names"),
        ({"coordinates": [0, 1.5]}, SettingTypeError, "by its number or its name"),
        ({"limits": (0, 1)}, SettingError, "limits are"),
        ({"limits": ((0, 1), (1, 0))}, SettingError, "limits are"),
    ],
)
def test_coordinates_that_are_not_there(orbit, options, error, words):
    with pytest.raises(error, match=words):
        recording.plot_trajectory(orbit, **options)


@pytest.mark.parametrize("speed", [0, -1.0, "fast", True, np.inf])
def test_speeds_that_are_none(orbit, speed):
    with pytest.raises(SettingError, match="frames_per_second"):
        recording.animate(orbit, frames_per_second=speed)


def test_pictures_that_have_nothing_to_show(orbit, chain):
    one = record_chain(banana, 0.0, initial=np.zeros(2), draws=2, tune=0, step_size=0.2, random_seed=1)
    with pytest.raises(SettingError, match="no warm-up"):
        recording.plot_warmup(one)
    with pytest.raises(SettingError, match="at least 4 draws"):
        recording.plot_energy_transitions(one)
    tuned = record_chain(banana, 0.0, initial=np.zeros(2), draws=0, tune=5, random_seed=1)
    with pytest.raises(SettingError, match="no draws after warm-up"):
        recording.plot_divergences(tuned)


def test_pictures_are_of_their_kind_of_record(orbit, chain):
    for draw in (recording.plot_trajectory, recording.plot_energy, recording.animate):
        with pytest.raises(SettingTypeError, match="choose one"):
            draw(chain)
        with pytest.raises(SettingTypeError, match="TransitionRecord"):
            draw(None)
    for draw in (recording.plot_warmup, recording.plot_energy_transitions, recording.plot_divergences):
        with pytest.raises(SettingTypeError, match="ChainRecord"):
            draw(orbit)
        with pytest.raises(SettingTypeError, match="choose one"):
            draw([chain])
