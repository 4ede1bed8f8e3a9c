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
# # Which source of randomness decides who is forgotten?
#
# **Claim under test.** Two runs forget different images because training is unstable: change any one source of randomness,
# the split, the first weights of the head, the order or the augmentation, and who is forgotten is drawn anew.
#
# **You will learn** (1) how to change one source of randomness and hold the others, (2) what first-order and total shares of
# variance are and how to estimate both from a few runs, (3) how to tell a world in which sources add up from one in
# which any change redraws everything, (4) what one flipped bit does to a training run.
#
# **Time**: 20 minutes to read, under a minute to rerun (`live=true` trains 18 small networks and takes two minutes
# more). **You need**: [finding 3](finding_3_seed_stability.ipynb), variance.

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
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

from lethe.analysis import agreement, arms
from lethe.analysis.factors import agree, course, design, sobol, steady, worlds
from lethe.analysis.factors.design import EVERYTHING, NOTHING, PAIRS, RUNS, SOURCES
from lethe.pages import book, charts, exercises, side_by_side
from lethe.pages.render import shown

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
models: list[str] = ["test_resnet", "test_vit"]  # networks; one of: test_resnet | test_vit
score: str = "forgetting_events"  # one of: forgetting_events | mean_retention | share_wrong
last_epoch: int = 15  # look at the traces up to this epoch
top_fraction: float = 0.1  # share of images that counts as most forgotten
suffices: float = 0.8  # total share above which one source alone makes two runs independent
dominates: float = 0.5  # share of the variance that makes a source dominant
steady_below: float = 0.1  # share of one flipped bit below which training counts as steady
bootstrap: int = 100  # resamples behind the intervals
ceiling_draws: int = 4  # simulations behind each ceiling
random_seed: int = 1  # for resamples, ties, shuffles and simulated worlds
live: bool = False  # train the quick version of the study here; needs torch

# %% tags=["remove-cell"]
names = ("models", "score", "last_epoch", "top_fraction", "suffices", "dominates", "bootstrap")
names += ("steady_below", "ceiling_draws", "random_seed", "live")
page = book.start("factorial_seeds", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)

# %% [markdown]
# ## What the paper reports
#
# The paper {cite:p}`daga2026forgetting` finds that forgetting does not repeat from seed to seed [A]. As future work it names a factorial study
# that separates the split of the data, the initialisation of the weights and the order of the augmentation [S: a summary by
# others; we have not seen the paper's body]. So there is no number of the paper's on this page to compare with. This page does that study, on our
# networks.
#
# Summers and Dinneen {cite:p}`summers2021nondeterminism` have asked a like question of the diversity of trained networks. They report that all sources
# of nondeterminism have similar effects, and that changing one bit of the initial weights is enough to end at a very different
# network; they put it down to the instability of training [A]. We ask it of forgetting, in fine-tuning, and image by image.
#
# ## The method
#
# A run draws from four independent streams (here: the contract in [definitions](../book/definitions.md)):
#
# | source | what it decides |
# |---|---|
# | `split` | which 40 of 50 typefaces a letter the network is trained on |
# | `init` | the first weights of the new head (the backbone is pretrained, always the same) |
# | `order` | the order of the images, in head warm-up and in every epoch |
# | `augment` | shift, scale and turn of every image in every epoch |
#
# Neither network has dropout. A **block** is a pair of seeds $u$ and $v$, used nowhere else:
#
# | run | split | init | order | augment | what it is for |
# |---|---|---|---|---|---|
# | `base` | $u$ | $u$ | $u$ | $u$ | |
# | `other` | $v$ | $v$ | $v$ | $v$ | shares nothing with `base` |
# | four runs, one a source; here `order` | $u$ | $u$ | $v$ | $u$ | differs from `base` in one source, shares only that source with `other` |
# | `rerun` | $u$ | $u$ | $u$ | $u$ | the same in a fresh process: must be equal bit for bit |
# | `rounding` | $u$ | $u$ | $u$ | $u$ | the images of each batch listed backwards: the same sums, rounded differently, at every step |
# | `bit` | $u$ | $u$ | $u$ | $u$ | the last bit of one weight flipped, once, before fine-tuning |
#
# Let $Y$ be an image's score, such as its number of forgetting events, as a function of the four draws, and $V$ its variance over draws. Two
# shares tell what source $j$ does:
#
# - **Total** $T_j = E[\mathrm{Var}(Y \mid \text{all but } j)] / V$: how far two runs differ when *only $j$ varies*. 1 means: as far as two runs
#   that share nothing.
# - **First order** $S_j = \mathrm{Var}(E[Y \mid j]) / V$: how much two runs have in common when *only $j$ is shared* {cite:p}`sobol1993sensitivity`. 1 means: source
#   $j$ decides alone.
#
# Always $S_j \le T_j$, $\sum S_j \le 1 \le \sum T_j$. What is left, $1 - \sum S_j$, belongs to no source alone. With $A$ = `base`, $B$ = `other`, $A_j$ = the run of source $j$:
#
# $$V = \frac{1}{2} E(A - B)^2, \qquad V\,T_j = \frac{1}{2} E(A - A_j)^2, \qquad V\,S_j = E\,(B - m)(A_j - A).$$
#
# The second is due to Jansen {cite:p}`jansen1999analysis`, the third to Saltelli and others {cite:p}`saltelli2010variance`; $m$ is the image's mean over the other blocks, our addition: it
# changes no expectation and takes out noise. Everything is summed over images and blocks and then divided, so
# images that vary more weigh more. Only images that all runs of a block were trained on and learned take part; both splits
# share four fifths of their images.
#
# **Three worlds.** What would we see if (1) sources add up, with 40, 30, 20 and 10 % of the variance, (2) sources work in twos, `split` with `init` and
# `order` with `augment`, (3) any change redraws everything?

