"""Traces of any size: blocks change no bit, memory is that of a block, cost is in proportion."""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_stores import write_stores

from lethe import traces
from lethe.analysis import curves, scores
from lethe.analysis.curves import batch, pooled, row_kernels, shrinkage
from lethe.analysis.findings import fit_quality, likeness, seed_stability
from lethe.analysis.findings.class_order import replacements
from lethe.analysis.simulate import lapses
from lethe.errors import LetheError
from lethe.pages import sample_gallery

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import scale
import scale_steps

SEEDS, EPOCHS, N = 3, 70, 1001


def simulated(epochs: int = EPOCHS, samples: int = N, seeds: int = SEEDS) -> np.ndarray:
    """`correct` with samples never learned, learned late, never forgotten, and many distinct."""
    rng = np.random.default_rng(epochs)
    first = np.floor(rng.exponential(3, (seeds, samples)))
    first = np.where(rng.random(first.shape) < 0.05, np.nan, first)
    rate = np.exp(rng.normal(-3, 1.5, samples))
    return curves.simulate_correct(rng, rate, epochs, seeds, "lapse_relearn", first)


def dataset(correct: np.ndarray):
    """Traces of these answers, floats and all."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 4, correct.shape[-1])
    floats = {"loss": rng.gamma(1.0, 1.0, correct.shape), "margin": rng.normal(size=correct.shape)}
    floats["error_l2"] = rng.random(correct.shape)
    return traces.from_arrays(np.where(correct, label, (label + 1) % 4), label, **floats)


@pytest.fixture(scope="module")
def ds():
    return dataset(simulated())


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A store that is read from the disk: 3 seeds of some hundred images."""
    folder = tmp_path_factory.mktemp("stores")
    paths = write_stores(folder, sizes=(40, 40, 40), seeds=3, epochs=9)
    return [traces.open_traces(path) for path in paths]


@pytest.fixture
def small_blocks(monkeypatch):
    """Work on 3,000 cells at a time and read 100 samples, the last alone: 1001 = 10 x 100 + 1."""
    monkeypatch.setattr(scores, "CELLS", 3000)
    monkeypatch.setattr(pooled, "CELLS", 3000)
    monkeypatch.setattr(scores, "READ", 100 * SEEDS * EPOCHS * 2)


@pytest.mark.parametrize("name", list(scores.SCORES))
def test_scores_in_blocks_equal_those_in_one_go_bit_for_bit(name, ds, small_blocks, monkeypatch):
    in_blocks = scores.score(ds, name)
    monkeypatch.undo()
    whole = scores.score(ds, name)
    assert in_blocks.identical(whole)


def test_blocks_are_read_as_such(ds, small_blocks, monkeypatch):
    seen = []
    compute = scores.SCORES["forgetting_events"].compute
    form = ("forgetting_events", "", 1, "correct")
    noted = scores.Score(*form, lambda right: seen.append(right) or compute(right))
    monkeypatch.setitem(scores.SCORES, "forgetting_events", noted)
    scores.score(ds, "forgetting_events")
    assert [part.shape[-1] for part in seen] == [100] * 10 + [2]  # the last has a neighbour


def test_a_score_of_a_store_leaves_it_on_the_disk(opened, small_blocks):
    for name in scores.SCORES:
        scores.score(opened[0], name)
    for name in ("prediction", "loss", "margin", "error_l2"):
        assert not opened[0].variables[name]._in_memory, name


def test_missing_predictions_are_all_counted(ds, small_blocks):
    broken = ds.copy(deep=True)
    broken["prediction"][0, 3, [5, 500, 1000]] = -1
    with pytest.raises(LetheError, match=r"^3 predictions are missing"):
        scores.score(broken, "mean_retention")


