"""Batches of fits against the fits of the pages, bit by bit; keys and repeats; hostile input."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lethe import traces as stores
from lethe.analysis import curves
from lethe.analysis.curves import batch, row_kernels, trace_rows
from lethe.errors import LetheError

few = settings(max_examples=40, deadline=None)
LOW, HIGH = 1e-3, 5.0
ARRAYS = ("rate", "amplitude", "floor", "sse", "sst", "length")
FITS = {
    "exponential": curves.fit_exponential,
    "extended": curves.fit_extended,
    "power": curves.fit_power,
}


def averages(seed: int, n: int) -> np.ndarray:
    """Means of five 0/1 traces that decay, [trace, epoch]."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.uniform(np.log(0.03), np.log(0.8), n))
    return rng.binomial(5, np.exp(-rate[:, None] * np.arange(30))) / 5


def ragged_correct(seed: int, shape: tuple[int, ...], epochs: int = 31) -> np.ndarray:
    """bool [*shape[:-1], epoch, sample] with many repeats; some never learned, some late."""
    rng = np.random.default_rng(seed)
    *lead, samples = shape
    first = rng.integers(0, 2 * epochs, (*lead, 1, samples))
    first = np.where(first < epochs, first // 3, first - epochs)
    rate = rng.choice([0.0, 0.0, 0.02, 0.3], (*lead, 1, samples))
    since = np.arange(epochs)[:, None] - first
    drawn = rng.random((*lead, epochs, samples)) < np.exp(-rate * np.maximum(since, 0))
    learned = rng.random((*lead, 1, samples)) < 0.9
    return (drawn | (since == 0)) & (since >= 0) & learned


def assert_equal_fits(one, other):
    assert one.curve == other.curve
    assert one.bounds == other.bounds
    assert one.parameters == other.parameters
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("curve", list(FITS))
def test_batches_equal_the_fits_of_the_pages(curve, monkeypatch):
    correct = ragged_correct(1, (3, 700))
    traces = curves.retention_traces(correct)[0]
    want = FITS[curve](traces)
    assert_equal_fits(batch.fit_many(correct, curve), want)
    assert_equal_fits(batch.fit_many(traces, curve), want)
    assert_equal_fits(batch.fit_many(traces.astype(np.float32), curve, threads=1), want)
    smooth = curves.running_mean(traces)
    want = FITS[curve](smooth)
    monkeypatch.setattr(batch, "_PIECE", 64)
    assert_equal_fits(batch.fit_many(smooth, curve), want)


@pytest.mark.parametrize("block", [1, 97, 1000])
def test_blocks_and_threads_change_no_bit(block, monkeypatch):
    correct = ragged_correct(2, (2, 2, 150))
    means = averages(2, 300)
    want = batch.fit_many(correct, threads=1), batch.fit_many(means, threads=1)
    monkeypatch.setattr(batch, "_BLOCK", block)
    monkeypatch.setattr(batch, "_PIECE", max(block // 3, 1))
    for threads in (1, 2, 3):
        assert_equal_fits(batch.fit_many(correct, threads=threads), want[0])
        assert_equal_fits(batch.fit_many(means, threads=threads), want[1])


def test_streaming_equals_one_go_and_takes_one_block_at_a_time():
    correct = ragged_correct(3, (2, 500))
    taken = []

    def blocks():
        for start in range(0, 500, 120):
            taken.append(start)
            yield correct[..., start : start + 120]

    whole, parts = batch.fit_many(correct), []
    for number, fit in enumerate(batch.fit_blocks(blocks()), 1):
        assert len(taken) == number
        parts.append(fit)
    for name in ARRAYS:
        joined = np.concatenate([getattr(part, name) for part in parts], axis=-1)
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_memory_maps_and_strided_views_are_read_as_they_are(tmp_path):
    correct = ragged_correct(4, (4, 300))
    np.save(tmp_path / "correct.npy", correct)
    mapped = np.load(tmp_path / "correct.npy", mmap_mode="r")
    assert_equal_fits(batch.fit_many(mapped), batch.fit_many(correct))
    assert_equal_fits(
        batch.fit_many(mapped[::2, :, ::3]), batch.fit_many(correct[::2, :, ::3].copy())
    )
    moved = np.moveaxis(np.moveaxis(correct, 0, -1).copy(), -1, 0)
    assert_equal_fits(batch.fit_many(moved), batch.fit_many(correct))


def test_a_store_is_read_in_blocks():
    shipped = Path(__file__).resolve().parents[1] / "data" / "traces"
    dataset = stores.open_traces("cifar7-test_resnet-quick", shipped)
    blocks = list(batch.correct_blocks(dataset, 900))
    assert [block.shape[-1] for block in blocks[:-1]] == [900] * (len(blocks) - 1)
    whole = (dataset["prediction"] == dataset["label"]).transpose("seed", "epoch", "sample").values
    np.testing.assert_array_equal(np.concatenate(blocks, axis=-1), whole)
    fits = list(batch.fit_blocks(blocks, "exponential"))
    want = curves.fit_exponential(curves.retention_traces(whole)[0])
    np.testing.assert_array_equal(np.concatenate([fit.rate for fit in fits], axis=-1), want.rate)
    with pytest.raises(LetheError, match="samples is 0"):
        next(batch.correct_blocks(dataset, 0))


@pytest.mark.parametrize("epochs", [1, 2, 3, 62, 63, 64, 90])
def test_any_number_of_epochs(epochs):
    correct = ragged_correct(5, (2, 60), epochs)
    traces = curves.retention_traces(correct)[0]
    for curve, fit in FITS.items():
        assert_equal_fits(batch.fit_many(correct, curve), fit(traces))
        assert_equal_fits(batch.fit_many(traces, curve), fit(traces))


def test_hostile_traces_give_numbers_or_nan_without_warnings():
    nan = np.nan
    odd = np.array([[nan] * 4, [1, nan, nan, nan], [1, nan, 0, 1], [1, 0, nan, nan], [0, 0, 0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for curve, fit in FITS.items():
            found = batch.fit_many(odd, curve)
            assert_equal_fits(found, fit(odd))
            np.testing.assert_array_equal(np.isfinite(found.rate), found.length > 1)
        assert batch.fit_many(np.zeros((2, 5, 0), bool)).rate.shape == (2, 0)
        assert batch.fit_many(np.zeros((0, 5))).rate.shape == (0,)
        assert batch.fit_many(np.ones(5)).rate.shape == ()
        assert np.isnan(batch.fit_many(np.zeros((5, 3), bool)).rate).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 5), int),), "of type int64: give bool"),
        ((np.ones((2, 5)), "extendet"), "did you mean 'extended'"),
        ((np.ones((2, 5)), "extended", 0), "threads is 0"),
        ((np.ones(5, bool),), "correct has one axis"),
        ((np.array(1.0),), "no axis"),
        ((np.ones((2, 0)),), "no epochs"),
        ((np.ones((0, 4), bool),), "no epochs"),
        ((np.full((2, 5), 1.5),), "between 0 and 1"),
        ((np.full((2, 5), np.inf),), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message):
    with pytest.raises(LetheError, match=message) as caught:
        batch.fit_many(*arguments)
    assert "\n" not in str(caught.value)


def test_a_bad_curve_is_refused_before_the_first_block():
    with pytest.raises(LetheError, match="unknown curve"):
        batch.fit_blocks(iter([]), "lapse")


@few
@given(hnp.arrays(bool, st.tuples(st.integers(1, 63), st.integers(0, 9))))
def test_keys_restore_retention_traces(correct):
    keys = np.empty(correct.shape[1], np.uint64)
    row_kernels.pack_correct(np.ascontiguousarray(correct).view(np.uint8), keys)
    want, _ = curves.retention_traces(correct)
    back = np.empty(want.shape)
    row_kernels.unpack(keys, back)
    np.testing.assert_array_equal(back, want)
    again = np.empty_like(keys)
    assert row_kernels.pack_traces(want, again)
    np.testing.assert_array_equal(again, keys)


def test_only_zeros_and_ones_without_gaps_are_packed():
    keys = np.empty(1, np.uint64)
    for row in ([0.5, 1.0], [np.nan, 1.0], [1.0, 2.0], [1.0, -1.0]):
        assert not row_kernels.pack_traces(np.array([row]), keys)
    assert row_kernels.pack_traces(np.array([[-0.0, 1.0, np.nan]]), keys)
    assert keys[0] == 0b101


def test_same_keys_equals_a_sort():
    rng = np.random.default_rng(0)
    for n, choices in ((0, 1), (1, 1), (5000, 3), (60000, 40000), (9000, 2**62)):
        keys = rng.integers(0, choices, n).astype(np.uint64)
        keep, back = row_kernels.same_keys(keys)
        np.testing.assert_array_equal(keys[keep][back], keys)
        assert len(keep) == len(np.unique(keys))


@few
@given(
    hnp.arrays(
        float, st.tuples(st.integers(0, 30), st.just(3)), elements=st.sampled_from([0, 0.5, 1])
    ),
    st.integers(0, 2**32 - 1),
)
def test_distinct_rows_restore_all_rows(values, seed):
    weights = np.random.default_rng(seed).integers(0, 2, values.shape).astype(float)
    y, w, back = trace_rows.distinct(values, weights)
    np.testing.assert_array_equal(y[back], values)
    np.testing.assert_array_equal(w[back], weights)
    both = np.concatenate([values, weights], axis=1)
    assert len(y) == len(np.unique(both, axis=0))


def test_rows_of_zeros_and_ones_spread_over_the_table():
    rows = (np.arange(1 << 14)[:, None] >> np.arange(14) & 1).astype(float)
    y, _, back = trace_rows.distinct(rows, np.ones_like(rows))
    assert len(y) == len(rows)
    np.testing.assert_array_equal(back, np.arange(len(rows)))


@few
@given(hnp.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 6))))
def test_any_correct_is_fitted_inside_the_box(correct):
    fit = batch.fit_many(correct, threads=1)
    usable = fit.length > 1
    np.testing.assert_array_equal(np.isfinite(fit.sse), usable)
    for part, low, high in ((fit.rate, LOW, HIGH), (fit.amplitude, 0, 1), (fit.floor, 0, 1)):
        assert np.all((part[usable] >= low) & (part[usable] <= high))
    assert np.all(fit.sse[usable] <= fit.sst[usable] + 1e-9)