# %% tags=["hide-input"]
made = {
    "1. sources add up": worlds.additive,
    "2. sources work in twos": worlds.pairwise,
    "3. any change redraws everything": worlds.chaotic,
}
rows = []
for name, world in made.items():
    known = worlds.simulate(world, blocks=10, units=2000, rng=rng)
    found = sobol.shares(sobol.centred(known), rng, bootstrap)
    for panel, kind in {"total share T": "T", "first-order share S": "S"}.items():
        for source in SOURCES:
            hit = found[f"{kind} {source}"]
            place = {"panel": panel, "row": source, "color": name}
            rows.append(place | {k: getattr(hit, k) for k in ("estimate", "low", "high")})
charts.show(
    charts.dots(
        pd.DataFrame(rows),
        title="Three simulated worlds, read by the estimators of this page",
        description="Total and first-order shares of four sources in three worlds. Adding up: T and S both near 0.4, 0.3, 0.2, "
        "0.1. In twos: T near 0.5, S near 0. Any change redraws everything: T near 1, S near 0.",
        x_title="share of the variance between runs",
        marks=[0, 1],
        domain=(-0.1, 1.1),
    )
)

# %% [markdown]
# So the two shares together name the world. Where sources add up, $T_j = S_j$. Where any change redraws everything, $T_j = 1$ and
# $S_j = 0$ for every source: each alone is enough to make two runs strangers, and none alone explains anything. *Do not
# read $T_j = 1$ as "source $j$ is the culprit"*: in that world the question which source is to blame has no answer.
#
# ## The experiment
#
# Both networks of the preset `quick`, fine-tuned on 2,480 letters for 15 epochs.

# %% tags=["hide-input"]
study = book.use_study(page, arms.read_study("factorial"))
runs = {model: design.read_design(study, model) for model in models}
whole = runs
runs = {model: made.until(last_epoch) for model, made in runs.items()}
scored = {model: design.values(made, score) for model, made in runs.items()}
mine = study[study["model"].isin(models)]
book.record(page, "runs", len(mine), fmt=".0f")
book.record(page, "swapped", mine["learning_rate"].notna().sum(), fmt=".0f")
book.record(page, "blocks", min(len(made.blocks) for made in runs.values()), fmt=".0f")
book.record(page, "hours", study.attrs["core_hours"], fmt=".1f")
book.text(
    page,
    "{runs} runs of these networks: {blocks} blocks, and {swapped} runs at swapped learning rates (below). The study took {hours} hours of "
    "one core, with other work beside it.",
)
for model, made in runs.items():
    rows = mine[(mine["model"] == model) & mine["learning_rate"].isna()]
    used = np.isfinite(scored[model][:, 0]).sum(axis=1).mean()
    lost = 1 - used / made.common.sum(axis=1).mean()
    spread = np.nanvar(scored[model][:, [0, 1]], axis=2).mean()
    luck = sobol.terms(scored[model])["V"].sum() / np.isfinite(scored[model][:, 0]).sum()
    book.record(page, f"used_{model}", used, fmt=",.0f")
    book.record(page, f"lost_{model}", lost, fmt=".1%")
    book.record(page, f"luck_{model}", luck / spread, fmt=".0%")
    book.record(page, f"accuracy_{model}", rows["test_accuracy"].mean(), fmt=".1%")
    book.record(page, f"events_{model}", rows["forgetting_events"].mean())
    book.text(
        page,
        f"**{model}**: test accuracy {{accuracy_{model}}}, {{events_{model}}} forgetting events an image (all 15 epochs). A block compares "
        f"{{used_{model}}} images; {{lost_{model}}} of those in both splits are left out for having no score in some run. Of the score's variance "
        f"over images and runs, {{luck_{model}}} is variance between runs of one image, $V$: that is what is shared out below. The rest "
        "belongs to the images.",
    )