def peak(work) -> float:
    """Most memory that a call takes at a time, in MB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_a_block_and_of_the_result(monkeypatch):
    large = simulated(samples=4 * N)
    loss = np.ones(large.shape, np.float32)
    floats = large.size * 8 / 1e6  # 6.7 MB, and a loss as float32 half of it
    monkeypatch.setattr(scores, "CELLS", 1 << 14)
    monkeypatch.setattr(pooled, "CELLS", 1 << 14)
    for name in ("first_learned", "forgetting_events", "mean_retention"):
        getattr(scores, name)(large)  # whatever is loaded once
        assert peak(lambda name=name: getattr(scores, name)(large)) < floats / 4, name
    assert peak(lambda: scores.confidence(loss)) < floats / 4
    assert peak(lambda: lapses(large)) < floats / 4
    first = np.zeros((SEEDS, 4 * N))
    form = (np.ones(4 * N), first, EPOCHS, np.random.default_rng(0))
    drawn = peak(lambda: curves.resample_correct(*form))
    assert drawn < floats / 8 + floats / 4  # the bits themselves, and a little
    assert peak(lambda: curves.retention_traces(large)) > floats  # the measure measures


@pytest.mark.parametrize("epochs", [1, 2, 63, 64, 65, 90, 127, 128])
@pytest.mark.parametrize("curve", ["exponential", "exponential_likelihood"])
def test_keys_of_one_word_two_and_none_change_no_bit(epochs, curve):
    correct = simulated(epochs, 200)
    correct[0, :, :4] = np.array([True, False, False, True])[:, None].T
    correct[0, -1, 2:4] = True, False
    for k in range(epochs):  # learned at k, and never lost, or lost at once
        correct[1, :, k], correct[2, :, k] = np.arange(epochs) >= k, np.arange(epochs) == k
    method = "bernoulli" if curve.endswith("likelihood") else "least_squares"
    want = curves.fit_exponential(curves.retention_traces(correct)[0], method=method)
    got = batch.fit_many(correct, curve)
    for name in ("rate", "amplitude", "floor", "sse", "sst", "length"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)


def test_wide_keys_go_there_and_back():
    correct = simulated(100, 300)[0]
    keys = np.empty((300, 2), np.uint64)
    row_kernels.pack_correct_wide(np.ascontiguousarray(correct).view(np.uint8), keys)
    want = curves.retention_traces(correct)[0]
    back = np.empty_like(want)
    row_kernels.unpack_wide(keys, back)
    np.testing.assert_array_equal(back, want)


def test_simulated_worlds_are_those_of_one_large_draw():
    rng, epochs = np.random.default_rng(5), 12
    rate = np.exp(rng.normal(-2, 1, 50))
    first = np.where(rng.random((4, 50)) < 0.2, np.nan, rng.integers(0, 5, (4, 50)))
    draw = np.random.default_rng(9).random((4, epochs, 50))
    since = np.arange(epochs)[:, None] - first[:, None, :]
    chance = np.exp(-rate * np.maximum(np.nan_to_num(since), 0.0))
    want = np.where(since == 0, True, draw < chance) & (since >= 0)
    got = curves.resample_correct(rate, first, epochs, np.random.default_rng(9))
    np.testing.assert_array_equal(got, want)


def test_lapses_are_counted_as_defined():
    correct = simulated(9, 60)
    lost, exposed, found, wrong = lapses(correct)
    slow = {"lost": np.zeros(60, int), "exposed": np.zeros(60, int), "found": 0, "wrong": 0}
    for run in correct:
        for i, trace in enumerate(run.T):
            for e in range(len(trace) - 1):
                slow["lost"][i] += trace[e] and not trace[e + 1]
                slow["exposed"][i] += trace[e]
                away = trace[: e + 1].any() and not trace[e]
                slow["wrong"] += away
                slow["found"] += away and trace[e + 1]
    np.testing.assert_array_equal(lost, slow["lost"])
    np.testing.assert_array_equal(exposed, slow["exposed"])
    assert (found, wrong) == (slow["found"], slow["wrong"])


def test_one_rate_for_all_runs_in_blocks(monkeypatch):
    correct = simulated()
    want = curves.shrink(*curves.pool_seeds(curves.retention_traces(correct)[0])).rate
    monkeypatch.setattr(pooled, "CELLS", 3000)
    np.testing.assert_array_equal(pooled.pooled_rate(correct), want)


@pytest.fixture
def few_are_many(monkeypatch):
    """More than 400 samples count as very many, 128 rows are a block."""
    for module in (shrinkage, pooled):
        monkeypatch.setattr(module, "MOST", 400)
    monkeypatch.setattr(shrinkage, "_BLOCK", 128)
    monkeypatch.setattr(pooled, "CELLS", 3000)


def test_the_rates_of_many_need_few_for_their_distribution(few_are_many, monkeypatch):
    correct = simulated()
    in_blocks = pooled.pooled_rate(correct)
    traces_of = curves.pool_seeds(curves.retention_traces(correct)[0])
    at_once = curves.shrink(*traces_of)
    np.testing.assert_allclose(in_blocks, at_once.rate, rtol=1e-12)
    assert at_once.weight.sum() == pytest.approx(1)
    monkeypatch.undo()
    whole = curves.shrink(*traces_of)
    known = ~np.isnan(whole.rate)
    np.testing.assert_array_equal(known, ~np.isnan(in_blocks))
    apart = np.abs(np.log(in_blocks[known] / whole.rate[known]))
    assert np.median(apart) < 0.1
    assert at_once.log_likelihood == pytest.approx(whole.log_likelihood, rel=0.01)
    assert at_once.log_likelihood < whole.log_likelihood  # that is the largest there is


def test_a_trace_unlike_all_that_were_drawn_has_a_rate(few_are_many):
    steady = np.ones((10, 90, 2000), bool)
    odd = np.setdiff1d(np.arange(2000), shrinkage.thinned(2000))[:3]
    steady[:, 1:, odd] = False  # lost at once in every run
    rate = pooled.pooled_rate(steady)
    assert np.isfinite(rate).all()
    assert rate[odd].min() > 1
    assert np.delete(rate, odd).max() < 0.01


@pytest.mark.parametrize(("total", "blocks"), [(1, 3), (2, 9), (7, 3), (1001, 334), (5, 1), (0, 2)])
def test_slices_are_even_and_leave_no_sample_alone(total, blocks):
    parts = pooled.even_slices(total, blocks)
    sizes = [part.stop - part.start for part in parts]
    assert sum(sizes) == total
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2 or len(parts) == 1


def test_side_results_rest_on_some_of_very_many(ds, monkeypatch):
    assert seed_stability.thinned(ds) is ds
    monkeypatch.setattr(seed_stability, "MANY", 100)
    few = seed_stability.thinned(ds)
    places = ds.indexes["sample"].get_indexer(few.indexes["sample"])
    assert few.sizes["sample"] == 100
    assert (np.diff(places) > 0).all()
    assert few.identical(seed_stability.thinned(ds))


def test_stability_in_blocks_is_the_same(ds, small_blocks, monkeypatch):
    def found():
        rng = np.random.default_rng(3)
        return seed_stability.seed_stability(ds, "forgetting_events", rng, 4, 1)

    in_blocks = found()
    monkeypatch.undo()
    assert in_blocks == found()


def test_a_gallery_reads_its_own_images_only(opened):
    numbers = [sample_gallery.Number(np.arange(120.0), what) for what in ("one", "other")]
    sample_gallery.sample_gallery(opened, *numbers, np.array([7, 3, 99]), title="three")
    for part in opened:
        assert not part.variables["prediction"]._in_memory


def test_the_benchmark_finds_exponents():
    found = {}
    for name, sizes in scale.GROWTH.items():
        cells = [dict(vars(size)) for size in sizes]
        for row in cells:
            row |= {"step": "scores", "memory": 300}
            row["processor"] = row["samples"] * row["epochs"] ** 2 * row["seeds"] ** 0.5
        found[name] = pd.DataFrame(cells)
    table = scale.growth_table(found)
    assert len(table) == 3
    assert [cell.strip() for cell in table[2].split("|")][4:7] == ["1.00", "2.00", "0.50"]


@pytest.mark.parametrize("step", list(scale_steps.STEPS))
def test_the_benchmark_measures_each_step(step, opened, monkeypatch):
    monkeypatch.setattr(scale_steps, "FEW", 5)
    told = scale_steps.measured(step, opened[0].encoding["source"])
    assert told.keys() == {"seconds", "processor", "memory", "before"}
    assert told["processor"] > 0
    assert told["memory"] >= told["before"]


def test_a_thousand_classes_are_counted():
    label = np.repeat(np.arange(1000, dtype=np.int16), 2)
    answers = np.stack([label, np.roll(label, 2)])  # right, and the class before
    other, share = likeness.confusion_likeness(answers, label)
    assert other[500] in (499, 501)
    np.testing.assert_allclose(share, 0.25)
    wrong = np.stack([np.ones((2, 2000), bool), np.zeros((2, 2000), bool)], axis=1)
    prediction = np.where(wrong, label, np.roll(label, 2))  # right first, then the class before
    counts = replacements(traces.from_arrays(prediction, label))
    assert counts.sum() == counts[np.arange(1000), np.arange(-1, 999)].sum() == 2 * 2000


def test_networks_with_unequal_numbers_of_runs_are_compared_level_by_level():
    correct = simulated(20, 300, 6)
    retention = curves.retention_traces(correct)[0]
    fits = [curves.fit_exponential(rows) for rows in (retention, retention[:2])]
    levels = [fit_quality.base_rate(rows) for rows in (retention, retention[:2])]
    gap = fit_quality.matched_gap(*fits, *levels, np.random.default_rng(0), 20)
    assert np.isfinite(gap.estimate)
    same = fit_quality.matched_gap(*fits[:1] * 2, *levels[:1] * 2, np.random.default_rng(0), 20)
    assert same.estimate == pytest.approx(0, abs=1e-12)
