"""Top sets, their overlap and its chance level, against slow loops and enumeration."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lethe.analysis import agreement
from lethe.errors import LetheError


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def counts(rng, runs=4, n=400, high=5):
    return rng.integers(0, high, (runs, n)).astype(float)


def test_top_mask_takes_the_highest_without_ties(rng):
    score = rng.permutation(100).astype(float)
    assert set(score[agreement.top_mask(score, 0.1, rng)]) == set(range(90, 100))


def test_top_mask_breaks_ties_at_random_with_equal_chances(rng):
    score = np.array([3.0, 2, 2, 2, 2, 0, 0, 0, 0, 0])
    chosen = np.mean([agreement.top_mask(score, 0.3, rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(chosen, [1, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0, 0], atol=0.04)


def test_top_mask_never_takes_a_never_learned_sample(rng):
    score = np.array([np.nan, 1, 2, 3, np.nan, 4])
    mask = agreement.top_mask(score, 0.5, rng)
    assert mask.tolist() == [False, False, False, True, False, True]


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, 0.001])
def test_top_mask_refuses_an_empty_or_full_set(rng, fraction):
    with pytest.raises(LetheError):
        agreement.top_mask(np.arange(100.0), fraction, rng)


def test_jaccard_of_known_sets():
    a, b = np.array([1, 1, 1, 0, 0], bool), np.array([0, 1, 1, 1, 0], bool)
    assert agreement.jaccard(a, b) == 0.5
    assert np.isnan(agreement.jaccard(a & False, b & False))


def test_closed_form_is_the_mean_over_tie_breaks(rng):
    shared = rng.integers(0, 4, 3000)
    a, b = (shared + rng.integers(0, 3, 3000)).astype(float), shared.astype(float)
    drawn = agreement.jaccard_top(a, b, 0.1, rng, draws=300)
    exact = agreement.overlap_matrix(a[None], b[None], 0.1)[0, 0]
    assert abs(drawn.mean() - exact) < 4 * drawn.std() / np.sqrt(300) + 2e-4
    assert drawn.std() > 0


def test_a_stable_sort_would_inflate_the_overlap_of_tied_scores(rng):
    """Two unrelated coarse scores: chance by random ties, high if both keep the low positions."""
    a, b = (rng.random((2, 5000)) < 0.02).astype(float)
    naive = [set(np.argsort(-s, kind="stable")[:500]) for s in (a, b)]
    inflated = len(naive[0] & naive[1]) / len(naive[0] | naive[1])
    honest = agreement.overlap_matrix(a[None], b[None], 0.1)[0, 0]
    assert inflated > 0.6
    assert abs(honest - agreement.jaccard_null(5000, 0.1)[0]) < 0.01


def test_overlap_matrix_matches_sets_pair_by_pair_without_ties(rng):
    a, b = rng.normal(size=(3, 500)), rng.normal(size=(2, 500))
    top = [[set(np.argsort(row)[-50:]) for row in side] for side in (a, b)]
    slow = [[len(x & y) / len(x | y) for y in top[1]] for x in top[0]]
    np.testing.assert_allclose(agreement.overlap_matrix(a, b, 0.1), slow)


def test_overlap_leaves_never_learned_samples_out_by_pair(rng):
    a, b = rng.normal(size=(2, 600))
    a[:30], b[20:70] = np.nan, np.nan
    known = ~np.isnan(a) & ~np.isnan(b)
    expected = agreement.overlap_matrix(a[None, known], b[None, known], 0.2)
    np.testing.assert_allclose(agreement.overlap_matrix(a[None], b[None], 0.2), expected)


def test_overlap_refuses_unmatched_samples():
    with pytest.raises(LetheError, match="match them by id"):
        agreement.overlap_matrix(np.ones((1, 10)), np.ones((1, 11)), 0.1)


def test_null_is_the_exact_hypergeometric_mean_and_range():
    n, k = 12, 4
    chosen = [set(c) for c in combinations(range(n), k)]
    first = set(range(k))
    enumerated = np.mean([len(first & c) / len(first | c) for c in chosen])
    assert agreement.jaccard_null(n, k / n)[0] == pytest.approx(enumerated)
    mean, low, high = agreement.jaccard_null(6000, 0.1)
    assert mean == pytest.approx(0.0526, abs=2e-4)
    assert high == pytest.approx(0.0657, abs=1e-3)
    assert low < mean < high
    both = stats.hypergeom(6000, 600, 600).rvs(20000, random_state=1)
    drawn = both / (1200 - both)
    assert np.mean((drawn >= low) & (drawn <= high)) >= 0.95


def test_the_null_is_exact_with_ties_broken_at_random(rng):
    """However tied two scores are, shuffled and cut by lot they meet as two random sets do."""
    a, b = np.minimum(rng.integers(0, 9, (2, 40)), 3).astype(float)
    both = np.zeros(9)
    for _ in range(4000):
        top = [agreement.top_mask(run, 0.2, rng) for run in (a, rng.permutation(b))]
        both[np.count_nonzero(top[0] & top[1])] += 1
    expected = 4000 * stats.hypergeom(40, 8, 8).pmf(np.arange(9))
    often = expected > 5
    statistic = ((both - expected)[often] ** 2 / expected[often]).sum()
    assert stats.chi2(np.count_nonzero(often) - 1).sf(statistic) > 1e-3


def test_an_overlap_averaged_over_ties_varies_less_than_the_null_allows(rng):
    """The closed form has the null's mean; the null's range may be too wide for it."""
    a, b = np.minimum(rng.integers(0, 9, (2, 400)), 7).astype(float)
    shuffled = np.array([rng.permutation(b) for _ in range(2000)])
    values = agreement.overlap_matrix(a[None], shuffled, 0.1)[0]
    mean, low, high = agreement.jaccard_null(400, 0.1)
    assert values.mean() == pytest.approx(mean, abs=0.002)
    assert np.mean((values >= low) & (values <= high)) > 0.99


def test_tie_share_counts_the_places_filled_by_lot():
    score = np.array([5, 4, 3, 3, 3, 1, 0, 0, 0, 0], float)
    assert agreement.tie_share(score, 0.3) == pytest.approx(1 / 3)
    assert agreement.tie_share(score, 0.2) == 0
    assert agreement.tie_share(np.zeros(10), 0.3) == 1
    assert agreement.tie_share(np.append(score, np.nan), 0.3) == pytest.approx(1 / 3)


def test_chance_correction_ends():
    assert agreement.chance_corrected(0.05, 0.05) == 0
    assert agreement.chance_corrected(1, 0.05) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.05, 0.1, 0.3, 0.5]))
def test_overlap_does_not_depend_on_order_or_scale(seed, levels, fraction):
    rng = np.random.default_rng(seed)
    scores = counts(rng, runs=3, n=120, high=levels)
    matrix = agreement.jaccard_matrix(scores, fraction)
    np.testing.assert_allclose(matrix, matrix.T)
    assert np.all((matrix >= 0) & (matrix <= 1 + 1e-12))
    shuffled = scores[:, rng.permutation(120)]
    np.testing.assert_allclose(agreement.jaccard_matrix(np.exp(shuffled), fraction), matrix)


def test_constant_score_gives_chance(rng):
    value = agreement.jaccard_matrix(np.zeros((2, 1000)), 0.1)[0, 1]
    assert value == pytest.approx(0.1**2 / (0.2 - 0.1**2))