# %% [markdown]
# **Nothing varies.** Every `rerun` ended with the weights of its `base`, bit for bit, and has the same trace: otherwise the
# cell above would have refused. So all that follows is due to what was varied.
#
# ## The picture
#
# How far the two runs of a pair differ, as a share of how far two runs differ that share nothing: 0 at the top, where nothing
# varies, 1 at the bottom. For "only $j$ varies" that is $T_j$, for "only $j$ is shared" it is $1 - S_j$. Left single images, right means of the
# 62 characters.


# %%
def shares_of(values, label, draws):
    """Shares for single images and for class means."""
    centred = sobol.centred(values)
    levels = {"image": centred, "class": sobol.by_class(centred, label)}
    return {level: sobol.shares(x, rng, draws) for level, x in levels.items()}


found = {model: shares_of(scored[model], runs[model].label, bootstrap) for model in models}
for model in models:
    for level, shares in found[model].items():
        for name, interval in shares.items():
            key = f"{name.replace(' ', '_')}_{level}_{model}"
            book.keep(page, key, interval, null=float(name.startswith("T")))

# %% tags=["hide-input"]
SHOWN = {kind: f"T {two}" for kind, (one, two) in PAIRS.items() if one == "base"}
SHOWN |= {kind: f"S {two}" for kind, (one, two) in PAIRS.items() if one == "other"}
PANELS = {"image": "single images", "class": "class means"}


def distance(shares, kind):
    """How far a pair of runs differs, with its interval, as a share of two independent runs."""
    if kind == EVERYTHING:
        return {"estimate": 1.0, "low": 1.0, "high": 1.0}
    hit = shares[SHOWN[kind]]
    if SHOWN[kind].startswith("T"):
        return {"estimate": hit.estimate, "low": hit.low, "high": hit.high}
    return {"estimate": 1 - hit.estimate, "low": 1 - hit.high, "high": 1 - hit.low}


rows = [
    {"panel": words, "row": kind, "color": model} | distance(found[model][level], kind)
    for level, words in PANELS.items()
    for model in models
    for kind in PAIRS
]
told = "; ".join(
    f"{r['color']}, {r['row']}: {shown(r['estimate'], '.2f')}"
    for r in rows
    if r["panel"] == PANELS["image"]
)
charts.show(
    charts.dots(
        pd.DataFrame(rows),
        title=f"How far two runs differ in {score.replace('_', ' ')}: 0 nothing, 1 as two independent runs",
        description=f"A row for every kind of pair, from nothing varies to everything varies; single images left, class means right. Single images: {told}.",
        x_title="difference, share of independent runs",
        marks=[0, 1],
        domain=(-0.1, 1.5),
    )
)

# %% [markdown]
# ## The number
#
# The same with intervals. They redraw blocks and images; a block counts as one seed. Nulls: in a world where source $j$ does nothing $T_j = S_j = 0$; where any
# change redraws everything $T_j = 1$, $S_j = 0$.

# %% tags=["hide-input"]
ROWS = (*SOURCES, "rounding", "bit", "no source alone")


def cell(kind, name, level, model):
    """A share with its interval in words; empty where there is none."""
    key = f"{kind} {name} {level} {model}".replace(" ", "_")
    return str(page.results.get(key, ""))


heads = {("T", "image"): "T, images", ("S", "image"): "S, images"}
heads |= {("T", "class"): "T, classes", ("S", "class"): "S, classes"}
cells = {
    (model, name): {head: cell(k, name, level, model) for (k, level), head in heads.items()}
    for model in models
    for name in ROWS
}
display(pd.DataFrame(cells).T.rename_axis(["network", "source"]))

# %% tags=["hide-input"]
for model in models:
    totals = {s: found[model]["image"][f"T {s}"].estimate for s in SOURCES}
    firsts = {s: found[model]["image"][f"S {s}"].estimate for s in SOURCES}
    most, least = max(totals, key=totals.get), min(totals, key=totals.get)
    first = max(firsts, key=firsts.get)
    book.record(page, f"sum_T_{model}", sum(totals.values()))
    book.record(page, f"sum_S_{model}", sum(firsts.values()))
    book.text(
        page,
        f"**{model}**, single images. The total share is largest for `{most}` ({{T_{most}_image_{model}}}) and smallest for `{least}` "
        f"({{T_{least}_image_{model}}}). One flipped bit alone comes to {{T_bit_image_{model}}}, other rounding at every step to {{T_rounding_image_{model}}}. Alone, "
        f"`{first}` explains most, {{S_{first}_image_{model}}}; all four alone explain {{sum_S_{model}}}, and {{S_no_source_alone_image_{model}}} belongs to no source "
        f"alone. Totals add up to {{sum_T_{model}}}.",
    )

# %% [markdown]
# ## Verdict
#
# Where a verdict says seeds it means blocks. The rules and limits were fixed before the study was run; one pilot block with seeds 1000 and 1001 had been seen, which is
# not in the study. For every network by itself, on single images:
#
# - *Any single source suffices*: every $T_j$ lies above `suffices` (0.8 unless changed).
# - *One bit suffices*: the same for the flipped bit.
# - *No source dominates*: every $S_j$ lies below `dominates` (0.5 unless changed).
# - *It is the interplay*: what belongs to no source alone lies above one half.

