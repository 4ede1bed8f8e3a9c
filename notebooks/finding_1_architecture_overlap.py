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
# # Finding 1: do two architectures forget the same images?
#
# **Claim under test.** The images that one architecture forgets most are mostly *not* the images that
# another architecture forgets most.
#
# **You will learn** (1) how the overlap of two sets is measured and what chance gives, (2) why two runs
# of the *same* architecture are the yardstick for two different ones, (3) how ties can fake an overlap,
# (4) how to compare two networks that are not equally good.
#
# **Time**: 15 minutes to read, under a minute to rerun. **You need**: what a trace and a forgetting event
# are; the idea of a set.

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
import numpy as np
import pandas as pd
from IPython.display import display

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.findings.architecture_overlap import (
    architecture_overlap,
    equally_forgetful,
    equally_good,
    gap_on,
)
from lethe.analysis.findings.overlap_grid import overlap_grid
from lethe.analysis.findings.seed_stability import harder, rankable
from lethe.pages import book, charts, dataset_facts, exercises, sample_gallery, side_by_side, stores

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
dataset: str = "glyphs"  # data set of the main analysis
beside: str = "cifar7"  # second data set, shown beside it; empty for none
models: list[str] = ["test_resnet", "test_vit"]  # the two networks
preset: str = "quick"  # preset that the traces were captured with
score: str = "forgetting_events"  # what "most forgotten" is measured by
top_fraction: float = 0.1  # share of the images in the top set
draws: int = 200  # random tie breaks in the check of the tie formula
bootstrap: int = 300  # resamples behind each interval
random_seed: int = 1  # for tie breaks, resamples and permutations

# %% tags=["remove-cell"]
names = ("dataset", "beside", "models", "preset", "score", "top_fraction", "draws", "bootstrap")
names += ("random_seed",)
page = book.start("finding_1_architecture_overlap", {name: globals()[name] for name in names})


