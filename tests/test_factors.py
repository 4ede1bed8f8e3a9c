"""lethe.analysis.factors: known worlds, scipy, loops from the definitions, and odd input."""

import hashlib
import io
import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, sobol_indices, spearmanr

from lethe.analysis import agreement, arms, scores
from lethe.analysis.factors import agree, course, design, sobol, steady, worlds
from lethe.analysis.factors.design import CONTROLS, EVERYTHING, NOTHING, PAIRS, RUNS, SOURCES
from lethe.errors import LetheError

SPEARMAN = agreement.spearman_on


def rng(seed=0):
    return np.random.default_rng(seed)


def pooled(values):
    """All shares without intervals."""
    found = sobol.terms(sobol.centred(values))
    return {name: term.sum() / found["V"].sum() for name, term in found.items() if name != "V"}


@pytest.mark.parametrize(
    ("world", "first", "total"),
    [
        (worlds.additive, (0.4, 0.3, 0.2, 0.1), (0.4, 0.3, 0.2, 0.1)),
        (worlds.pairwise, (0, 0, 0, 0), (0.5, 0.5, 0.5, 0.5)),
        (worlds.chaotic, (0, 0, 0, 0), (1, 1, 1, 1)),
    ],
)
def test_worlds_with_known_shares(world, first, total):
    found = sobol.shares(sobol.centred(worlds.simulate(world, 10, 3000, rng())), rng(), 40)
    for source, s, t in zip(SOURCES, first, total, strict=True):
        assert found[f"S {source}"].estimate == pytest.approx(s, abs=0.05)
        assert found[f"T {source}"].estimate == pytest.approx(t, abs=0.05)
        assert found[f"T {source}"].low < t + 0.03
        assert found[f"T {source}"].high > t - 0.03
    alone = found[f"S {sobol.INTERACTION}"].estimate
    assert alone == pytest.approx(1 - sum(first), abs=0.1)
    assert all(found[f"T {control}"].estimate == 0 for control in CONTROLS)
    assert all(found[f"X {source}"] == found[f"T {source}"] for source in SOURCES)


def test_a_single_source_that_does_everything():
    found = pooled(worlds.simulate(lambda draws: draws[2] ** 3, 8, 4000, rng(2)))
    for source in SOURCES:
        truth = float(source == SOURCES[2])
        assert found[f"T {source}"] == pytest.approx(truth, abs=0.06)
        assert found[f"S {source}"] == pytest.approx(truth, abs=0.06)


def mixed(draws):
    """A world with main effects and interactions, of normal draws [source, unit]."""
    a, b, c, d = draws
    return a + 0.7 * b * c + 0.5 * np.maximum(d, a)


def test_the_same_as_scipy_on_one_unit_with_many_blocks():
    n = 4096
    one, two = rng(3).standard_normal((2, n, 4))
    frozen = [np.where(np.arange(4) == j, two, one) for j in range(4)]
    runs = [one, two, *frozen, one, one, one]
    values = np.stack([mixed(draws.T) for draws in runs], axis=1)[..., None]
    given_draws = {"f_A": values[:, 0].T, "f_B": values[:, 1].T}
    given_draws["f_AB"] = np.stack([values[:, 2 + j].T for j in range(4)])
    known = sobol_indices(func=given_draws, n=n)
    ours = pooled(values)
    for j, source in enumerate(SOURCES):
        assert ours[f"S {source}"] == pytest.approx(np.ravel(known.first_order)[j], abs=0.03)
        assert ours[f"T {source}"] == pytest.approx(np.ravel(known.total_order)[j], abs=0.03)