# %%
NAMED = ", ".join(SOURCES)
for model in models:
    keys = {kind: [f"{kind}_{s}_image_{model}" for s in SOURCES] for kind in "TS"}
    alone = book.above(page, f"S_no_source_alone_image_{model}", 0.5)
    bit = book.above(page, f"T_bit_image_{model}", suffices)
    claims = {
        f"any single source makes two runs independent ({NAMED}).": [
            book.above(page, key, suffices) for key in keys["T"]
        ],
        "one flipped bit makes two runs independent.": [bit],
        f"no source dominates ({NAMED}).": [book.below(page, key, dominates) for key in keys["S"]],
        "most of the variance belongs to no source alone.": [alone],
    }
    for claim, checks in claims.items():
        book.verdict(page, f"{model}: {claim}", *checks)

# %% tags=["remove-cell", "nbval-check-output"]
for model in models:
    for s in (*SOURCES, "bit", "rounding"):
        print(f"T_{s}_{model}: {page.results[f'T_{s}_image_{model}']}")
    print(f"alone_{model}: {page.results[f'S_no_source_alone_image_{model}']}")

# %% [markdown]
# **How to read this together.** A source whose total share is no larger than that of a flipped bit brings nothing of its own: any change would
# have done the same. So beside the totals belongs what a source adds to the bit, $T_j - T_\text{bit}$.

# %% tags=["hide-input"]
for model in models:
    bit = found[model]["image"]["T bit"]
    calm, wild = bit.high < steady_below, bit.low > steady_below
    kind = "steady" if calm else "unsteady" if wild else "neither clearly steady nor unsteady"
    why = {
        "steady": "what is too small to matter stays so, and runs differ because their draws differ.",
        "unsteady": "a good part of the difference between runs comes about without any draw being changed.",
    }.get(kind, "the interval holds the limit.")
    added = ", ".join(f"`{s}` {{X_{s}_image_{model}}}" for s in SOURCES)
    book.text(
        page,
        f"**{model}** is {kind} (share of one bit {{T_bit_image_{model}}}; limit {steady_below:g}): {why} What the sources add to "
        f"one bit: {added}.",
    )

# %% [markdown]
# ## When do the runs part?
#
# The share of images that one run of a pair has right and the other wrong, epoch by epoch. Epoch 0 is after head warm-up:
# `augment`, `rounding` and `bit` have done nothing yet. *By chance* is what two runs of that accuracy would show if they
# erred by lot.

# %% tags=["hide-input"]
GROUPS = {
    "one source varies": tuple(f"only {s} varies" for s in SOURCES),
    "no source varies, or all": ("one bit flipped", "other rounding", EVERYTHING),
}
paths = {}
for model, made in runs.items():
    paths[model] = course.differences(made)
    for group, kinds in GROUPS.items():
        kept = kinds + ((course.SHUFFLED,) if EVERYTHING in kinds else ())
        table = paths[model][paths[model]["pair"].isin(kept)]
        at = {e: table[table["epoch"] == e].set_index("pair")["share"] for e in (1, 3, last_epoch)}
        told = "; ".join(
            f"epoch {e}: " + ", ".join(f"{k} {v:.1%}" for k, v in row.items())
            for e, row in at.items()
        )
        charts.show(
            charts.lines(
                table,
                "epoch",
                "share",
                "pair",
                ("low", "high"),
                title=f"{model}: images that the two runs answer differently, {group}",
                description=f"Share of images by epoch with intervals over blocks. {told}.",
                y_title="share of images",
            )
        )

# %% tags=["hide-input"]
for model, table in paths.items():
    wide = table.pivot(index="epoch", columns="pair", values="share")
    half = wide.div(wide[EVERYTHING], axis=0) >= 0.5
    caught = {k: half.index[half[k]].min() for k in wide if k not in (NOTHING, course.SHUFFLED)}
    said = {k: "never" if np.isnan(e) else f"in epoch {e:.0f}" for k, e in caught.items()}
    bit, rounding = said["one bit flipped"], said["other rounding"]
    late = wide.loc[last_epoch]
    for key, kind in (("all", EVERYTHING), ("bit", "one bit flipped")):
        book.record(page, f"late_{key}_{model}", late[kind], fmt=".1%")
        book.record(page, f"peak_{key}_{model}", wide[kind].max(), fmt=".1%")
    sources = ", ".join(f"`{s}` {said[f'only {s} varies']}" for s in SOURCES)
    book.text(
        page,
        f"**{model}**: two independent runs differ in {{peak_all_{model}}} of the images at most and in {{late_all_{model}}} at the end; a flipped bit comes to "
        f"{{peak_bit_{model}}} at most and {{late_bit_{model}}} at the end. Half of the difference of independent runs is first reached: "
        f"{sources}; rounding {rounding}; one bit {bit}.",
    )