fewer = max(bootstrap // 6, 20)  # resamples behind the intervals of side results


# %% [markdown]
# ## What the paper reports
#
# For the 10 % most forgotten images of ResNet-18 and DeiT-Small, the paper
# {cite:p}`daga2026forgetting` reports a Jaccard index of **0.34** on OCTDL (retinal scans) and **0.15** on CUB-200 (birds), and reads this as two architectures that
# forget fundamentally different samples. Those are the paper's figures, from other networks, images and
# recipes than ours; they are shown for comparison and are not reproduced here.
#
# The **Jaccard index** of two sets is the size of what they share, divided by the size of both together: 0
# for nothing in common, 1 for the same set. Two things are missing beside the two figures:
#
# - **chance**: two random sets of 10 % also share something;
# - **the ceiling**: how much do two runs of the *same* network share, when only the random seed differs?
#
# If one network does not agree with itself, it cannot agree with another.
#
# ## The traces
#
# Every run fine-tunes one network and notes, after each epoch, which training images it gets right. A
# *forgetting event* is an image right at one epoch and wrong at the next. Images are matched by their id.

# %%
pair = stores.open_pair(page, dataset, models, preset)
second = stores.open_beside(page, beside, dataset, models, preset)  # may be empty
a, b = pair
model_a, model_b = stores.model_names(pair)
# scores [seed, sample], higher = more forgotten
score_a, score_b = (rankable(ds, score) for ds in pair)
both = np.vstack([score_a, score_b])
runs, n = (len(score_a), len(score_b)), a.sizes["sample"]
rng = np.random.default_rng(random_seed)

# %% tags=["hide-input"]
table = dataset_facts.overview(pair, second)
table["places filled by lot"] = [
    f"{np.mean([agreement.tie_share(run, top_fraction) for run in harder(ds, score)]):.1%}"
    for ds in (*pair, *second)
]
table

# %% [markdown]
# *Never learned* is the share of images that a run never got right, *never forgotten* the share that it learned
# and never lost again (means over runs). What is never learned has no forgetting: it is left out, pair of runs by
# pair of runs, and never given a number.
#
# *Places filled by lot*: forgetting is counted in whole events, so many images tie at the cut. The last
# places of the top set go to some of them **at random**. Sorting them by position instead would keep the same
# tied images for both networks and fake an overlap. There is a formula for the average over all tie breaks;
# here it is, beside the average over drawn ones, for the first run of each network.

# %%
drawn = agreement.jaccard_top(score_a[0], score_b[0], top_fraction, rng, draws)
formula = agreement.overlap_matrix(score_a[:1], score_b[:1], top_fraction)[0, 0]
print(f"{draws} tie breaks: {drawn.mean():.3f} (from {drawn.min():.3f} to {drawn.max():.3f})")
print(f"formula: {formula:.3f}")

# %% [markdown]
# ## The number, with its chance level, ceiling and interval
#
# *Between*: the mean Jaccard index over all pairs of one run of each architecture. *Within*: the mean over all
# pairs of different seeds of one architecture. *Gap*: the mean of the two withins minus the between. The
# intervals (95 %) redraw the seeds **and** the images, and allow for how few the seeds are.

# %%
found = architecture_overlap(score_a, score_b, top_fraction, rng, bootstrap)
chance = found.chance[0]


# %% tags=["hide-input"]
def bands(found, parts, first=""):
    """Chance and ceiling of the overlaps `parts` by name; a gap cannot exceed within - chance."""
    top = parts["ceiling"]
    known = {part: {"null": found.chance[1:], "ceiling": 1} for part in parts}
    known["between"] |= {"ceiling": (top.low, top.high)} | ({} if first else {"paper": paper})
    known["gap"] = {"null": 0, "ceiling": top.estimate - found.chance[0]}
    known["shared"] = {"null": 0, "ceiling": 1}
    return {first + part: (parts[part], more) for part, more in known.items()}


def note(found, end=""):
    """Record an overlap: single runs, half-averages (mean_...), chance; `end` ends the keys."""
    every = bands(found, found.single) | bands(found, found.averaged, "mean_")
    beyond = {f"{p}_corrected": (x, {"null": 0, "ceiling": 1}) for p, x in found.corrected.items()}
    for part, (interval, more) in (every | beyond).items():
        book.keep(page, part + end, interval, **more)
    book.record(page, "chance" + end, found.chance[0], fmt=".3f")


paper = (0.15, 0.34) if top_fraction == 0.1 else None  # CUB-200 and OCTDL, as reported
note(found)
null = found.shuffled
book.record(page, "shuffled", null.mean, null.low, null.high, fmt=".3f")
rows = [
    book.row(page, "between", f"between {model_a} and {model_b}"),
    book.row(page, "within_a", f"within {model_a}, other seed"),
    book.row(page, "within_b", f"within {model_b}, other seed"),
    book.row(page, "gap", "gap: within minus between"),
]
charts.show(
    charts.interval_chart(
        rows,
        title=f"Overlap of the {top_fraction:.0%} most forgotten {book.unit(page)}s",
        description=(
            "Jaccard index with 95 % intervals: "
            + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
            + f". Chance is {chance:.3f}."
            + (" Diamonds: the paper's 0.15 (CUB-200) and 0.34 (OCTDL)." if paper else "")
        ),
        x_title="Jaccard index",
    )
)

# %% tags=["hide-input"]
book.text(
    page,
    "The top sets of two runs of different architectures overlap at {between}. Chance alone "
    "gives {chance} (exact, hypergeometric); running the whole computation on shuffled images gives "
    "{shuffled}. Two runs of the *same* architecture overlap at {within_a} and {within_b}. The gap is "
    "{gap}: that is the part of the disagreement that the seed does not explain. With chance taken off (0 = "
    "chance, 1 = the same set), between is {between_corrected}, within {within_a_corrected} and "
    "{within_b_corrected}. The paper's 0.34 and 0.15 cannot be judged without the two within.",
)

# %% [markdown]
# ## Averaged over seeds
#
# A single run is noisy. If an image's score is averaged over several seeds first, the noise shrinks and the
# overlap must rise, between architectures as well as within. To keep within and between comparable, the seeds
# of each architecture are dealt into two halves, and every comparison is one half against one half. The
# interval leaves out one seed at a time and redraws the images.
#
# The *surviving share* is what a change of architecture leaves of the repeatable overlap: (between - chance)
# divided by the geometric mean of the two (within - chance).


# %% tags=["hide-input"]
labels = {"between": "between", "within_a": f"within {model_a}", "within_b": f"within {model_b}"}
rows = [book.row(page, key, f"{what}, single runs") for key, what in labels.items()]
rows += [book.row(page, f"mean_{key}", f"{what}, half-averages") for key, what in labels.items()]
charts.show(
    charts.interval_chart(
        [row for row in rows if np.isfinite(row["estimate"])],
        title="Single runs and averages over half of the seeds",
        description=(
            "Jaccard index of single runs and of averages over half of the seeds: "
            + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
        ),
        x_title="Jaccard index",
    )
)
book.text(
    page,
    "Averages over half of the seeds overlap at {mean_between} between architectures, {mean_within_a} and "
    "{mean_within_b} within. The gap is now {mean_gap}; the surviving share is {mean_shared} (single runs: "
    "{shared}). What rises from single runs to averages was seed noise.",
)

# %% [markdown]
# ## Equally good, equally forgetful
#
# Two networks that are not equally good forget different images for that reason alone. Two ways to take it out:
#
# - *equally good*: keep only epochs, in their order, at which both know equally many training images (to one in a
#   hundred, mean over seeds);
# - *equally forgetful*: stop the network that forgets more at the epoch at which it has forgotten as often as the
#   other does in all.
#
# Within and between are then taken anew from what is left, so shorter traces lower both.

# %%
sets_of = {"": pair} | ({"_beside": second} if second else {})
for end, stores_of in sets_of.items():
    apart = np.random.default_rng(random_seed)  # draws of its own
    for way, cut in {"good": equally_good, "even": equally_forgetful}.items():
        matched = cut(stores_of)
        at = gap_on(matched, score, top_fraction, apart, fewer)
        for part, interval in at.items():
            most = at["ceiling"].estimate - chance if part == "gap" else 1
            book.keep(page, f"{way}_{part}{end}", interval, null=0, ceiling=most)
        for which, ds in zip("ab", matched, strict=True):
            book.record(page, f"{way}_epochs_{which}{end}", ds.sizes["epoch"], fmt=".0f")

# %% tags=["hide-input"]
book.text(
    page,
    "At {good_epochs_a} pairs of epochs with equal accuracy the gap is {good_gap}, and the surviving share of single "
    "runs {good_shared}. Equally forgetful ("
    f"{{even_epochs_a}} epochs of {model_a}, {{even_epochs_b}} of {model_b}) it is {{even_gap}} and {{even_shared}}. "
    "With all epochs it was {gap} and {shared}.",
)

# %% [markdown]
# ## Verdict
#
# The first rule was fixed on simulated traces, before the real ones were seen. *Fundamentally different* needs
# both: the gap of single runs lies above 0, and less than **half** of the repeatable overlap survives the
# change of architecture, measured on half-averages, where seed noise disturbs least. The second rule was added after
# the traces had been seen, but before the two numbers that it judges: the gap lies above 0 for networks that are
# equally good, and for networks that are equally forgetful.


# %%
CLAIM = "the two architectures forget fundamentally different images."
EQUAL = "two architectures share less than two seeds also when they are equally good."


def judge(ds, end=""):
    """The verdicts on one data set."""
    rules = book.above(page, "gap" + end, 0), book.below(page, "mean_shared" + end, 0.5)
    equal = [book.above(page, f"{way}_gap{end}", 0) for way in ("good", "even")]
    where = f"on {ds.attrs['dataset']}, "
    return [book.verdict(page, where + c, *r) for c, r in ((CLAIM, rules), (EQUAL, equal))]


verdicts = judge(a)

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("between", "within_a", "within_b", "gap", "shared", "mean_shared", "good_gap"):
    print(f"{key:12} {page.results[key].value:.3f}")

# %% [markdown]
# ## Does it hold on a second data set?
#
# The same lines of code, the same cut and the same rule, on another data set (parameter `beside`). The two data
# sets of this book stand in for the two of the paper: `glyphs` has about as many training images as CUB-200, and
# `cifar7` are photographs cut to the class counts of OCTDL. To stand in is not to be the same: the paper's figures
# are beside ours as reported.

# %%
if second:
    apart = np.random.default_rng(random_seed)  # draws of its own
    again = [rankable(ds, score) for ds in second]
    note(architecture_overlap(*again, top_fraction, apart, bootstrap), "_beside")
heads = side_by_side.headings({end: stores_of[0] for end, stores_of in sets_of.items()})

# %% tags=["hide-input"]
parts = {"between": f"between {model_a} and {model_b}", "within_a": f"within {model_a}"}
parts |= {"within_b": f"within {model_b}", "gap": "gap: within minus between"}
side_by_side.chart(
    page,
    heads,
    parts,
    title=f"Overlap of the {top_fraction:.0%} most forgotten images: {' and '.join(heads.values())}",
    x_title="Jaccard index",
    more="Diamonds: the paper's 0.15 (CUB-200) and 0.34 (OCTDL)." if paper else "",
)

# %% tags=["hide-input"]
parts |= {"chance": "chance", "between_corrected": "between, beyond chance"}
parts |= {"within_a_corrected": f"within {model_a}, beyond chance"}
parts |= {"within_b_corrected": f"within {model_b}, beyond chance"}
parts |= {"shared": "surviving share, single runs", "mean_gap": "gap, half-averages"}
parts |= {"mean_shared": "surviving share, half-averages"}
parts |= {"good_gap": "gap, equally good", "good_shared": "surviving share, equally good"}
parts |= {"even_gap": "gap, equally forgetful", "even_shared": "surviving share, equally forgetful"}
reported = {"between": "0.34; 0.15 (top 10%)"}
beyond = [agreement.chance_corrected(x, 0.1 / (2 - 0.1)) for x in (0.34, 0.15)]
reported["between_corrected"] = "{:.2f}; {:.2f}, from these".format(*beyond)
side_by_side.table(page, heads, parts, reported)

# %%
verdicts_beside = judge(second[0], "_beside") if second else []

# %% tags=["hide-input"]
words = side_by_side.compared(a, second, verdicts, verdicts_beside)
if second:
    words += (
        " Compare each *between* with its own *within*, not with the other data set's: fewer images, fewer "
        "classes and fewer forgetting events all change how well a network agrees with itself."
    )
book.text(page, words)

# %% [markdown]
# ## Look at them
#
# The top sets of the averages over *all* seeds, one random tie break: images that both architectures forget
# most, and those that only one does. The caption is the label. The strip below an image is its life, epoch by epoch:
# blue where it is right, orange where it is lost again, grey before it is learned; one row a seed, the first network above
# the second.

# %%
mean_a, mean_b = agreement.mean_over_runs(score_a), agreement.mean_over_runs(score_b)
top_a = agreement.top_mask(mean_a, top_fraction, rng)
top_b = agreement.top_mask(mean_b, top_fraction, rng)
groups = {
    "both": top_a & top_b,
    f"only {model_a}": top_a & ~top_b,
    f"only {model_b}": ~top_a & top_b,
    "neither": ~top_a & ~top_b,
}

# %% tags=["hide-input"]
classes = np.array(traces.class_names(a))


def gallery(name, show=20):
    """Show the highest scores of one group."""
    score_of = {f"only {model_b}": mean_b}.get(name, mean_a)
    chosen = np.flatnonzero(groups[name])
    chosen = chosen[np.argsort(-score_of[chosen], kind="stable")][:show]
    title = f"Most forgotten by {name}: {len(chosen)} of {groups[name].sum()}"
    captions = classes[a["label"].values[chosen]]
    return dataset_facts.sheet(a, chosen, captions, title, dict(zip((model_a, model_b), pair)))


display(*[gallery(name) for name in list(groups)[:3]])

# %% [markdown]
# One image at a time, from everywhere and not from the top sets alone: its score in both networks, and what became of
# it in every run.

# %% tags=["hide-input"]
x, y = map(sample_gallery.mean_score, pair, (score, score), (model_a, model_b))
member = np.select(list(groups.values()), list(groups), "")
sample_gallery.show(
    page,
    pair,
    x,
    y,
    title=book.called(
        page, f"Pick an image: who counts it among the {top_fraction:.0%} most forgotten"
    ),
    groups=pd.Categorical(member, list(groups)[::-1]),
    random_seed=random_seed,
)

# %% [markdown]
# ## Do the sets hold what they should?
#
# Some images are known beforehand to be hard. *Identical*: the very same picture also occurs under
# another label (among the glyphs: capitals drawn like small letters), so no network can be right about both. *Symbol
# font* (glyphs only): the typeface draws pictures instead of letters.

# %% tags=["hide-input"]
kinds = dataset_facts.known_hard(a)
never = {
    model_a: np.isnan(score_a).mean(axis=0) > 0.5,
    model_b: np.isnan(score_b).mean(axis=0) > 0.5,
}
masks = groups | {f"never learned by {m} (most seeds)": mask for m, mask in never.items()}
masks[f"all {book.unit(page)}s"] = np.ones(n, dtype=bool)
truth = pd.DataFrame(
    {f"{book.unit(page)}s": {name: int(mask.sum()) for name, mask in masks.items()}}
)
for kind, flag in kinds.items():
    truth[kind] = [int((mask & flag).sum()) for mask in masks.values()]
    truth[f"{kind}, share"] = [
        f"{flag[mask].mean():.1%}" if mask.any() else "none" for mask in masks.values()
    ]
truth

# %% tags=["hide-input"]
unlearned = np.logical_or.reduce(list(never.values()))
words = [f"No image of {heads['']} is known beforehand to be hard."] if not kinds else []
for kind, flag in kinds.items():
    key = kind.split()[0]
    for name, mask in (
        ("both", groups["both"]),
        ("never", unlearned),
        ("all", np.ones(n, dtype=bool)),
    ):
        share = flag[mask].mean() if mask.any() else np.nan
        book.record(page, f"{key}_{name}", share, null=flag.mean(), fmt=".1%")
    words.append(
        f"*{kind.capitalize()}*: {{{key}_both}} of the images that both architectures forget most, {{{key}_never}} "
        f"of those that one of them never learns (under most seeds), {{{key}_all}} of all images."
    )
words.append("What is never learned cannot be forgotten, so it is not in the top set.")
book.text(page, " ".join(words))

# %% [markdown]
# ## Does it survive other choices?
#
# **Every score, every cut.** The gap and the surviving share for each score of the library and top sets from 1 % to
# 30 %. Whether a gap differs from 0 is tested with its standard error over seeds and images; as this is a whole
# family of tests, the share of false discoveries among them is held at 5 % (Benjamini and Hochberg).

# %%
CUTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
grids = {}
for end, stores_of in sets_of.items():
    apart = np.random.default_rng(random_seed)  # draws of its own
    cuts = [cut for cut in CUTS if cut * stores_of[0].sizes["sample"] >= 5] or [CUTS[-1]]
    grids[end] = overlap_grid(stores_of, list(scores.available(stores_of[0])), cuts, apart, fewer)


# %% tags=["hide-input"]
for end, grid in grids.items():
    for part, most in {"gap": 0.5, "shared": 1}.items():
        values = grid.estimates(part)
        title = (
            f"{heads[end]}: {parts[part]}, by score and share of {book.unit(page)}s in the top set"
        )
        charts.show(
            charts.heatmap(
                values,
                rows=grid.titles,
                columns=grid.percents,
                title=title,
                description=f"{title}. From {np.nanmin(values):.2f} to {np.nanmax(values):.2f}.",
                scale_title=parts[part],
                domain=(0, most),
            )
        )

# %% tags=["hide-input"]
words = []
for end, grid in grids.items():
    shared, every = grid.estimates("shared"), {"null": 0, "ceiling": grid.above.size, "fmt": ".0f"}
    book.record(page, "gaps_above" + end, grid.above.sum(), **every)
    book.record(page, "below_half" + end, (shared < 0.5).sum(), **every)
    book.record(page, "cells" + end, grid.above.size, fmt=".0f")
    words.append(
        f"On {heads[end]}, {{gaps_above{end}}} of {{cells{end}}} gaps lie above 0 (Benjamini and Hochberg), and "
        f"less than half of the repeatable overlap survives in {{below_half{end}}}. The surviving share is "
        f"{np.nanmean(shared[:, 0]):.2f} at the smallest cut and {np.nanmean(shared[:, -1]):.2f} at the largest (means "
        "over scores)."
    )
book.text(page, " ".join(words))

# %% tags=["hide-input"]
for end, grid in grids.items():
    for part in ("gap", "shared"):
        told = f"{heads[end]}: {parts[part]}, with 95 % intervals"
        display(side_by_side.folded(grid.table(part), told))

# %% [markdown]
# **No cut at all.** The rank correlation (Spearman) over all images. **Groups of alike images as the unit**: glyphs of
# one typeface are alike, and so are scans of one patient. Where such groups are known, the interval is also computed by
# redrawing whole groups.

# %%
rank = agreement.within_between_gap(agreement.spearman_on(both), runs, n, rng, fewer)
groups_of = dataset_facts.clusters(a)  # None where no such groups are known
if groups_of:
    grouped = agreement.within_between_gap(
        agreement.jaccard_on(both, top_fraction),
        runs,
        n,
        rng,
        fewer,
        groups=groups_of[1],
        chance=chance,
    )

# %% tags=["hide-input"]
book.keep(
    page,
    "rank_between",
    rank["between"],
    null=0,
    ceiling=(rank["ceiling"].low, rank["ceiling"].high),
)
book.keep(page, "rank_gap", rank["gap"], null=0, ceiling=rank["ceiling"].estimate)
book.keep(page, "rank_shared", rank["shared"], null=0, ceiling=1)
words = (
    "Over all images the rank correlation between architectures is {rank_between}, its gap {rank_gap}; corrected "
    "for seed noise it is {rank_shared}."
)
if groups_of:
    most = grouped["ceiling"].estimate - chance
    book.keep(page, "grouped_gap", grouped["gap"], null=0, ceiling=most)
    book.keep(page, "grouped_shared", grouped["shared"], null=0, ceiling=1)
    words += (
        f" Redrawing every {groups_of[0]} as a whole instead of images, the gap is {{grouped_gap}} and the "
        "surviving share {grouped_shared}."
    )
book.text(page, words)

# %% [markdown]
# ## The claim, what it needs, what we see

# %% tags=["hide-input"]
side_by_side.claims(
    page,
    heads,
    [
        (
            "The 10 % most forgotten images of two architectures overlap by 0.34 (OCTDL) and 0.15 (CUB-200).",
            "Beside it what chance gives, and what two seeds of one architecture share.",
            "between {between}, within {within_a} and {within_b}, chance {chance}",
            "",
        ),
        (
            "So the architectures forget fundamentally different images.",
            "A gap above 0, and less than half of the repeatable overlap left.",
            "gap {gap}, surviving share {mean_shared}",
            CLAIM,
        ),
        (
            "It is the architecture.",
            "The gap also between networks that are equally good. And one factor changed at a time: not done here.",
            "gap {good_gap} if equally good, {even_gap} if equally forgetful",
            EQUAL,
        ),
        (
            "It does not depend on how *most forgotten* is measured.",
            "The same with every score and every cut.",
            "{gaps_above} of {cells} gaps above 0; less than half survives in {below_half}",
            "",
        ),
    ],
)

# %% [markdown]
# ## Limits
#
# - These are not the paper's networks, images and recipe. A gap found here does not transfer to them, and
#   neither does its absence.
# - The two networks differ in more than their architecture: size, learning rate and how well they were
#   pretrained differ too. The gap belongs to the whole recipe.
# - The Jaccard index knows only who is in the top set. The rank correlation above uses all images.
# - The surviving share corrects for seed noise only in part: it falls as more seeds are averaged. Read it as
#   an upper bound on what is shared.
# - With fewer than 6 seeds on either side the page gives no verdict.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). Two random sets each hold 20 % of all images. Which Jaccard index do you expect?
#
# ```{admonition} Solution
# :class: dropdown
# With $q = 0.2$ they share $q^2$ of the images and together cover $2q - q^2$. The index is $q / (2 - q)$, here 0.111.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 0.2 / (2 - 0.2)

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    agreement.jaccard_null(6000, 0.2)[0],
    within=0.002,
    hint="work out which share of all images is in both sets, and which is in at least one",
    traps={
        "that is the share of all images that is in both sets; divide by the share in at least one": 0.04,
        "what both share is counted twice in your union": 0.04 / 0.4,
        "that is the share of the *first* set that is also in the second; the union is larger": 0.2,
    },
)