def test_the_same_as_conditional_variances_by_quadrature():
    """S and T of `mixed` from the definition: means and variances over a grid of quantiles."""
    levels = norm.ppf((np.arange(15) + 0.5) / 15)
    grid = np.array(list(product(levels, repeat=4))).T
    table = mixed(grid).reshape(15, 15, 15, 15)
    found = pooled(
        worlds.simulate(lambda d: mixed(levels[(norm.cdf(d) * 15).astype(int)]), 10, 20_000, rng(4))
    )
    for j, source in enumerate(SOURCES):
        others = tuple(k for k in range(4) if k != j)
        assert found[f"S {source}"] == pytest.approx(
            table.mean(axis=others).var() / table.var(), abs=0.02
        )
        assert found[f"T {source}"] == pytest.approx(
            table.var(axis=j).mean() / table.var(), abs=0.02
        )


def slow_shares(values):
    """From the definition in loops; NaN are skipped."""
    total, found = 0.0, dict.fromkeys([f"{w} {s}" for w in "ST" for s in SOURCES], 0.0)
    draws = values[:, : len(RUNS) - len(CONTROLS)]
    for b, u in product(range(len(values)), range(values.shape[2])):
        others = [draws[k, :, u].mean() for k in range(len(values)) if k != b]
        others = [m for m in others if m == m]
        if np.isnan(values[b, 0, u]) or not others:
            continue
        m = sum(others) / len(others)
        y = {name: values[b, place, u] for place, name in enumerate(RUNS)}
        total += (y["base"] - y["other"]) ** 2 / 2
        for s in SOURCES:
            found[f"T {s}"] += (y["base"] - y[s]) ** 2 / 2
            found[f"S {s}"] += (y["other"] - m) * (y[s] - y["base"])
    return {name: value / total for name, value in found.items()}


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(3, 8))
def test_fast_is_slow_and_unit_levels_do_not_matter(seed, blocks, units):
    values = rng(seed).integers(0, 5, (blocks, len(RUNS), units)).astype(float)
    gone = rng(seed).random((blocks, units)) < 0.2
    values[np.broadcast_to(gone[:, None], values.shape)] = np.nan
    if not sobol.terms(sobol.centred(values))["V"].sum() > 0:
        return
    fast, slow = pooled(values), slow_shares(values)
    level = 100 * rng(seed + 1).standard_normal(units)
    for name, value in slow.items():
        assert fast[name] == pytest.approx(value, abs=1e-9)
        assert pooled(3 * values + level)[name] == pytest.approx(value, abs=1e-6)
        assert name[0] == "S" or value >= 0


def shared_draws(seed, blocks=10, units=60):
    """Scores in which all units follow the same four draws, with loadings of their own."""
    one, two = rng(seed).standard_normal((2, blocks, 4))
    load = rng(7).standard_normal((4, units)) * np.sqrt([[0.4], [0.3], [0.2], [0.1]])
    frozen = [np.where(np.arange(4) == j, two, one) for j in range(4)]
    return np.stack([draws @ load for draws in [one, two, *frozen, one, one, one]], axis=1), load


def test_intervals_hold_the_truth_when_units_share_their_draws():
    hits = []
    for seed in range(60):
        values, load = shared_draws(seed)
        truth = np.square(load).sum(axis=1) / np.square(load).sum()
        found = sobol.shares(sobol.centred(values), rng(seed), 60)
        for j, source in enumerate(SOURCES):
            for kind in "ST":
                hit = found[f"{kind} {source}"]
                hits.append(hit.low <= truth[j] <= hit.high)
    assert np.mean(hits) > 0.85


def test_coherence_is_one_for_loners_and_larger_for_classes_that_move():
    label = np.repeat(np.arange(20), 25)
    alone = worlds.simulate(worlds.chaotic, 40, 500, rng(1))
    found = sobol.coherence(sobol.centred(alone), label, rng(), 20)
    assert found["V"].estimate == pytest.approx(1, abs=0.1)
    assert "T rerun" not in found  # nothing moves
    moving = worlds.simulate(worlds.chaotic, 40, 20, rng(2), spread=0)[..., label]
    found = sobol.coherence(sobol.centred(alone + moving), label, rng(), 20)
    assert found["V"].estimate == pytest.approx((0.5 + 0.5 / 25) / (1 / 25), rel=0.15)  # sin^2