# %% [markdown]
# ## The network, or its learning rate?
#
# The two networks have different learning rates, and a larger step may magnify a small difference more. So six blocks of `base`, `other` and `bit` were run
# again with the rates swapped. *Share of one bit* is the flipped bit's total share as above. It is above 0 at all only if the bit changed
# the score of some image.

# %% tags=["hide-input"]
given = study.groupby("model")["learning_rate"].max()  # each network has the other's
own = {model: float(given.drop(model).iloc[0]) for model in given.index}
swapped, rows = {}, []
for model in models:
    rate = float(given[model])
    few = swapped[model] = steady.read_rate(study, model, rate).until(last_epoch)
    share = steady.bit_share(few, score, rng, bootstrap)
    book.keep(page, f"swapped_{model}", share)
    at = study[(study["model"] == model) & (study["run"] == "base")]
    parted = {"own": course.by_epoch(runs[model], "base", "bit").mean(axis=0)}
    differ = few.correct[:, 0] ^ few.correct[:, 2]
    parted["swapped"] = course.mean_over(differ, few.common).mean(axis=0)
    for name, lr, key in (("own", own[model], "T_bit_image_"), ("swapped", rate, "swapped_")):
        part = at[at["learning_rate"].isna() == (name == "own")]
        row = {"network": model, "learning rate": f"{lr:g} ({name})"}
        row |= {"test accuracy": f"{part['test_accuracy'].mean():.1%}"}
        row |= {"events an image": f"{part['forgetting_events'].mean():.2f}"}
        row |= {"share of one bit": str(page.results[key + model])}
        rows.append(row | {"answered differently, at most": f"{parted[name].max():.1%}"})
display(pd.DataFrame(rows).set_index(["network", "learning rate"]))

# %% tags=["hide-input"]
shares = {(own[model], model): f"T_bit_image_{model}" for model in models}
shares |= {(float(given[model]), model): f"swapped_{model}" for model in models}
for rate in sorted({rate for rate, _ in shares}):
    told = ", ".join(f"`{m}` {{{key}}}" for (r, m), key in shares.items() if r == rate)
    book.text(page, f"Share of one bit at learning rate {rate:g}: {told}.")

# %% [markdown]
# Read along a line for the network's part, down the lines for the learning rate's.
#
# This part was not in the plan: it was added when the first blocks had shown how different the networks are. The limit for *steady* was set
# then, after one pilot block at these rates: the bit's share lies below `steady_below` (0.1 unless changed).

# %%
for model in models:
    for key, rate in ((f"T_bit_image_{model}", own[model]), (f"swapped_{model}", given[model])):
        claim = f"{model} at learning rate {rate:g}: one flipped bit changes little."
        book.verdict(page, claim, book.below(page, key, steady_below))

# %% [markdown]
# ## Agreement, its null and its ceilings
#
# The other findings measure agreement, so here it is in the same units: the rank correlation of the two runs of a pair over images, and over
# class means. Null: images shuffled in every run. Ceiling: two *independent* runs in a simulated world in which every image has its own
# forgetting curve, the same in both runs, and the rest is dice (see finding 3). It is no ceiling for pairs that share draws: **a pair above it shares more
# than what the images bring along; it shares luck.**

# %% tags=["hide-input"]
rank, label = agreement.spearman_on, {model: made.label for model, made in runs.items()}
NULL, TOP = "images shuffled (null)", "one curve an image (ceiling)"
rows = []
for model, made in runs.items():
    levels = {"image": scored[model], "class": sobol.by_class(scored[model], label[model])}
    for name, values in levels.items():
        of = label[model] if name == "class" else None
        nothing = agree.null(scored[model], rank, rng, of)
        top = [b.mean for b in agree.ceilings(made, score, rank, rng, ceiling_draws, of).values()]
        book.record(page, f"{NULL} {name} {model}", nothing.mean, nothing.low, nothing.high)
        book.record(page, f"{TOP} {name} {model}", np.mean(top), min(top), max(top))
        bands = {"null": (nothing.low, nothing.high), "ceiling": (min(top), max(top))}
        for kind, hit in agree.agreements(values, rank, rng, bootstrap).items():
            book.keep(page, f"{kind} {name} {model}", hit, **bands)
        for kind in (NULL, *PAIRS, TOP):
            hit = book.row(page, f"{kind} {name} {model}", kind)
            ends = {k: hit["estimate"] if hit[k] is None else hit[k] for k in ("low", "high")}
            place = {"panel": PANELS[name], "row": kind, "color": model}
            rows.append(place | {"estimate": hit["estimate"]} | ends)
told = "; ".join(f"{r['panel']}, {r['color']}, {r['row']} {r['estimate']:.2f}" for r in rows)
charts.show(
    charts.dots(
        pd.DataFrame(rows).sort_values(
            "panel", key=lambda c: c.map(list(PANELS.values()).index), kind="stable"
        ),
        title="Rank agreement of the two runs of a pair",
        description=f"Spearman correlation by kind of pair, with null and ceiling. {told}.",
        x_title=f"Spearman correlation of {score.replace('_', ' ')}",
        marks=[0, 1],
        domain=(-0.3, 1.08),
    )
)

