"""Compiled kernels and threads: against dense levels in NumPy on the same draws; hostile input."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lethe.analysis import agreement
from lethe.analysis.agreement import threads
from lethe.errors import LetheError


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def levels(row):
    return np.unique(row, return_inverse=True)[1]


def slow_spearman(a, b, w):
    """Weighted mid-ranks from the mass of each level, then a weighted correlation."""
    ranks = []
    for row in (a, b):
        mass = np.bincount(levels(row), w)
        ranks.append((np.cumsum(mass) - mass / 2)[levels(row)] - w.sum() / 2)
    x, y = ranks
    spread = math.sqrt((w * x * x).sum() * (w * y * y).sum())
    return (w * x * y).sum() / spread if spread else math.nan


def slow_jaccard(a, b, w, fraction):
    """Share of tie breaks that admit each sample, from the mass of each level."""
    size, shares = np.round(fraction * w.sum()), []
    for row in (a, b):
        mass = np.bincount(levels(row), w)
        room = size - (w.sum() - np.cumsum(mass))
        part = np.divide(room, mass, out=np.zeros(mass.size), where=mass > 0)
        shares.append(np.clip(part, 0, 1)[levels(row)])
    both = (w * shares[0] * shares[1]).sum()
    return both / (2 * size - both) if size else math.nan


def slow_matrix(scores, weights, pair):
    """A statistic of every two runs on the samples known in both."""
    out = np.full((len(scores), len(scores)), np.nan)
    for i, a in enumerate(scores):
        for j, b in enumerate(scores):
            known = ~(np.isnan(a) | np.isnan(b))
            if weights[known].sum():
                out[i, j] = pair(a[known], b[known], weights[known])
    return out


KINDS = ("distinct", "half tied", "few levels", "constant run")


def make(rng, kind, runs=4, n=60, missing=0.0):
    scores = rng.normal(size=n) + rng.normal(size=(runs, n))
    if kind == "half tied":
        scores = np.maximum(scores, 0)
    if kind == "few levels":
        scores = scores.round()
    if kind == "constant run":
        scores[0] = 7
    scores[rng.random(scores.shape) < missing] = np.nan
    return scores


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(KINDS),
    st.sampled_from([0, 0.05, 0.4]),
    st.sampled_from([0.1, 0.25]),
    st.sampled_from([np.float32, np.float64]),
)
def test_kernels_are_the_slow_versions_on_the_same_weights(seed, kind, missing, fraction, dtype):
    rng = np.random.default_rng(seed)
    scores = make(rng, kind, missing=missing).astype(dtype)
    weights = rng.integers(0, 4, 60).astype(float)
    np.testing.assert_allclose(
        agreement.spearman_on(scores)(weights),
        slow_matrix(scores, weights, slow_spearman),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        agreement.jaccard_on(scores, fraction)(weights),
        slow_matrix(scores, weights, lambda a, b, w: slow_jaccard(a, b, w, fraction)),
        atol=1e-12,
    )


def slow_mean(matrix, seeds):
    """Mean over ordered pairs of different seeds, each pair as often as both were drawn."""
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j and seeds[i] * seeds[j]]
    mass = [seeds[i] * seeds[j] for i, j in pairs]
    return np.average([matrix[p] for p in pairs], weights=mass)


@pytest.mark.parametrize("missing", [0, 0.1])
def test_an_interval_is_the_slow_one_on_the_same_draws(rng, missing):
    """Each draw has its own stream, so plain loops can repeat all of them, and the formula."""
    scores, draws, n = make(rng, "half tied", runs=6, n=120, missing=missing), 40, 120
    found = agreement.cross_seed(agreement.spearman_on(scores), 6, n, np.random.default_rng(5), 40)
    repeat, ones = np.random.default_rng(5), np.ones(6)
    weights = [agreement.sample_weights(n, stream) for stream in repeat.spawn(60)]
    samples = [slow_mean(slow_matrix(scores, w, slow_spearman), ones) for w in weights]
    whole = slow_matrix(scores, np.ones(n), slow_spearman)
    seeds = [slow_mean(whole, ones - np.eye(6)[left_out]) for left_out in range(6)]
    parts = {5: 5 * np.var(seeds), n - 1: np.var(samples, ddof=1) * n / (n - 1)}
    variance = sum(parts.values())
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-10)
    freedom = variance**2 / sum(part**2 / df for df, part in parts.items())
    values = []
    for stream in repeat.spawn(draws):
        drawn, w = agreement.seed_weights(6, stream), agreement.sample_weights(n, stream)
        values.append(slow_mean(slow_matrix(scores, w, slow_spearman), drawn))
    reach = stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975) * found.se / np.std(values, ddof=1)
    limits = found.estimate + reach * (np.quantile(values, [0.025, 0.975]) - found.estimate)
    assert [found.low, found.high] == pytest.approx(limits, rel=1e-8)


@pytest.mark.parametrize("missing", [0, 0.1])
def test_the_number_of_threads_changes_nothing(monkeypatch, missing):
    scores = make(np.random.default_rng(1), "half tied", runs=7, n=300, missing=missing)
    labels = np.arange(300) % 5

    def everything():
        rng = np.random.default_rng(2)
        matrix = agreement.spearman_on(scores)
        mean = lambda s: agreement.mean_pairwise(agreement.jaccard_matrix(s, 0.1))  # noqa: E731
        return (
            agreement.cross_seed(matrix, 7, 300, rng, 20),
            agreement.permutation_null(mean, scores, rng, 20, labels),
            agreement.icc_interval(scores, rng, 10),
            agreement.kendall_w(scores),
        )

    monkeypatch.setattr(threads, "cores", lambda: 1)
    alone = everything()
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 0.0)
    assert everything() == alone


def test_threads_keep_order_context_and_errors(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 3)
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 0.0)
    assert threads.in_threads(lambda i: i * i, range(20)) == [i * i for i in range(20)]
    nested = threads.in_threads(lambda i: threads.in_threads(lambda j: i + j, range(3)), range(4))
    assert nested == [[i + j for j in range(3)] for i in range(4)]
    assert threads.in_threads(abs, []) == []
    with np.errstate(divide="ignore"):
        threads.in_threads(lambda i: np.ones(1) / np.zeros(1), range(5))
    with pytest.raises(LetheError, match="piece 3"):
        threads.in_threads(refuse_three, range(5))


def refuse_three(piece):
    if piece == 3:
        raise LetheError("piece 3")


def test_sorted_runs_give_what_scores_give(rng):
    scores = make(rng, "half tied", missing=0.1)
    runs = agreement.sort_runs(scores)
    assert agreement.sort_runs(runs) is runs
    np.testing.assert_array_equal(
        agreement.spearman_matrix(runs), agreement.spearman_matrix(scores)
    )
    np.testing.assert_array_equal(
        agreement.jaccard_matrix(runs, 0.1), agreement.jaccard_matrix(scores, 0.1)
    )
    assert agreement.kendall_w(runs) == agreement.kendall_w(scores)


def test_one_run_two_samples_and_nothing_known(rng):
    assert agreement.spearman_matrix(rng.normal(size=50)).tolist() == [[1]]
    two = np.array([[1.0, 2], [2, 1]])
    np.testing.assert_allclose(agreement.spearman_matrix(two), [[1, -1], [-1, 1]])
    assert agreement.kendall_w(two) == 0
    lost = np.vstack([np.full(20, np.nan), rng.normal(size=(2, 20))])
    rho = agreement.spearman_matrix(lost)
    assert np.isnan(rho[0]).all()
    assert rho[1, 2] == pytest.approx(agreement.spearman_matrix(lost[1:])[0, 1])
    with pytest.raises(LetheError, match=r"top 0\.1 of 0"):
        agreement.jaccard_matrix(lost, 0.1)


@pytest.mark.parametrize("measure", [agreement.kendall_w, agreement.icc])
def test_too_little_in_common_is_refused(rng, measure):
    apart = np.array([[1.0, 2, np.nan, np.nan], [np.nan, np.nan, 1, 2]])
    with pytest.raises(LetheError, match="2 samples known in all of them: got 2 and 0"):
        measure(apart)
    with pytest.raises(LetheError, match="2 runs"):
        measure(rng.normal(size=(1, 9)))


@pytest.mark.parametrize("bad", [0.5, -1, math.nan, 70_000])
def test_weights_must_be_multiplicities(rng, bad):
    weights = np.ones(30)
    weights[3] = bad
    with pytest.raises(LetheError, match="whole numbers from 0 to 65535"):
        agreement.spearman_on(rng.normal(size=(2, 30)))(weights)


def test_weights_must_fit_the_samples_and_the_counters(rng):
    matrix = agreement.spearman_on(rng.normal(size=(2, 30)))
    for bad in (np.ones(29), np.ones((2, 30)), np.ones(0)):
        with pytest.raises(LetheError, match="one for each of 30"):
            matrix(bad)
    with pytest.raises(LetheError, match="1,073,741,824 in all"):
        agreement.spearman_on(rng.normal(size=(2, 20_000)))(np.full(20_000, 65_000))


def test_scores_must_be_runs_of_samples():
    for bad in (np.ones((2, 3, 4)), np.ones((2, 0))):
        with pytest.raises(LetheError, match=r"expected \[run, sample\]"):
            agreement.spearman_matrix(bad)


def test_infinite_and_whole_scores_are_ranked():
    scores = np.array([[-np.inf, 0, 5, np.inf], [1, 2, 3, 4]])
    assert agreement.spearman_matrix(scores)[0, 1] == pytest.approx(1)
    counts = np.array([[0, 1, 1, 3], [0, 1, 1, 3]])
    assert agreement.spearman_matrix(counts)[0, 1] == pytest.approx(1)
    assert agreement.spearman_matrix(np.array([[0.0, -0.0, 1], [0, 0, 1]]))[0, 1] == 1


@pytest.mark.slow
def test_ten_million_samples():
    """Ranks of permutations are the values, so their correlation is Pearson's."""
    rng = np.random.default_rng(3)
    scores = np.array([rng.permutation(10_000_000) for _ in range(2)], dtype=float)
    found = agreement.spearman_matrix(scores)[0, 1]
    assert found == pytest.approx(np.corrcoef(scores)[0, 1], abs=1e-12)
    scores[0, :1000] = np.nan
    assert agreement.spearman_matrix(scores)[0, 1] == pytest.approx(found, abs=1e-3)
    assert agreement.jaccard_matrix(scores, 0.1)[0, 1] == pytest.approx(0.0526, abs=1e-3)