def test_class_means_keep_the_shares_of_an_additive_world():
    label = np.repeat(np.arange(50), 20)
    values = worlds.simulate(worlds.additive, 12, 1000, rng(5))
    found = sobol.shares(sobol.by_class(sobol.centred(values), label), rng(), 20)
    for source, share in zip(SOURCES, (0.4, 0.3, 0.2, 0.1), strict=True):
        assert found[f"T {source}"].estimate == pytest.approx(share, abs=0.08)


def small_values(blocks=4, units=40):
    values = rng(8).integers(0, 6, (blocks, len(RUNS), units)).astype(float)
    values[:, RUNS.index("rerun")] = values[:, RUNS.index("base")]
    values[0, :, :5] = np.nan
    return values


def test_agreements_are_scipys_pair_by_pair():
    values = small_values()
    found = agree.agreements(values, SPEARMAN, rng(), 10)
    for kind, (one, two) in PAIRS.items():
        slow = [
            spearmanr(block[RUNS.index(one)], block[RUNS.index(two)], nan_policy="omit").statistic
            for block in values
        ]
        assert found[kind].estimate == pytest.approx(np.mean(slow), abs=1e-9)
    assert found[NOTHING].estimate == pytest.approx(1)
    assert not found[NOTHING].can_judge  # four blocks


def test_jaccard_breaks_ties_at_random():
    values = small_values(blocks=2)
    found = agree.agreements(values, agree.prepare_jaccard(0.2), rng(), 10)
    first = [
        [
            agreement.jaccard_top(v[i][k], v[j][k], 0.2, rng(1), 4000).mean()
            for v, k in known(values)
        ]
        for i, j in ((RUNS.index(a), RUNS.index(b)) for a, b in (PAIRS[NOTHING], PAIRS[EVERYTHING]))
    ]
    assert found[NOTHING].estimate == pytest.approx(np.mean(first[0]), abs=0.03)
    assert found[EVERYTHING].estimate == pytest.approx(np.mean(first[1]), abs=0.03)
    assert found[NOTHING].estimate < 1  # ties


def known(values):
    return [(block, np.isfinite(block).all(axis=0)) for block in values]


def test_the_null_is_nothing():
    values = worlds.simulate(worlds.additive, 6, 400, rng(9))
    assert agree.null(values, SPEARMAN, rng()).mean == pytest.approx(0, abs=0.03)
    label = np.repeat(np.arange(20), 20)
    assert agree.null(values, SPEARMAN, rng(), label).mean == pytest.approx(0, abs=0.15)
    assert agree.agreements(values, SPEARMAN, rng(), 4)[EVERYTHING].estimate > 0.5