# %% tags=["hide-input"]
for model in models:
    for name, panel in PANELS.items():
        kinds = (EVERYTHING, "one bit flipped", TOP)
        free, bit, top = (f"{kind} {name} {model}" for kind in kinds)
        book.text(
            page,
            f"**{model}**, {panel}: independent runs agree at {{{free}}}, and worlds of one curve an image give {{{top}}} (both "
            f"worlds, lower and higher). A flipped bit leaves {{{bit}}}.",
        )

# %% [markdown]
# ## Which sources move whole classes?
#
# If images of a class went their ways independently, a class mean over $n$ images would vary $1/n$ as much as they do. *Coherence* is the variance of class means over that: 1 means
# that images move alone, more that classes move as a whole. The shares of class means are in the picture and the table
# above.

# %% tags=["hide-input"]
rows = []
for model in models:
    moved = sobol.coherence(sobol.centred(scored[model]), label[model], rng, bootstrap)
    for name, hit in moved.items():
        kind = next((k for k, v in SHOWN.items() if v == name), EVERYTHING)
        words = kind if name != "V" else EVERYTHING
        book.keep(page, f"coherence_{name.replace(' ', '_')}_{model}", hit, null=1)
        rows.append({"panel": "coherence of class means", "row": words, "color": model})
        rows[-1] |= {k: getattr(hit, k) for k in ("estimate", "low", "high")}
order = [kind for kind in PAIRS if kind in {row["row"] for row in rows}]
table = pd.DataFrame(rows).sort_values("row", key=lambda c: c.map(order.index), kind="stable")
charts.show(
    charts.dots(
        table,
        title="Do images of a class move together?",
        description="Coherence by kind of pair; 1 is independent images. "
        + "; ".join(
            f"{r.color}, {r.row} {r.estimate:.2f} [{r.low:.2f}, {r.high:.2f}]"
            for r in table.itertuples()
        ),
        x_title="variance of class means / variance if images moved alone",
        marks=[1],
    )
)
for model in models:
    book.text(
        page,
        f"**{model}**: when everything varies the coherence is {{coherence_V_{model}}}.",
    )

# %% [markdown]
# ## Does it survive other choices?
#
# Total shares of single images under another score, on the first half of the epochs, on images that some run of the block forgot at least
# once, and on all images whether learned or not (*share wrong*: share of epochs at which an image was wrong).