# %% [markdown]
# **Exercise 2** (level 1, read off). The paper's 0.34 is a Jaccard index of two sets of equal size. Of 100 images in
# the one set, how many are in the other too?
#
# ```{admonition} Solution
# :class: dropdown
# If $m$ of 100 are shared, the union holds $200 - m$, so $m / (200 - m) = 0.34$ and $m = 200 \cdot 0.34 / 1.34 = 50.7$.
# An index of 0.34 sounds like a third and means **half** of each set. (0.15 means 26 of 100.)
# ```

# %% tags=["solution", "hide-cell"]
answer_2 = 200 * 0.34 / 1.34

# %% tags=["check"]
place = np.arange(200)  # two sets of 100 images, pushed over each other: m of them are in both
pushed = [(100 - m <= place) & (place < 200 - m) for m in range(101)]
index = np.array([agreement.jaccard(place < 100, other_set) for other_set in pushed])
exercises.check(
    2,
    answer_2,
    np.abs(index - 0.34).argmin(),
    within=0.8,
    hint="call the shared number m and count what both sets hold together",
    traps={
        "the index is a share of the *union*, and that holds more than 100 images": 34,
        "the union is smaller than 200: what is shared is in it once, not twice": 68,
        "very close: a half would give an index of one third; work out the number itself": 50,
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). Compute the overlap within the first network anew: the mean Jaccard index over all
# pairs of *different* seeds. `score_a` holds its scores [seed, image]; `agreement.jaccard_matrix(scores, top_fraction)`
# compares every two runs.
#
# ```{admonition} Solution
# :class: dropdown
# The matrix is symmetric; its upper triangle without the diagonal holds every pair once. The diagonal compares a run
# with another tie break of itself: it is below 1, and it is no pair of seeds.
# ```

# %% tags=["solution", "hide-cell"]
every_pair = agreement.jaccard_matrix(score_a, top_fraction)
answer_3 = every_pair[np.triu_indices(len(every_pair), 1)].mean()

# %% tags=["check"]
exercises.check(
    3,
    answer_3,
    found.single["within_a"].estimate,
    within=0.0005,
    hint="leave out the diagonal, and average what is left",
    traps={
        "your mean holds the diagonal, where every run is compared with itself": (
            agreement.jaccard_matrix(score_a, top_fraction).mean()
        ),
        "those are runs of the other network": found.single["within_b"].estimate,
        "those are pairs of one run of each network": found.single["between"].estimate,
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). A friend sorts the images by forgetting events with a *stable* sort and takes
# the last tenth. Try this on two made-up, unrelated scores of 6,000 images that are 0 for nearly all of them. Choose
# them so that her overlap is more than five times what chance gives.
#
# ```{admonition} Solution
# :class: dropdown
# A stable sort leaves tied images in their stored order, so both top sets are filled up with the same tied
# images. The overlap is large although the scores have nothing to do with each other. The fewer images are above 0, the
# worse it gets; with ties broken at random nothing is left of it.
# ```

# %% tags=["solution", "hide-cell"]
fake = (np.random.default_rng(0).random((2, 6000)) < 0.02).astype(float)
tops = [set(np.argsort(s, kind="stable")[-600:]) for s in fake]
answer_4 = len(tops[0] & tops[1]) / len(tops[0] | tops[1])

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda a: 5 * agreement.jaccard_null(6000, 0.1)[0] < a <= 1,
    hint=(
        "the answer is her Jaccard index; np.argsort(score, kind='stable')[-600:] keeps tied images in their stored "
        "order, and the fewer images are above 0, the more of them tie"
    ),
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). Somebody has one overlap of 0.34 between two architectures and concludes that
# they forget different images. Which runs and which numbers does she lack, and what would each of them tell her?
#
# ```{admonition} Solution
# :class: dropdown
# Other seeds of both architectures. *Within* is what seed noise leaves of a perfect agreement: a *between* equal to
# *within* would mean that changing the architecture changes no more than changing the seed. Chance, for sets of that
# size. Six seeds or more, for an interval. And networks that are equally good, or she compares accuracies. To find out
# *what* about the architecture matters, only one thing may differ between the two (size, pretraining, learning rate).
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun finding_1_architecture_overlap -p top_fraction=0.2
# lethe rerun finding_1_architecture_overlap -p score=aum -p bootstrap=1000
# ```

# %% tags=["hide-input"]
book.finish(page)
