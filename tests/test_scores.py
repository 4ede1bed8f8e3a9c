"""Scores against their definitions written as loops, and their behaviour on hostile traces."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lethe import traces
from lethe.analysis import curves, scores
from lethe.errors import LetheError

few = settings(max_examples=50, deadline=None)
any_trace = hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 6)))


def slow_scores(column: list[bool]) -> dict[str, float]:
    """The definitions for one sample of one run, one epoch at a time."""
    first, events, right = np.nan, 0, 0
    for epoch, now in enumerate(column):
        if now and np.isnan(first):
            first = epoch
        if epoch and column[epoch - 1] and not now:
            events += 1
        right += now
    learned = not np.isnan(first)
    return {
        "first_learned": first,
        "forgetting_events": events if learned else np.nan,
        "mean_retention": right / (len(column) - first) if learned else np.nan,
        "never_learned": not learned,
        "never_forgotten": learned and events == 0,
    }


def small_traces(seed: int = 0, seeds: int = 3, epochs: int = 8, samples: int = 40) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shape = (seeds, epochs, samples)
    label = rng.integers(0, 4, samples)
    right = rng.random(shape) < np.linspace(0.3, 0.95, epochs)[:, None]
    prediction = np.where(right, label, (label + 1) % 4)
    loss = rng.gamma(1.0, 1.0, shape)
    floats = {"loss": loss, "margin": rng.normal(size=shape), "error_l2": rng.random(shape)}
    return traces.from_arrays(prediction, label, **floats)


@few
@given(any_trace)
def test_scores_of_correctness_equal_the_definitions(correct):
    for name in slow_scores([True]):
        got = getattr(scores, name)(correct)
        assert got.shape == (correct.shape[0], correct.shape[2])
        for seed in range(correct.shape[0]):
            for sample in range(correct.shape[2]):
                want = slow_scores(list(correct[seed, :, sample]))[name]
                np.testing.assert_equal(float(got[seed, sample]), float(want))


@few
@given(any_trace)
def test_invariants_of_forgetting(correct):
    events = scores.forgetting_events(correct)
    learned = ~scores.never_learned(correct)
    retention = scores.mean_retention(correct)
    np.testing.assert_array_equal(np.isnan(events), ~learned)
    np.testing.assert_array_equal(scores.never_forgotten(correct), retention == 1)
    assert np.all(events[learned] <= (correct.shape[1]) // 2)
    assert np.all((retention[learned] > 0) & (retention[learned] <= 1))


@few
@given(any_trace)
def test_prepending_wrong_epochs_changes_only_first_learned(correct):
    longer = np.concatenate([np.zeros((correct.shape[0], 2, correct.shape[2]), bool), correct], 1)
    for name in ("forgetting_events", "mean_retention"):
        score = getattr(scores, name)
        np.testing.assert_array_equal(score(longer), score(correct))
    np.testing.assert_array_equal(scores.first_learned(longer), scores.first_learned(correct) + 2)


def test_scores_of_loss_margin_and_error():
    rng = np.random.default_rng(1)
    values = rng.random((2, 5, 3))
    for seed in range(2):
        for sample in range(3):
            row = values[seed, :, sample]
            label_chance = [np.exp(-loss) for loss in row]
            assert scores.aum(values)[seed, sample] == pytest.approx(sum(row) / 5)
            assert scores.confidence(values)[seed, sample] == pytest.approx(np.mean(label_chance))
            spread = np.sqrt(np.mean((label_chance - np.mean(label_chance)) ** 2))
            assert scores.variability(values)[seed, sample] == pytest.approx(spread)
            assert scores.warmup_loss(values)[seed, sample] == row[0]
            assert scores.final_loss(values)[seed, sample] == row[4]
            assert scores.el2n(values, 3)[seed, sample] == row[3]
    with pytest.raises(LetheError, match="epochs 0 to 4"):
        scores.el2n(values, 5)


def test_missing_values_are_passed_on_not_averaged_away():
    values = np.ones((1, 4, 2))
    values[0, 1, 0] = np.nan
    for score in (scores.aum, scores.confidence, scores.variability):
        assert np.isnan(score(values)).tolist() == [[True, False]]


def test_half_precision_is_averaged_in_full_precision():
    values = np.full((1, 4000, 1), 0.1, np.float16)
    assert scores.aum(values)[0, 0] == pytest.approx(float(np.float16(0.1)), rel=1e-9)


def test_decay_rates_come_from_the_curves_and_mask_the_never_learned():
    rng = np.random.default_rng(2)
    correct = curves.simulate_correct(rng, rng.uniform(0.01, 0.5, 50), 20, seeds=2)
    correct[0, :, 0] = False
    correct[1, :-1, 1] = False
    for method in ("least_squares", "bernoulli", "shrunken"):
        got = scores.decay_rate(correct, method)
        assert got.shape == (2, 50)
        assert np.isnan(got[0, 0])
        assert np.isnan(got[1, 1])
        assert np.isfinite(np.delete(got[0], 0)).all()
    alone = scores.decay_rate(correct[:1], "shrunken")
    np.testing.assert_allclose(scores.decay_rate(correct, "shrunken")[0], alone[0])
    with pytest.raises(LetheError, match="did you mean 'shrunken'"):
        scores.decay_rate(correct, "shrunk")


def test_every_score_is_built_from_an_opened_trace():
    ds = small_traces()
    table = scores.all_scores(ds)
    assert set(table) == set(scores.SCORES)
    for name, column in table.items():
        assert column.dims == ("seed", "sample")
        assert column.attrs["direction"] in (1, -1)
        assert column.attrs["title"]
        np.testing.assert_array_equal(column["sample"], ds["sample"])
        assert name == column.name
    right = traces.correct(ds).transpose("seed", "epoch", "sample").values
    np.testing.assert_array_equal(table.first_learned, scores.first_learned(right))
    np.testing.assert_array_equal(table.el2n_epoch_1, ds.error_l2.sel(epoch=1))


def test_order_of_dimensions_does_not_matter():
    ds = small_traces()
    turned = ds.transpose("sample", "epoch", "seed")
    xr.testing.assert_allclose(scores.all_scores(turned), scores.all_scores(ds))


def test_directions_point_from_easy_to_hard():
    rng = np.random.default_rng(3)
    epochs, samples = 30, 200
    hardness = np.linspace(0, 1, samples)
    label = np.zeros(samples, int)
    margin = 3 - 5 * hardness + rng.normal(0, 1, (1, epochs, samples))
    chance = 1 / (1 + np.exp(-margin))
    floats = {"loss": -np.log(chance), "margin": margin, "error_l2": np.sqrt(2) * (1 - chance)}
    ds = traces.from_arrays(np.where(margin > 0, 0, 1), label, **floats)
    for name in scores.SCORES:
        column = scores.harder(scores.score(ds, name))
        known = np.isfinite(column.values[0])
        easy, hard = np.array_split(column.values[0][known], 2)
        assert hard.mean() > easy.mean(), name
        assert column.attrs["direction"] == 1
        xr.testing.assert_identical(scores.harder(column), column)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(LetheError, match="did you mean 'forgetting_events'"):
        scores.score(small_traces(), "forgeting_events")
    with pytest.raises(LetheError, match="no direction"):
        scores.harder(xr.DataArray([1.0], name="mine"))


def test_missing_predictions_are_refused():
    ds = small_traces()
    prediction = ds.prediction.values.copy()
    prediction[0, 0, 0] = -1
    broken = ds.assign(prediction=(ds.prediction.dims, prediction))
    with pytest.raises(LetheError, match="missing"):
        scores.score(broken, "forgetting_events")


def test_scores_of_the_train_view_count_from_epoch_1():
    rng = np.random.default_rng(0)
    prediction = rng.integers(0, 3, (2, 5, 40)).astype(np.int16)
    floats = {name: rng.random((2, 5, 40)) for name in ("loss", "margin", "error_l2")}
    label = rng.integers(0, 3, 40)
    both = [
        traces.from_arrays(prediction, label, epochs=epochs, view=view, **floats)
        for view, epochs in (("eval", range(5)), ("train", range(1, 6)))
    ]
    first = [scores.score(ds, "first_learned") for ds in both]
    np.testing.assert_array_equal(first[0] + 1, first[1])
    one = scores.score(both[1], "el2n_epoch_1")
    np.testing.assert_array_equal(one, both[1].error_l2.sel(epoch=1))
    with pytest.raises(LetheError, match="warm-up loss is taken at epoch 0; these traces"):
        scores.score(both[1], "warmup_loss")
    assert set(scores.SCORES) - set(scores.all_scores(both[1])) == {"warmup_loss"}
    assert list(scores.available(both[0])) == list(scores.SCORES)