# %%
def other_choices(made):
    """Values [block, run, image] by what was chosen otherwise."""
    early, forgotten = max(last_epoch // 2, 2), design.ever_forgotten(made)[:, None]
    found = {f"first {early} epochs": design.values(made.until(early), score)}
    found["forgotten at least once"] = np.where(forgotten, design.values(made, score), np.nan)
    others = ("mean_retention", "first_learned", "share_wrong")
    return found | {name.replace("_", " "): design.values(made, name) for name in others}


# %% tags=["hide-input"]
cells, rows = {}, []
for model, made in runs.items():
    choices = {"as above": scored[model]} | other_choices(made)
    for choice, values in choices.items():
        hits = sobol.shares(sobol.centred(values), rng, max(bootstrap // 2, 10))
        rows += [
            {"panel": model, "row": choice, "color": s}
            | {k: getattr(hits[f"T {s}"], k) for k in ("estimate", "low", "high")}
            for s in SOURCES
        ]
        hits = {name: h for name, h in hits.items() if name[0] in "TS" and name != "T rerun"}
        cells[model, choice] = {
            name: f"{h.estimate:.2f} [{h.low:.2f}, {h.high:.2f}]" for name, h in hits.items()
        }
        judged = all(hits[f"T {s}"].low > suffices for s in SOURCES)
        cells[model, choice]["any suffices"] = "yes" if judged else "not shown"
told = "; ".join(f"{r['panel']}, {r['row']}, {r['color']} {r['estimate']:.2f}" for r in rows)
charts.show(
    charts.dots(
        pd.DataFrame(rows),
        title="Total shares T under other choices",
        description=f"Total shares of single images by choice and source. {told}.",
        x_title="total share T",
        marks=[suffices],
        domain=(0, 1.4),
    )
)
display(side_by_side.folded(pd.DataFrame(cells), "All shares under other choices"))

# %% [markdown]
# The last row of the folded table applies the first rule of the verdict.
#
# **The most forgotten images**: Jaccard index of the top sets by kind of pair. Ties are broken at random, so even two
# equal runs do not reach 1: the first row is the ceiling.

# %% tags=["hide-input"]
tops = sorted({0.05, top_fraction, 0.2})
cells = {}
for model in models:
    for fraction in tops:
        prepare = agree.prepare_jaccard(fraction)
        hits = agree.agreements(scored[model], prepare, rng, max(bootstrap // 4, 10))
        column = {kind: f"{h.estimate:.2f} [{h.low:.2f}, {h.high:.2f}]" for kind, h in hits.items()}
        size = int(np.isfinite(scored[model][:, 0]).sum(axis=1).mean())
        column["chance"] = book.words(agreement.jaccard_null(size, fraction)[0])
        cells[f"{model}, top {fraction:.0%}"] = column
table = pd.DataFrame(cells)
display(side_by_side.folded(table, "Jaccard index of the most forgotten"))

# %% [markdown]
# ## Limits
#
# - **Head only.** The backbone is the same in all runs. `init` draws 62 rows of weights, and head warm-up then trains them on frozen features. A
#   study of training from scratch would give `init` more to decide.
# - **Split** is 40 of 50 typefaces a letter. Splits with less in common would do more.
# - `order` also decides the order of head warm-up; `augment` does not touch warm-up. So they part at different times.
# - Shares are of the variance over *images that were learned in all runs of a block*. The table above has one score without that condition.
# - Images are not units that were drawn for this study, and blocks are few. Intervals rest on the blocks.
# - A total share of a control (`bit`, `rounding`) is not part of the sum: no draw of it is in $V$. It is the part of the difference that needs no
#   source at all.
# - Two tiny networks, one data set, one recipe each, on a CPU. The networks differ in more than architecture: batch size, normalisation, size of the step. Only the learning
#   rate was swapped.
# - The runs end after 15 epochs. What a bit does in longer training was not looked at.
# - `rounding` lists batches backwards. On a graphics card sums may be rounded differently without anybody asking.

# %% [markdown]
# ## Run a small one yourself
#
# With `live=true` this cell trains the quick version: `test_resnet`, two blocks of nine runs, three epochs. Two blocks give numbers and no
# verdict. On another processor they differ from ours: that is what this page is about.


# %%
def train_here(folder):
    """Run the quick study in a folder; its rows."""
    from lethe.experiments import tasks

    quick = tasks.find_study("factorial")
    wanted = quick.tasks(True)
    tasks.run_study(quick, wanted, folder)
    return tasks.rows_of(wanted, tasks.read_done(quick, wanted, folder))


if live:
    with tempfile.TemporaryDirectory() as folder:
        fresh = train_here(Path(folder))
    design.check_rerun(fresh)  # refuses if the same run twice is not the same
    columns = ["test_accuracy", "forgetting_events", "weights"]
    display(fresh.pivot(index="run", columns="block", values=columns).reindex(RUNS))
else:
    print("Not trained here: live is False.")

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). $Y = a + b\,c$ with independent draws $a$, $b$, $c$ of mean 0 and variance 1. Work out $S$ and $T$ of
# all three, and the share that belongs to no source alone. Give them as `{"S": (a, b, c), "T": (a, b, c), "alone": share}`.
#
# ```{admonition} Solution
# :class: dropdown
# $V = 1 + 1 = 2$. $S_a = T_a = 1/2$. $E[Y \mid b] = 0$, so $S_b = S_c = 0$; without $b$ or without $c$ the product's variance goes, so
# $T_b = T_c = 1/2$. No source alone: 1/2.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = {"S": (0.5, 0, 0), "T": (0.5, 0.5, 0.5), "alone": 0.5}

# %% tags=["check"]
three = worlds.simulate(lambda d: d[0] + d[1] * d[2], 10, 4000, np.random.default_rng(1))
hits = sobol.shares(sobol.centred(three), np.random.default_rng(1), 10)
near = {kind: [hits[f"{kind} {s}"].estimate for s in SOURCES[:3]] for kind in "ST"}
near["alone"] = hits["S no source alone"].estimate
exercises.check(
    1,
    answer_1,
    {name: np.round(2 * np.array(value)) / 2 for name, value in near.items()},
    within=0.01,
    hint="the variance of each of the two terms first; a product is 0 on average, whatever b is",
    traps={
        "the variance of a product cannot be dealt out to b and c: known alone, neither tells "
        "anything": {"S": (0.5, 0.25, 0.25), "T": (0.5, 0.25, 0.25), "alone": 0},
        "the T are right; but S of b is the variance of the mean of Y given b, and that mean is 0": {
            "S": (0.5, 0.5, 0.5),
            "T": (0.5, 0.5, 0.5),
            "alone": -0.5,
        },
        "those are variances; divide by V": {"S": (1, 0, 0), "T": (1, 1, 1), "alone": 1},
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Somebody varies the order only, sees that two runs disagree as much as two fresh seeds, and writes:
# "order is the cause of forgetting". Show with `worlds.chaotic` that this does not follow: simulate ten blocks of 500 units, and give
# $T$ and $S$ of every source, as an array of shape (2, 4) in the order of `SOURCES`, $T$ first.
#
# ```{admonition} Solution
# :class: dropdown
# In the chaotic world $T_j$ is near 1 for `order`, and for every other source as well; all $S_j$ are near 0. To claim a cause, show that the
# effect is gone when the order is held: there it is not.
# ```

# %% tags=["solution", "hide-cell"]
wild = worlds.simulate(worlds.chaotic, 10, 500, np.random.default_rng(0))
hits = sobol.shares(sobol.centred(wild), np.random.default_rng(0), 10)
answer_2 = [[hits[f"{kind} {s}"].estimate for s in SOURCES] for kind in "TS"]

# %% tags=["check"]
exercises.check(
    2,
    answer_2,
    np.repeat([[1.0], [0.0]], 4, axis=1),
    within=0.1,
    hint="worlds.simulate, then sobol.shares of the centred values; look up 'T order' and so on",
    traps={
        "T comes first, then S": np.repeat([[0.0], [1.0]], 4, axis=1),
        "that is the world in which sources add up": np.repeat([[0.4, 0.3, 0.2, 0.1]], 2, axis=0),
        "that is the world in which sources work in twos": np.repeat([[0.5], [0.0]], 4, axis=1),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). Work out the total share of `augment` for the first network in `models` by yourself, from
# `scored[models[0]]`, an array [block, run, image] with the runs in the order of `RUNS` (NaN: not compared). Sum over images
# and blocks before you divide.
#
# ```{admonition} Solution
# :class: dropdown
# The squared differences of `base` and `augment`, summed, over those of `base` and `other`, summed; the two halves cancel.
# The page's own number may differ in the third digit: it leaves out the few images that were compared in one block only.
# ```

# %% tags=["solution", "hide-cell"]
base, other, only = (scored[models[0]][:, RUNS.index(r)] for r in ("base", "other", "augment"))
answer_3 = np.nansum((base - only) ** 2) / np.nansum((base - other) ** 2)

# %% tags=["check"]
shared = {r: scored[models[0]][:, RUNS.index(r)] for r in ("base", "other", "augment")}
apart = {r: shared[r] - shared["augment"] for r in ("base", "other")}
whole = shared["base"] - shared["other"]
page_says = found[models[0]]["image"]["T augment"].estimate
exercises.check(
    3,
    answer_3,
    page_says,
    within=0.005,
    hint="the method section has V and V times T; take nansum, and the runs by RUNS.index",
    traps={
        "both have the half, so it cancels": page_says / 2,
        "squares, not absolute differences": np.nansum(abs(apart["base"])) / np.nansum(abs(whole)),
        "other and augment share a source: their distance is about 1 - S": np.nansum(
            apart["other"] ** 2
        )
        / np.nansum(whole**2),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Invent a world in which `split` alone makes two runs strangers ($T$ above 0.9) and alone
# explains nothing ($S$ within 0.1 of 0), while each of the three others has a total share below 0.5. A world is a function
# of an array of draws [source, unit]. How would a hasty reader name `split`, and what is it really?
#
# ```{admonition} Solution
# :class: dropdown
# For example $Y = d_0 (d_1 + d_2 + d_3)$, the split times the sum of the others: $T$ is 1 for `split`, 1/3 for the others, and all $S$ are 0.
# "The split decides" would be wrong: known alone, it tells nothing about who is forgotten. It decides the *sign* with which the others
# act. A large $T$ with a small $S$ means: this source takes part in everything.
# ```


# %% tags=["solution", "hide-cell"]
def coupled(d):
    """Split times the sum of the others."""
    return d[0] * (d[1] + d[2] + d[3])


answer_4 = coupled


# %% tags=["check"]
def as_asked(world):
    """Whether a world has the shares that are asked for."""
    values = worlds.simulate(world, 10, 2000, np.random.default_rng(3))
    hit = sobol.shares(sobol.centred(values), np.random.default_rng(3), 2)
    least = max(hit[f"T {s}"].estimate for s in SOURCES if s != "split")
    return hit["T split"].estimate > 0.9 and abs(hit["S split"].estimate) < 0.1 and least < 0.5


exercises.check_that(
    4,
    answer_4,
    as_asked,
    hint="begin with the world of twos, worlds.pairwise, and let split be a factor of every term",
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). A laboratory fixes all seeds and reports the forgetting of one run to three digits. Which row of the
# picture tells how much of that would survive a new version of the numerical library? Is the answer the same for every network here?
#
# ```{admonition} Solution
# :class: dropdown
# *Other rounding*: a new library may take sums in another order. Fixed seeds make a run repeatable, not typical. A good answer reads the
# row for each network and says that it may differ by network and learning rate: where one flipped bit changes nothing, the digits would
# survive; where it has a good part of the distance of two strangers, they are one draw from a lottery.
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun factorial_seeds -p score=mean_retention
# lethe rerun factorial_seeds -p last_epoch=7 -p models=test_vit
# lethe rerun factorial_seeds -p live=true
# ```
#
# The study itself takes about an hour on a quiet core. `--collect` replaces the tables that this page reads.
#
# ```bash
# lethe experiment factorial --jobs 2 --collect
# ```

# %% tags=["hide-input"]
book.finish(page)
