# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Finding 3: is an image's forgetting the same under another seed?
#
# **Claim under test.** Which images are forgotten is a matter of chance: rank the images by their decay rate
# in two runs that differ only in the seed, and the two rankings have nothing in common.
#
# **You will learn** (1) what a rank correlation near 0 can mean, (2) how to compute the most that *could* have
# been found with traces this short, (3) how one wrong line of code gives 0, (4) how many seeds it takes, (5) what
# rounding alone does to a run.
#
# **Time**: 20 minutes to read, under a minute to rerun. **You need**: forgetting curves and their decay rate;
# the correlation coefficient.

# %% tags=["remove-cell", "install"]
from importlib.util import find_spec

if find_spec("lethe") is None:  # opened by itself, such as on Colab: fetch the book and its library
    import runpy
    import subprocess

    ADDRESS, BRANCH = "", "main"  # written by `lethe address`
    assert ADDRESS, "Lethe is not installed: run `pip install -e .` in a checkout of the book"
    print(subprocess.getoutput(f"git clone -q --depth=1 -b {BRANCH} {ADDRESS} lethe-book"))
    runpy.run_path("lethe-book/lib/lethe/pages/install.py", {"TRAINS": False}, "__main__")

# %% tags=["remove-cell"]
from itertools import combinations

import numpy as np
import pandas as pd
from IPython.display import display

from lethe.analysis import agreement, curves, scores
from lethe.analysis.findings.seed_stability import (
    harder,
    mean_spearman,
    rankable,
    seed_stability,
    seeds_for,
    stability_by_score,
    thinned,
)
from lethe.analysis.findings.twin_runs import twin_agreement
from lethe.pages import book, charts, dataset_facts, exercises, sample_gallery, side_by_side, stores

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
dataset: str = "glyphs"  # data set of the main analysis
beside: str = "cifar7"  # second data set, shown beside it; empty for none
models: list[str] = ["test_resnet", "test_vit"]  # the main network, and another
preset: str = "quick"  # preset that the traces were captured with
score: str = "decay_rate"  # what the images are ranked by
margin: float = 0.1  # correlations smaller than this count as none
bootstrap: int = 300  # resamples behind each interval
ceiling_draws: int = 6  # simulated experiments behind each ceiling
random_seed: int = 1  # for resamples, permutations and simulations

# %% tags=["remove-cell"]
names = ("dataset", "beside", "models", "preset", "score", "margin", "bootstrap", "ceiling_draws")
names += ("random_seed",)
page = book.start("finding_3_seed_stability", {name: globals()[name] for name in names})