def small_design(blocks=6, pool=600, epochs=12, seed=0):
    """Every sample has a decay rate of its own; runs are dice, `rerun` is `base`."""
    draw, shape = rng(seed), (blocks, len(RUNS), epochs, pool)
    rate = draw.exponential(0.15, pool)
    correct = draw.random(shape) < np.exp(-rate * np.arange(epochs)[:, None])
    correct[:, RUNS.index("rerun")] = correct[:, RUNS.index("base")]
    one, two = draw.random((2, blocks, pool)) < 0.8
    drawn = np.repeat(one[:, None], len(RUNS), axis=1)
    for run in ("other", "split"):
        drawn[:, RUNS.index(run)] = two
    label = np.repeat(np.arange(10), pool // 10)
    return design.Design(np.arange(blocks), correct & drawn[:, :, None], drawn, label, label)


def test_the_ceiling_is_reached_in_its_own_world():
    made = small_design()
    values = design.values(made, "mean_retention")
    seen = agree.agreements(values, SPEARMAN, rng(), 10)[EVERYTHING].estimate
    top = agree.ceilings(made, "mean_retention", SPEARMAN, rng(), 4)
    assert set(top) == {"decay", "lapse"}
    assert seen == pytest.approx(top["decay"].mean, abs=0.1)
    classes = agree.ceilings(made, "mean_retention", SPEARMAN, rng(), 4, made.label)
    assert np.isfinite(classes["decay"].mean)
    with pytest.raises(LetheError, match="no ceiling"):
        agree.ceilings(made, "first_learned", SPEARMAN, rng())


def test_values_are_those_of_samples_that_all_runs_know():
    made = small_design(blocks=2, pool=50)
    values = design.values(made, "forgetting_events")
    b, r = 1, RUNS.index("order")
    for i in range(50):
        learned = made.correct[b, :, :, i].any(axis=1).all()
        if made.common[b, i] and learned:
            right = made.correct[b, r, :, i]
            assert values[b, r, i] == sum(right[e] and not right[e + 1] for e in range(11))
        else:
            assert np.isnan(values[b, :, i]).all()
    turned = design.values(made, "mean_retention")
    assert np.nanmax(turned) <= 0  # higher = more forgotten
    wrong = design.values(made, "share_wrong")
    assert np.array_equal(np.isfinite(wrong[0, 0]), made.common[0])
    assert design.values(made.until(5), "forgetting_events").shape == values.shape


def test_the_course_counts_what_is_answered_differently():
    made = small_design(blocks=3, pool=60)
    table = course.differences(made)
    assert set(table["pair"]) == {*PAIRS, course.SHUFFLED}
    b, e = np.arange(3), 4
    one, two = (made.correct[:, RUNS.index(r), e] for r in PAIRS[EVERYTHING])
    slow = [np.mean(one[k][made.common[k]] != two[k][made.common[k]]) for k in b]
    row = table[(table["pair"] == EVERYTHING) & (table["epoch"] == e)].iloc[0]
    assert row["share"] == pytest.approx(np.mean(slow))
    assert (table.loc[table["pair"] == NOTHING, "share"] == 0).all()
    p, q = (np.array([right[k][made.common[k]].mean() for k in b]) for right in (one, two))
    row = table[(table["pair"] == course.SHUFFLED) & (table["epoch"] == e)].iloc[0]
    assert row["share"] == pytest.approx((p + q - 2 * p * q).mean())


def write_study(folder, made, model="test_resnet", drop=None, weights=None):
    """A study's files from a design."""
    rows, arrays = [], {}
    for b, (r, run) in product(range(len(made.blocks)), enumerate(RUNS)):
        if (b, run) == drop:
            continue
        task = f"{model}{b}{run}"
        hashed = "base" if run == "rerun" else run
        hashed = (weights or {}).get((b, run), f"{b}{hashed}")
        row = {"task": task, "model": model, "run": run, "block": b, "weights": hashed}
        rows.append(row)
        arrays[f"correct/{task}"] = np.packbits(made.correct[b, r], axis=1)
        arrays[f"drawn/{task}"] = np.packbits(made.drawn[b, r])
        arrays[f"label/{task}"] = arrays[f"position/{task}"] = made.label
    text, packed = pd.DataFrame(rows).to_csv(index=False), io.BytesIO()
    (folder / "factorial.csv").write_text(text)
    found = {"table_sha256": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "factorial.json").write_text(json.dumps(found))
    np.savez_compressed(packed, **arrays)
    (folder / "factorial.npz").write_bytes(packed.getvalue())
    return arms.read_study("factorial", folder)


def test_a_study_is_read_back_as_it_was(tmp_path):
    made = small_design(blocks=3, pool=70)
    read = design.read_design(write_study(tmp_path, made), "test_resnet", tmp_path)
    for name in ("blocks", "correct", "drawn", "label", "position", "common"):
        assert np.array_equal(getattr(read, name), getattr(made, name))


def test_the_share_of_a_bit_at_another_rate(tmp_path):
    made = small_design(blocks=6, pool=200)
    table = write_study(tmp_path, made).assign(learning_rate=0.5)
    read = steady.read_rate(table, "test_resnet", 0.5, tmp_path)
    assert read.correct.shape[1] == len(steady.FEW)
    found = steady.bit_share(read, "forgetting_events", rng(), 20)
    base, other, bit = np.moveaxis(design.values(read, "forgetting_events"), 1, 0)
    known = np.isfinite(base)
    slow = [np.square(base - run)[known].sum() for run in (bit, other)]
    assert found.estimate == pytest.approx(slow[0] / slow[1])
    assert found.can_judge
    with pytest.raises(LetheError, match=r"0\.25"):
        steady.read_rate(table, "test_resnet", 0.25, tmp_path)
    none = table.assign(learning_rate=np.where(table["run"] == "bit", np.nan, 0.5))
    with pytest.raises(LetheError, match="block 0 has no run 'bit'"):
        steady.read_rate(none, "test_resnet", 0.5, tmp_path)


def test_runs_at_another_rate_are_not_mixed_in(tmp_path):
    made = small_design(blocks=3, pool=70)
    table = write_study(tmp_path, made)
    extra = table[table["run"].isin(steady.FEW)].assign(learning_rate=0.1, task="none")
    both = pd.concat([table.assign(learning_rate=np.nan), extra])
    read = design.read_design(both, "test_resnet", tmp_path)
    assert np.array_equal(read.correct, made.correct)


def test_odd_studies_are_refused(tmp_path):
    made = small_design(blocks=3, pool=70)
    table = write_study(tmp_path, made)
    with pytest.raises(LetheError, match="test_resnet"):
        design.read_design(table, "test_resnt", tmp_path)
    table = write_study(tmp_path, made, drop=(1, "order"))
    with pytest.raises(LetheError, match="block 1 has no run 'order'"):
        design.read_design(table, "test_resnet", tmp_path)
    table = write_study(tmp_path, made, weights={(2, "rerun"): "other"})
    with pytest.raises(LetheError, match="block 2: the same run twice"):
        design.read_design(table, "test_resnet", tmp_path)


def test_odd_runs_are_refused():
    made = small_design(blocks=2, pool=70)
    made.correct[0, RUNS.index("rerun"), 3] ^= True
    with pytest.raises(LetheError, match="different traces"):
        design.checked(made)
    apart = small_design(blocks=2, pool=70)
    apart.drawn[1, RUNS.index("other")] = ~apart.drawn[1, RUNS.index("base")]
    with pytest.raises(LetheError, match="block 1: its two splits have no sample in common"):
        design.checked(apart)
    with pytest.raises(LetheError, match="no epoch 12"):
        apart.until(12)


def test_odd_scores_are_refused():
    made = small_design(blocks=2, pool=70)
    with pytest.raises(LetheError, match="forgetting_events"):
        design.values(made, "forgeting_events")
    with pytest.raises(LetheError, match="no score 'aum'"):
        design.values(made, "aum")
    made.correct[1, 4] = True
    with pytest.raises(LetheError, match="block 1: forgetting_events is the same for all"):
        design.values(made, "forgetting_events")
    with pytest.raises(LetheError, match="2 blocks"):
        sobol.centred(small_values(blocks=1))
    still = np.repeat(small_values()[:, :1], len(RUNS), axis=1)
    with pytest.raises(LetheError, match="no variance"):
        sobol.shares(sobol.centred(still), rng())
    few = small_values()
    few[1, :, 1:] = np.nan
    with pytest.raises(LetheError, match="fewer than 2 units"):
        agree.agreements(few, SPEARMAN, rng())


def test_too_few_blocks_give_no_verdict():
    five = sobol.shares(sobol.centred(worlds.simulate(worlds.additive, 5, 50, rng())), rng(), 20)
    six = sobol.shares(sobol.centred(worlds.simulate(worlds.additive, 6, 50, rng())), rng(), 20)
    assert not any(x.can_judge for x in five.values())
    assert six["T split"].can_judge


def test_every_score_of_right_and_wrong_is_allowed():
    made = small_design(blocks=2, pool=80)
    for name, entry in scores.SCORES.items():
        if entry.needs == "correct" and name != "first_learned":  # all are right at epoch 0
            assert np.isfinite(design.values(made, name)).any()