fewer = max(bootstrap // 6, 20)  # resamples behind the intervals of side results


# %% [markdown]
# ## What the paper reports
#
# The paper {cite:p}`daga2026forgetting` reports a Spearman correlation of about **0.01** between seeds
# and concludes that the forgetting of single images is stochastic. That is one figure, said to rest on three seeds, from other networks and
# images than ours; it is shown for comparison and is not reproduced here.
#
# **Spearman's correlation** compares two rankings: 1 for the same order, 0 for no relation. A value near 0
# has three very different explanations:
#
# - *forgetting is chance*: nothing about the image decides whether it is forgotten;
# - *the ruler is poor*: the image does decide, but a decay rate fitted to 30 zeros and ones is too noisy;
# - *a mistake*: the two rankings do not list the same images in the same order.
#
# This page measures all three.
#
# ## The rankings
#
# One decay rate per image and run: the rate of the exponential forgetting curve fitted to the image's trace.
# Runs differ in the seed alone. Images are matched by their id.

# %%
pair = stores.open_pair(page, dataset, models, preset)
second = stores.open_beside(page, beside, dataset, models, preset)  # may be empty
ds, other = pair  # the main analysis is about the first network
model, other_model = stores.model_names(pair)
ranked = rankable(ds, score)  # [seed, sample], higher = more forgotten
seeds, n = ranked.shape
rng = np.random.default_rng(random_seed)
matrix = agreement.spearman_matrix(ranked)

# %% tags=["hide-input"]
title = scores.SCORES[score].title
rates = ranked if score == "decay_rate" else scores.score(ds, "decay_rate").values
rates = rates[~np.isnan(rates)]
ties = np.mean([np.unique(row[~np.isnan(row)], return_counts=True)[1].max() / n for row in ranked])
book.record(page, "masked", np.isnan(ranked).mean(), fmt=".1%")
book.record(page, "ties", ties, fmt=".0%")
book.record(page, "at_bound", (rates >= curves.RATE_MAX).mean(), fmt=".1%")
book.record(page, "seeds", seeds, fmt=".0f")
charts.show(
    charts.heatmap(
        matrix,
        rows=[f"seed {s}" for s in ds["seed"].values],
        columns=[str(s) for s in ds["seed"].values],
        title=f"Spearman correlation of the {title} between seeds",
        description=(
            f"Matrix of {seeds} by {seeds} seeds; pairs of different seeds lie between "
            f"{matrix[~np.eye(seeds, dtype=bool)].min():.2f} and "
            f"{matrix[~np.eye(seeds, dtype=bool)].max():.2f}."
        ),
        scale_title="Spearman",
        domain=(0, 1),
    )
)
book.text(
    page,
    "{masked} of the values are masked: the image was never learned in that run, or so late that no epoch is "
    "left to forget it. They are left out pair by pair. {ties} of the images of a run share one and the same "
    "value (mostly: never forgotten); tied images get their average rank. {at_bound} of the "
    "decay rates lie at the upper bound of the fit.",
)

# %% [markdown]
# ### The images behind the ranks
#
# Deal the seeds into two halves and average the rank of every image over each half (100 = most forgotten). If forgetting
# were chance, one half would say nothing about the other. Which images lie near the diagonal, and which far from it?

# %% tags=["hide-input"]
x, y = (
    sample_gallery.mean_rank(some, f"mean rank, {which} {len(some)} seeds")
    for which, some in (("first", ranked[: seeds // 2]), ("last", ranked[seeds // 2 :]))
)
sample_gallery.show(
    page,
    pair,
    x,
    y,
    title=book.called(
        page, f"Pick an image: its rank by {title} of {model} in two halves of the seeds"
    ),
    random_seed=random_seed,
)

# %% [markdown]
# ## The number, with interval and null
#
# The mean over all pairs of seeds. Its interval redraws seeds and images. The null shuffles the images of every
# run; a second null shuffles them only *inside their class*, so that it keeps what the class alone explains.

# %%
found = seed_stability(ds, score, rng, bootstrap, ceiling_draws)  # with both ceilings below
rho, ceiling = found.rho, found.ceiling


# %% tags=["hide-input"]
def note(found, end=""):
    """Record a stability: number, null, class part, ceilings, mistake; `end` ends the keys."""
    null, top = (found.null.low, found.null.high), (found.ceiling.low, found.ceiling.high)
    top = top if found.own else 1  # the ceilings of another score are none
    book.keep(page, "rho" + end, found.rho, null=null, ceiling=top, paper=0.01)
    book.keep(page, "of_ceiling" + end, found.of_ceiling, null=0, ceiling=1)
    for part in ("null", "class_part", "ceiling", "ceiling_lapse", "misaligned"):
        value, more = getattr(found, part), {"paper": 0.01} if part == "misaligned" else {}
        fmt = ".3f" if part in ("null", "misaligned") else ".2f"
        book.record(page, part + end, value.mean, value.low, value.high, fmt=fmt, **more)


note(found)
book.text(
    page,
    "Matched by image id, two seeds agree at {rho}; shuffled images give {null}. What the class alone "
    "explains is {class_part}.",
)

# %% [markdown]
# ## The ceiling: what if it were all in the image?
#
# Suppose that every image has *one* decay rate and that the seed contributes nothing but the dice: at each
# epoch the image is right with probability $e^{-\lambda t}$. How well would two such runs agree? We take each
# image's rate from all seeds pooled (shrunken, so that the rates are not too spread out), simulate the whole
# experiment anew, fit it the same way and correlate. That is the ceiling *of this model*: real runs that agree
# less leave room for the seed; real runs that agree more repeat something that one rate per image does
# not hold.
#
# The answer depends on the process, so there is a second world: images lapse and come back. Each image
# has its own chance of lapsing per epoch, all share one chance of being right again.

# %% tags=["hide-input"]
book.text(
    page,
    "If every image had one decay rate and nothing else mattered, traces of this length would give {ceiling}; "
    "with one lapse rate per image, {ceiling_lapse}."
    + (
        ""
        if found.own
        else f" That is for the decay rate: the {title} is not simulated, and has no ceiling."
    ),
)

# %% [markdown]
# ## The mistake: comparing by position
#
# Suppose that every run draws its own 80 % of the images for training, and somebody compares place 1 with place
# 1, place 2 with place 2. Most places then hold different images. Here this is done on purpose, with the
# images in a shuffled order, in their stored order (glyphs: typeface by typeface) and in the order of class folders.
# The last two keep neighbours together, so some agreement can be left.

# %%
order = np.argsort(ds["label"].values, kind="stable")
by_place = [mean_spearman(agreement.misalign(ranked, rng)) for _ in range(10)]
by_folder = [mean_spearman(agreement.misalign(ranked[:, order], rng)) for _ in range(10)]


# %% tags=["hide-input"]
book.record(page, "misaligned_stored", np.mean(by_place), min(by_place), max(by_place))
book.record(page, "misaligned_folders", np.mean(by_folder), min(by_folder), max(by_folder))
rows = [
    book.row(page, "rho", "matched by image id"),
    book.row(page, "class_part", "only the class kept, images shuffled inside it"),
    book.row(page, "misaligned", "by position, shuffled order"),
    book.row(page, "misaligned_stored", "by position, re-drawn split"),
    book.row(page, "misaligned_folders", "by position, re-drawn split, class folders"),
    book.row(page, "ceiling", "simulated: one decay rate per image"),
    book.row(page, "ceiling_lapse", "simulated: one lapse rate per image"),
]
charts.show(
    charts.interval_chart(
        rows,
        title=f"Agreement of two seeds about the {title}",
        description="Spearman correlation: "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
        + ". The paper reports about 0.01.",
        x_title="Spearman correlation between two seeds",
    )
)

# %% tags=["hide-input"]
book.text(
    page,
    "Compared by position in a shuffled order, the *same* traces give {misaligned}; after a re-drawn split "
    "{misaligned_stored}, in class folders {misaligned_folders}. Matched by image id it was {rho}.",
)

# %% [markdown]
# ## Is it zero?
#
# A correlation that is not significantly different from 0 is not shown to be 0. That takes an **equivalence
# test**: both "it is below minus the margin" and "it is above the margin" must be rejected. The margin was set
# before looking (parameter `margin`); the seeds, not the images, are the unit.

# %%
zero = None
if rho.se > 0:
    zero = agreement.tost_equivalence(rho.estimate, rho.se, seeds, margin)
    p_value = f"p = {zero.p_value:.3f}" if zero.p_value > 0.001 else "p < 0.001"
    print(f"smaller than {margin} in size: {p_value}")
    print("shown" if zero.equivalent else "not shown", "to be practically zero")

# %% [markdown]
# ## Verdict
#
# Rules fixed on simulated traces, before the real ones were seen. *Chance*: the interval lies within the margin
# around 0. *All in the image*: the correlation divided by the ceiling (one decay rate per image) lies within
# 0.2 of 1.


# %%
CHANCE = "which images are forgotten is chance: two seeds do not agree."
IN_IMAGE = "two seeds agree as well as they could if forgetting belonged to the image alone."


def judge(ds, end=""):
    """Both verdicts on one data set."""
    where = f"on {ds.attrs['dataset']}, "
    chance = book.verdict(page, where + CHANCE, book.within(page, "rho" + end, 0, margin))
    rule = book.within(page, "of_ceiling" + end, 1, 0.2)
    return chance, book.verdict(page, where + IN_IMAGE, rule)


verdicts = judge(ds)

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("rho", "class_part", "misaligned", "ceiling", "ceiling_lapse"):
    print(f"{key:14} {page.results[key].value:.3f}")

# %% [markdown]
# ## Does it hold on a second data set?
#
# The same lines of code and the same rules, on another data set (parameter `beside`) and on both networks. The
# paper's one figure stands beside; its abstract does not say whether it is from OCTDL or from CUB-200. The data sets
# of this book stand in for them: `glyphs` has about as many training images as CUB-200, `cifar7` are photographs cut
# to the class counts of OCTDL.

# %%
of = side_by_side.stores_by_end(pair, second)
stability = {"": found}
for end in list(of)[1:]:
    apart = np.random.default_rng(random_seed)  # draws of its own
    stability[end] = seed_stability(of[end], score, apart, bootstrap, ceiling_draws)
    note(stability[end], end)
heads = side_by_side.headings(of, (model, other_model))

# %% tags=["hide-input"]
for end, run in stability.items():
    seeds_of, more = run.rho.n_seeds, {"null": np.inf, "ceiling": 1, "fmt": ".0f"}
    book.record(page, "seeds_needed" + end, *seeds_for(run.rho), n_seeds=seeds_of, **more)
side_by_side.chart(
    page,
    heads,
    {"rho": "two seeds"},
    title=f"Agreement of two seeds about the {title}, data set by data set",
    x_title="Spearman correlation between two seeds",
    more="The paper reports about 0.01.",
)

# %% tags=["hide-input"]
parts = {"rho": "two seeds", "null": "shuffled images", "class_part": "the class alone"}
parts |= {"ceiling": "one decay rate per image", "ceiling_lapse": "one lapse rate per image"}
parts |= {"of_ceiling": "share of the first ceiling", "misaligned": "by position, shuffled"}
parts |= {"seeds_needed": "seeds needed for 0.8"}
side_by_side.table(page, heads, parts, {"rho": "about 0.01, of which is not said"})

# %%
verdicts_beside = judge(second[0], "_beside") if second else []

# %% tags=["hide-input"]
words = side_by_side.compared(ds, second, verdicts, verdicts_beside)
if second:
    words += (
        " The correlation goes from {rho} to {rho_beside}; as a share of its own ceiling, from {of_ceiling} to "
        "{of_ceiling_beside}."
    )
book.text(page, words)

# %% [markdown]
# ## How many seeds does a reliable ranking take?
#
# Averaging over $k$ seeds raises the correlation $\rho$ of two single seeds to $k\rho / (1 + (k-1)\rho)$
# (Spearman-Brown). Beside it the measured values: the mean of $k$ seeds against the mean of $k$ others. They
# fall below the formula where a few images with extreme scores rule the mean.


# %%
def measured(k):
    """Agreement of two averages over k seeds each, mean over 10 random choices."""
    chosen = [ranked[rng.permutation(seeds)[: 2 * k]] for _ in range(10)]
    return np.mean([agreement.split_half(part, rng, draws=1) for part in chosen])


sizes = range(1, seeds // 2 + 1)
growth = [{"seeds": k, "what": "measured", "rho": measured(k)} for k in sizes]
growth += [
    {"seeds": k, "what": "Spearman-Brown", "rho": agreement.spearman_brown(rho.estimate, k)}
    for k in range(1, 21)
]

# %% tags=["hide-input"]
whole = agreement.spearman_brown(rho.estimate, seeds)
book.record(page, "whole", whole)
icc = agreement.icc_interval(ranked, rng)
averaged = [agreement.spearman_brown(max(x, 0.0), seeds) for x in (icc.estimate, icc.low, icc.high)]
book.keep(page, "icc", icc)
book.record(page, "icc_mean", *averaged, n_seeds=seeds)  # ICC(2,k) is Spearman-Brown of ICC(2,1)
book.record(page, "kendall_w", agreement.kendall_w(ranked))
charts.show(
    charts.lines(
        pd.DataFrame(growth),
        "seeds",
        "rho",
        "what",
        title="Reliability of a mean over seeds",
        description=(
            f"Agreement of two averages rises from {rho.estimate:.2f} with one seed each to "
            f"{growth[len(sizes) - 1]['rho']:.2f} (measured) with {len(sizes)} and {whole:.2f} "
            f"(Spearman-Brown) with {seeds}."
        ),
        x_title="seeds averaged",
        y_title="Spearman correlation",
    )
)
book.text(
    page,
    "It takes {seeds_needed} seeds for a mean that agrees with another such mean at 0.8 (Spearman-Brown; the range "
    "is from both ends of the interval of the correlation). The mean over our {seeds} seeds has an expected reliability of {whole}. Other measures of the same thing: "
    "ICC(2,1) {icc} for one seed, ICC(2,k) {icc_mean} for the mean, Kendall's W {kendall_w}. The ICC works on "
    "the values themselves, where a few extreme ones count most; the others work on ranks.",
)

# %% [markdown]
# ## The same seed, run twice
#
# With the same seed and the same number of processor threads a run repeats itself bit for bit: its twin agrees with it
# at exactly 1 (the tests of the library check that). With *another* number of threads, sums are added up in another
# order and rounded differently in the last digit. Seed, images, order and augmentation stay the same. What does
# rounding alone change? If the runs are twins for some epochs and strangers later, the seed is only one of many ways
# to throw the dice. The rule, named before such twins were captured: rounding does what a seed does if the difference
# between *same seed* and *other seed* lies within 0.05 of 0.

# %%
twin = side_by_side.open_twin(page, ds, "threads2")  # None where no such store was captured
if twin is not None:
    twins = twin_agreement(ds, twin, score, np.random.default_rng(random_seed), bootstrap)
    book.keep(page, "twin_same", twins.same, null=0, ceiling=1)
    book.keep(page, "twin_other", twins.other, null=0, ceiling=1)
    book.keep(page, "twin_gap", twins.gap, null=0, ceiling=1 - twins.other.estimate)

# %% tags=["hide-input"]
if twin is None:
    words = f"No runs of {model} on {ds.attrs['dataset']} were captured twice: nothing is measured here."
else:
    epochs, told = ds["epoch"].values, [f"{x:.0f}" for x in twins.answers_part]
    apart = [
        {"epoch": e, "what": w, "share": x}
        for w, y in twins.differ.items()
        for e, x in zip(epochs, y)
    ]
    charts.show(
        charts.lines(
            pd.DataFrame(apart),
            "epoch",
            "share",
            "what",
            title=book.called(
                page, "Images that two runs answer differently: other rounding, other seed"
            ),
            description=f"Share of {book.unit(page)}s answered differently at the last epoch: "
            + "; ".join(f"{what} {share[-1]:.3f}" for what, share in twins.differ.items()),
            y_title=f"share of the {book.unit(page)}s",
        )
    )
    words = (
        f"The first epoch at which a run and its twin answer an image differently is {', '.join(told)} (seed by seed; the "
        f"losses differ from epoch {np.nanmin(twins.losses_part):.0f} on). In the end they differ in "
        f"{twins.differ['same seed'][-1]:.1%} of the answers, runs of different seeds in "
        f"{twins.differ['other seed'][-1]:.1%}. About the {title}, a run and its twin agree at {{twin_same}}, a run and "
        "the twin of another seed at {twin_other}; the difference, {twin_gap}, is what the seed fixes and rounding "
        "does not undo."
    )
book.text(page, words)

# %%
ROUNDING = "other rounding makes two runs as different as another seed does."
if twin is not None:
    book.verdict(
        page, f"on {ds.attrs['dataset']}, {ROUNDING}", book.within(page, "twin_gap", 0, 0.05)
    )

# %% [markdown]
# ## Does it survive other choices?
#
# **Every score.** The ceiling exists for scores that are computed from right and wrong alone (*first learned* is an
# input of the simulation, so it has none). The seeds needed follow from each score's own correlation, their range
# from the ends of its interval.

# %%
sets = {end: x.attrs["dataset"] for end, x in of.items() if not end.endswith("other")}
few = {end: thinned(x) for end, x in of.items()}  # all images, unless there are very many
by_score = {}
for end in sets:
    by_score[end] = stability_by_score(few[end], np.random.default_rng(random_seed), fewer)

# %% tags=["hide-input"]
rows = [
    {"label": r.title, "estimate": r.rho.estimate, "null": 0}
    | {"low": r.rho.low, "high": r.rho.high, "ceiling": None if np.isnan(r.ceiling) else r.ceiling}
    for r in by_score[""]
]
charts.show(
    charts.interval_chart(
        rows,
        title=f"Agreement of two seeds, score by score: {heads['']}",
        description="Spearman correlation between two seeds: "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows),
        x_title="Spearman correlation between two seeds",
    )
)
tables = [
    pd.DataFrame({r.title: r.cells() for r in by_score[end]}).T.add_prefix(f"{name}: ")
    for end, name in sets.items()
]
display(pd.concat(tables, axis=1).fillna("none"))
if few[""].sizes["sample"] < n:
    book.record(page, "few", few[""].sizes["sample"], fmt=",.0f")
    book.record(page, "all", n, fmt=",.0f")
    book.text(page, "This section rests on {few} of the {all} images, drawn at random.")

# %% [markdown]
# **Fewer epochs, fewer seeds, fewer images, another architecture.** Shorter traces hold less; three seeds (the
# paper's number, as reported) can be three lucky ones; images that no seed ever forgets are tied with each
# other and carry part of the agreement.

# %%
lengths = [e for e in (6, 11, 16, 21) if e < ds.sizes["epoch"]]
forgotten = np.nansum(scores.score(few[""], "forgetting_events").values, axis=0) > 0
variants = {f"epochs 0 to {e - 1} only": few[""].isel(epoch=slice(e)) for e in lengths}
variants[f"only {book.unit(page)}s that some seed forgets"] = few[""].isel(
    sample=np.flatnonzero(forgotten)
)
variants[f"the other network, {other_model}"] = few["_other"]
triples = [mean_spearman(ranked[list(t)]) for t in list(combinations(range(seeds), 3))[::4]]

# %% tags=["hide-input"]
rows = [book.row(page, "rho", "as above")]
for number, (label, part) in enumerate(variants.items()):
    values = harder(part, score)
    found = agreement.cross_seed(agreement.spearman_on(values), *values.shape, rng, fewer)
    book.keep(page, f"variant_{number}", found, null=0, ceiling=1)
    rows.append(book.row(page, f"variant_{number}", label))
alike = dataset_facts.clusters(ds)  # images that are alike beyond their class, where known
if alike:
    clustered = agreement.cross_seed(
        agreement.spearman_on(ranked), seeds, n, rng, fewer, groups=alike[1]
    )
    book.keep(page, "by_group", clustered, null=0, ceiling=1)
    rows.append(book.row(page, "by_group", f"every {alike[0]} redrawn as a whole, not images"))
charts.show(
    charts.interval_chart(
        rows,
        title=f"Other choices: {title}",
        description="Spearman correlation between two seeds: "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows),
        x_title="Spearman correlation between two seeds",
    )
)
if triples:
    book.record(page, "three_low", min(triples))
    book.record(page, "three_high", max(triples))
    book.text(page, "Choosing 3 of the seeds gives anything from {three_low} to {three_high}.")

# %% [markdown]
# ## The claim, what it needs, what we see

# %% tags=["hide-input"]
side_by_side.claims(
    page,
    sets,
    [
        (
            "The correlation between seeds is about 0.01.",
            "Images matched by their id, and a control that shows what matching by position gives.",
            "matched {rho}, shuffled images {null}, by position {misaligned}",
            "",
        ),
        (
            "So the forgetting of single images is chance.",
            "An equivalence with 0 within a margin named beforehand; *not significant* is not enough.",
            f"{{rho}}, margin {margin:g}",
            CHANCE,
        ),
        (
            "(The opposite) forgetting belongs to the image.",
            "The ceiling that traces of this length allow.",
            "ceiling {ceiling}, share reached {of_ceiling}",
            IN_IMAGE,
        ),
        (
            "Orders of images by forgetting do not carry over to other runs.",
            "The number of seeds for a reliable mean, with its range.",
            "{seeds_needed} seeds for 0.8",
            "",
        ),
        (
            "(Implied) it is the seed that differs.",
            "The same seed run twice: exactly 1 with the same rounding; with other rounding as measured.",
            "same seed {twin_same}, other seed {twin_other}",
            ROUNDING,
        ),
    ],
)

# %% [markdown]
# ## Limits
#
# - Both ceilings are ceilings of a model. The first assumes independent epochs and an exponential curve, the
#   second one lapse rate for all epochs. Where an image also decides *when* it is lost, or how long for, real
#   runs can agree better than either. A ceiling that the data pass is a finding about the model.
# - The rates behind the ceiling come from the same runs. Shrinking removes most of the surplus spread, not all.
# - All runs train on the same images. A re-drawn training set would add a source of disagreement.
# - The seed changes the head's start, the order of the images and the augmentation together; which of them
#   matters is not separated here.
# - The paper's figure is compared with, not explained. The control shows only that a comparison by position in
#   a shuffled order *would* give a figure like it.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). A score agrees at 0.2 between two seeds. Over how many seeds must it be averaged
# to agree at 0.8 with another such average?
#
# ```{admonition} Solution
# :class: dropdown
# Solve $k \cdot 0.2 / (1 + (k - 1) \cdot 0.2) = 0.8$: $k = 0.8 \cdot 0.8 / (0.2 \cdot 0.2) = 16$.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 0.8 * (1 - 0.2) / (0.2 * (1 - 0.8))

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    agreement.seeds_needed(0.2),
    within=0.01,
    hint="set the formula of Spearman and Brown to 0.8, with rho = 0.2, and solve for k",
    traps={
        "correlations do not add up: 4 seeds give "
        f"{agreement.spearman_brown(0.2, 4):.2f}, not 0.8": 0.8 / 0.2,
        "that is one too few: the formula has k - 1 below the line and k above it": 15,
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Compute the correlation of the first two seeds with one line of scipy, and check the
# library with it. `ranked` holds the scores [seed, image]. Mind the masked values.
#
# ```{admonition} Solution
# :class: dropdown
# Keep only images known in both runs before ranking. `spearmanr(..., nan_policy="omit")` does that too, in a time that
# grows with images times values that repeat.
# ```

# %% tags=["solution", "hide-cell"]
from scipy.stats import spearmanr

both_known = ~np.isnan(ranked[:2]).any(axis=0)
answer_2 = spearmanr(*ranked[:2, both_known]).statistic

# %% tags=["check"]
exercises.check(
    2,
    answer_2,
    matrix[0, 1],
    within=1e-6,
    hint="use only the images that are known in both runs, and their ranks",
    traps={
        "that gives the never-learned images a score of 0, as if they were never forgotten": (
            agreement.spearman_matrix(np.nan_to_num(ranked[:2]))[0, 1]
        ),
        "that is Pearson's correlation, of the values; rank them first": (
            pd.DataFrame(ranked[:2].T).corr().iloc[0, 1]
        ),
        "that is the mean over all pairs of seeds": rho.estimate,
    },
)

# %% [markdown]
# **Exercise 3** (level 3, investigate). Build two worlds of two seeds, 3,000 images and 30 epochs each with
# `curves.simulate_correct(rng, rates, 30, seeds=2, process="lapse_relearn")`. In the first, all images have the same rate
# of lapsing; in the second, their rates are as unequal as you like. Count forgetting events
# (`scores.forgetting_events`) and correlate the two seeds. Make the first correlation nearly 0 and the second above 0.3.
# Answer with `{"same": ..., "unequal": ...}`.
#
# ```{admonition} Solution
# :class: dropdown
# With one rate for all, nothing about the image decides how often it is forgotten: this is what a correlation of 0
# claims. With rates spread over a factor of ten or more the seeds agree, and still not at 1: thirty epochs are a noisy
# ruler. Repeat it with 300 epochs and the second number rises; the first stays near 0.
# ```

# %% tags=["solution", "hide-cell"]
dice, alike_rates = np.random.default_rng(0), np.full(3000, 0.1)
worlds = {"same": alike_rates, "unequal": alike_rates * np.exp(dice.normal(size=3000))}
answer_3 = {}
for world, rates_of in worlds.items():
    bits = curves.simulate_correct(dice, rates_of, 30, seeds=2, process="lapse_relearn")
    answer_3[world] = agreement.spearman_matrix(scores.forgetting_events(bits))[0, 1]

# %% tags=["check"]
exercises.check_that(
    3,
    answer_3,
    lambda a: abs(a["same"]) < 0.08 and 0.3 < a["unequal"] < 1,
    hint=(
        "np.full(3000, 0.1) are equal rates, and rates multiplied by np.exp(rng.normal(size=3000)) unequal ones; both "
        "seeds of a world have the same rates, and the answer holds one correlation for each world"
    ),
    kind=dict,
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Somebody finds 0.05 with 3 seeds and writes "forgetting is random". Name two
# numbers of this page that she should have computed, and one mistake that she should rule out.
#
# ```{admonition} Solution
# :class: dropdown
# The ceiling (could more have been found at all?) and an equivalence test or interval over seeds (is it shown to
# be small, or just not shown to be large?). And the check that the images are matched by id: compared by position, any
# data give about 0.
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun finding_3_seed_stability -p score=forgetting_events
# lethe rerun finding_3_seed_stability -p models=test_vit,test_resnet
# lethe rerun finding_3_seed_stability -p models=mine.zarr.zip,other.zarr.zip
# ```

# %% tags=["hide-input"]
book.finish(page)
