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
# # Does reviewing what is about to be forgotten help?
#
# **Claim under test.** A sampler that shows each image again when its decay constant says that it is about to be
# forgotten does *not* outperform random order.
#
# **You will learn** (1) how a flash-card scheduler becomes a sampler, (2) how to say "it does not help" and mean it,
# (3) which control tells *knowing what is forgotten* from *showing images unequally often*, (4) whether a sampler
# changes which images are forgotten, or only how many.
#
# **Time**: 12 minutes to read, under a minute to rerun (no torch; training a few runs yourself is optional). **You
# need**: forgetting events and decay constants ([definitions](../book/definitions.md)).

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
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

from lethe.analysis import agreement, arms
from lethe.capture import samplers
from lethe.pages import book, charts, exercises, side_by_side
from lethe.pages.render import shown

# %% [markdown]
# ## Parameters
#
# The four margins say which difference would matter. They were fixed before the experiment was run.

# %% tags=["parameters"]
datasets: list[str] = ["glyphs", "cifar7"]  # data sets, one of: glyphs | cifar7
models: list[str] = ["test_resnet", "test_vit"]  # networks, one of: test_resnet | test_vit
margin_accuracy: float = 1.0  # percentage points of test accuracy
margin_worst: float = 5.0  # percentage points of the worst class's test accuracy
margin_events: float = 10.0  # forgetting events, in per cent of random order's
margin_retention: float = 1.0  # percentage points of final retention
discoveries: float = 0.05  # false discovery rate over all tests of the page
bootstrap: int = 100  # resamples behind the intervals of rank agreement
random_seed: int = 1  # for these resamples
live: bool = False  # also train twelve short runs here; needs torch, a few minutes

# %% tags=["remove-cell"]
names = ("datasets", "models", "margin_accuracy", "margin_worst", "margin_events")
names += ("margin_retention", "discoveries", "bootstrap", "random_seed", "live")
page = book.start("sampler_spaced_repetition", {name: globals()[name] for name in names})

# %% [markdown]
# ## What the paper reports
#
# The paper {cite:p}`daga2026forgetting` built a spaced-repetition sampler on the decay constants that it had fitted,
# and compared it with random sampling. It reports in words that the sampler **does not outperform random**. The rule of
# the sampler, the accuracies and their spread are not known to us, so there is no figure of the paper's on this page.
# As future work it is said to name sampling that adapts to *classes*, whose forgetting repeats over seeds ([finding
# 4](finding_4_classes.ipynb)). Both are tested here, with a rule of our own.
#
# ## Six ways to choose what is shown
#
# In every epoch each sampler shows as many images as there are, so all take the same number of steps. They differ in
# *which* images, and how often.
#
# | sampler | what an epoch shows | what it knows |
# |---|---|---|
# | `random` | every image once | nothing |
# | `spaced` | images that are due, up to 3 times; the rest of the epoch is filled by lot | decay constants estimated in this run, so far |
# | `oracle` | by the same rule | decay constants from *other* runs: longer ones, on at least as many images, with other seeds |
# | `shuffled` | by the same rule | the oracle's constants, dealt out to the wrong images |
# | `hardest` | the half with the higher loss twice, the other half not at all | the last loss |
# | `classes` | every image about as often as its class loses retention, relative to the average class; at most 3 times more or less | the retention of its class, in this run, so far |
#
# `oracle` is meant as the **ceiling** of the rule: what it reaches if the constants need not be estimated on the way.
# `shuffled` is the **control**: it shows images as unequally as the oracle, but the wrong ones. Only *oracle minus
# shuffled* says whether it matters which image has which constant.
#
# ```{admonition} Definition, ours: the memory model behind *spaced*
# An image with decay constant $c$ and strength $g$, last shown $s$ epochs ago, is still right with probability
# $e^{-c\,s/g}$. It is **due** if that is below 0.9, or if it was wrong at the end of the last epoch. At first $g = 1$.
# Strength doubles (to at most 64) when the image is shown and is right at the end of the epoch. It halves (to at least
# 1/4) when the image is forgotten. In `spaced`, $c$ is the number of forgetting events so far over the epochs in which
# the image could be forgotten, drawn towards the average of all images by the weight of one epoch. If more is due than
# an epoch holds, the most endangered go first.
# ```
#
# What the rule does to one image that is always right: each time it is due, it is shown, its strength doubles, and the
# pause until the next review grows.


# %% tags=["hide-input"]
def reviewed(constant, epochs=15):
    """Retention predicted before each epoch, and when it is shown: an image that is always right."""
    right, visits = np.ones((epochs + 1, 1), bool), np.zeros((epochs + 1, 1), int)
    kept, visits[0] = np.ones(epochs + 1), 1
    for e in range(1, epochs + 1):
        seen = (right[:e], right[:e] * 0.0, visits[:e], np.array([constant]))
        kept[e] = samplers.predicted_retention(samplers.History(np.zeros(1, int), *seen))[0]
        visits[e] = kept[e] < samplers.THRESHOLD
    return kept, np.flatnonzero(visits)


# %% tags=["hide-input"]
examples = {c: reviewed(c) for c in (0.02, 0.1, 0.4)}
curves = pd.concat(
    pd.DataFrame({"epoch": range(len(kept)), "retention": kept, "constant": f"constant {c:g}"})
    for c, (kept, _) in examples.items()
)
told = "; ".join(
    f"with constant {c:g} at epoch {', '.join(map(str, when[1:])) or 'none'}"
    for c, (_, when) in examples.items()
)
charts.show(
    charts.lines(
        curves,
        "epoch",
        "retention",
        "constant",
        title="Predicted retention of an image that is always right; below 0.9 it is shown",
        description=f"Saw teeth: predicted retention falls, the image is shown, it falls more slowly. Shown {told}.",
        y_title="chance that it is still right",
    )
)
book.text(
    page,
    f"It is shown again {told}. The pauses grow, and slowly forgotten images are hardly due. What is left of an epoch "
    "when all that is due was shown goes to other images by lot, so these are shown too.",
)

# %% [markdown]
# ## The experiment
#
# Small networks, 15 epochs after the warm-up of the head. Within a data set, all samplers and all seeds train on the
# same images. Samplers of equal seed share the first weights of the head and the draws of the augmentation, so they are
# compared
# **in pairs, seed by seed**. Every interval below is Student's over the differences of the seeds: the seed is the unit.

# %%
METRICS = {
    "accuracy": ("test_accuracy", "test accuracy, points", margin_accuracy),
    "worst": ("worst_class_accuracy", "worst class's test accuracy, points", margin_worst),
    "events": ("forgetting_events", "forgetting events, % of random's", margin_events),
    "retention": ("final_retention", "final retention, points", margin_retention),
}
ARMS = ("spaced", "oracle", "shuffled", "hardest", "classes")
study = book.use_study(page, arms.read_study("sampling"))


def in_per_cent(rows):
    """The four metrics in percentage points; forgetting events in per cent of random's mean."""
    base = rows.loc[rows["arm"] == "random", "forgetting_events"].mean()
    scaled = {key: 100 * rows[column] for key, (column, *_) in METRICS.items()}
    return rows.assign(**scaled | {"events": 100 * rows["forgetting_events"] / base})


cells = {
    f"{dataset}_{model}": in_per_cent(arms.only(study, dataset=dataset, model=model))
    for dataset, model in itertools.product(datasets, models)
}
heads = {
    cell: f"{rows['dataset'].iloc[0]}, {rows['model'].iloc[0]}" for cell, rows in cells.items()
}

# %% tags=["hide-input"]
LEVELS = {
    "test_accuracy": ("test accuracy", "{:.1%}"),
    "worst_class_accuracy": ("worst class", "{:.1%}"),
    "forgetting_events": ("events an image", "{:.2f}"),
    "final_retention": ("final retention", "{:.1%}"),
    "never_learned": ("never learned", "{:.2%}"),
}


def level(cell, arm):
    """Means of an arm in a cell, with their standard deviation over seeds."""
    rows = cells[cell][cells[cell]["arm"] == arm]
    told = {"seeds": str(len(rows))}
    for column, (words, fmt) in LEVELS.items():
        told[words] = f"{fmt} \u00b1 {fmt}".format(rows[column].mean(), rows[column].std())
    return told


levels = {f"{heads[c]}: {arm}": level(c, arm) for c in cells for arm in ("random", *ARMS)}
table = pd.DataFrame(levels).T
display(table[table.index.str.endswith(": random")])
display(side_by_side.folded(table, "All samplers: means \u00b1 standard deviation over seeds"))

# %% tags=["hide-input"]
made = study.attrs
ran_on = {
    key: sorted({str(e.get(key)) for e in made["environments"]}) for key in ("device", "torch")
}
book.record(page, "runs", made["tasks"], fmt=",.0f")
book.record(page, "core_hours", made["core_hours"], fmt=".1f")
book.text(
    page,
    "Means \u00b1 standard deviation over seeds. The table has {runs} runs, which took {core_hours} hours of one core "
    f"({', '.join(ran_on['device'])}, torch {', '.join(ran_on['torch'])}). *Final retention* is the share of the "
    "learned training images that are right after the last epoch; *events an image* leaves out images never learned.",
)

# %% [markdown]
# ## How the verdicts are made
#
# The margins were fixed before the experiment was run; the rules were written down when part of its runs had been seen,
# and the one about final retention was added then. The rules:
#
# - **Outperforms** means: the whole 95 % interval of the difference to random lies above 0 (for forgetting events:
#   below 0), by however little.
# - **Does not outperform** needs that this is not so *and* that the interval ends short of the margin: a gain that
#   would matter is excluded. If it reaches the margin, we cannot tell. Not to see a gain is not enough.
# - The other claims of a gain (known constants, classes) are judged by the same rule, turned round.
# - Test accuracy decides about the paper's claim. The margins: 1 point of test accuracy, 5 of the worst class, 10 % of
#   the forgetting events, 1 point of final retention (parameters `margin_...`).
# - A verdict on a data set needs both networks: upheld if it is upheld for each, not upheld if it is refuted for one.
# - Fewer than 6 seeds: no verdict.
#
# Verdicts use the plain intervals. With so many of them, one in twenty leaves out 0 by chance; the adjusted p-values
# stand in the tables.
#
# ## The picture
#
# Each sampler minus random. Grey is the **null**: where the difference would lie if two sets of runs differed in
# nothing but their seeds.

# %%
found = {}
for cell, metric in itertools.product(cells, METRICS):
    rows = cells[cell]
    null = arms.seed_band(arms.by_seed(rows, metric, "random"))
    oracle = arms.paired(rows, metric, "oracle", "random").estimate
    for arm in ARMS:
        found[cell, metric, arm] = arms.paired(rows, metric, arm, "random")
        known = {"null": null, "ceiling": oracle if arm == "spaced" else None, "fmt": "+.1f"}
        book.keep(page, f"{arm}_{metric}_{cell}", found[cell, metric, arm], **known)
    right = arms.paired(rows, metric, "oracle", "shuffled")
    book.keep(page, f"which_{metric}_{cell}", right, null=null, fmt="+.1f")


# %% tags=["hide-input"]
def picture(metric, title, chosen=ARMS):
    """All samplers minus random in one metric, in every cell."""
    x_title = METRICS[metric][1]
    pairs = itertools.product(chosen, cells)
    rows = [book.row(page, f"{a}_{metric}_{c}", f"{a}, {heads[c]}") for a, c in pairs]
    rows = [row | {"ceiling": None} for row in rows]  # the oracle has rows of its own
    told = "; ".join(f"{row['label']} {shown(row['estimate'], '+.1f')}" for row in rows)
    description = f"Sampler minus random, {x_title}, with 95 % intervals: {told}."
    charts.show(charts.interval_chart(rows, title=title, description=description, x_title=x_title))


picture("accuracy", "Test accuracy: each sampler minus random, percentage points")
picture("events", "Forgetting events: each sampler minus random, in per cent of random's")

# %% [markdown]
# The worst class and the final retention, for the two samplers that learn from their own run; the others are in the
# tables below. The two measures of forgetting need not agree: events count every loss on the way, even if it is made
# good, and retention looks at the end only.

# %% tags=["hide-input"]
OWN = ("spaced", "classes")
picture("worst", "Test accuracy of the worst class: sampler minus random, percentage points", OWN)
picture("retention", "Final retention: sampler minus random, percentage points", OWN)

# %% [markdown]
# ## The number
#
# One number for the paper's claim: the difference in test accuracy between `spaced` and `random`, averaged over all
# cells seed by seed.


# %%
def pooled(metric, arm, base="random"):
    """A difference averaged over all cells, seed by seed."""
    each = pd.concat([arms.gaps(rows, metric, arm, base) for rows in cells.values()], axis=1)
    return arms.mean_interval(each.dropna().mean(axis=1).to_numpy())


by_cell = [arms.by_seed(rows, "accuracy", "random") for rows in cells.values()]
null = arms.seed_band(pd.concat(by_cell, axis=1).dropna().mean(axis=1))
ceiling = pooled("accuracy", "oracle")
book.keep(page, "oracle_told", ceiling, null=null, fmt="+.2f")
known = {"null": null, "ceiling": ceiling.estimate, "fmt": "+.2f"}
book.record(page, "to_gain", 100 - pd.concat(by_cell).mean(), fmt=".0f")
book.keep(page, "headline", pooled("accuracy", "spaced"), **known)
seeds_alone = book.words(null, "+.2f")

# %% tags=["hide-input"]
book.text(
    page,
    f"Spaced repetition minus random: **{{headline}}** points of test accuracy, over {len(cells)} cells. Seeds alone "
    f"give {seeds_alone}. The same rule with constants known beforehand: {{oracle_told}}. All that there is to gain, from "
    "random's mean to 100 %: {to_gain} points.",
)

# %% [markdown]
# Now each sampler in each cell. *p* asks whether there is a difference; *p, equivalence* (two one-sided tests) whether
# it is smaller than the margin. Both are adjusted over all samplers, cells and measures of this page.

# %% tags=["hide-input"]
p_gap = [agreement.p_value(interval) for interval in found.values()]
p_same = [agreement.equivalence_p(x, METRICS[m][2]) for (_, m, _), x in found.items()]
apart, p_gap = agreement.benjamini_hochberg(p_gap, discoveries)
same, p_same = agreement.benjamini_hochberg(p_same, discoveries)
tests = pd.DataFrame(list(found), columns=["cell", "metric", "arm"])
tests = tests.assign(apart=apart, p=p_gap, same=same, p_same=p_same)
tests["low"] = [interval.low for interval in found.values()]
tests["high"] = [interval.high for interval in found.values()]
tests = tests.sort_values("arm", key=lambda arm: arm.map(ARMS.index), kind="stable")


def numbers(metric):
    """The table of one metric: difference, null, and both adjusted p."""
    rows = tests[tests["metric"] == metric]
    keys = rows["arm"] + f"_{metric}_" + rows["cell"]
    columns = {"minus random": [str(page.results[key]) for key in keys]}
    columns["seeds alone"] = [book.words(page.results[key].null, "+.1f") for key in keys]
    columns["p"] = [f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in rows["p"]]
    columns["p, equivalence"] = [f"{p:.3f}" if p >= 0.001 else "< 0.001" for p in rows["p_same"]]
    return pd.DataFrame(columns, index=rows["arm"] + ", " + rows["cell"].map(heads))


display(numbers("accuracy"))
for metric in list(METRICS)[1:]:
    display(side_by_side.folded(numbers(metric), METRICS[metric][1].capitalize()))

# %% tags=["hide-input"]
GOOD = {"accuracy": 1, "worst": 1, "events": -1, "retention": 1}  # which way is better
counts = []
for metric, (_, title, margin) in METRICS.items():
    rows = tests[tests["metric"] == metric]
    up, down = np.sum(rows["low"] > 0), np.sum(rows["high"] < 0)
    better, worse = (up, down) if GOOD[metric] > 0 else (down, up)
    both = [better, worse, len(rows) - up - down, rows["apart"].sum(), rows["same"].sum()]
    counts.append([title, f"{margin:g}", *map(str, both)])
columns = ["measure", "margin", "better than random", "worse", "interval holds 0"]
columns += ["differ, after adjusting", "equivalent, after adjusting"]
pd.DataFrame(counts, columns=columns).set_index("measure").rename_axis(None)

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("headline", "oracle_told", "runs"):
    print(f"{key:12} {page.results[key].value:.2f}")

# %% [markdown]
# ## Verdict
#
# Does spaced repetition outperform random order? Test accuracy decides. Forgetting events and final retention say
# whether the sampler does what it was built for.


# %% tags=["hide-input"]
def ahead(arm, metric):
    """Rule: a gain in a metric over random order, by cell."""
    return lambda cell: book.exceeds(page, f"{arm}_{metric}_{cell}", 0, METRICS[metric][2])


def not_ahead(arm, metric):
    """Rule: no gain in a metric over random order, by cell."""
    return lambda cell: book.negated(ahead(arm, metric)(cell))


def not_fewer(cell):
    """Rule: no saving in forgetting events by spaced repetition."""
    return book.negated(book.undercuts(page, f"spaced_events_{cell}", 0, margin_events))


SPACED = "spaced repetition does not outperform random order in test accuracy."
LOSES = "spaced repetition does not reduce forgetting events."
KEEPS = "spaced repetition does not raise final retention."
TOLD = "the rule outperforms random order if it knows the decay constants beforehand."
WHICH = "the right constants give a higher test accuracy than the same constants on wrong images."
WORST = "class-adaptive sampling raises the test accuracy of the worst class."
CLASSES = "class-adaptive sampling raises test accuracy."
RULES = {SPACED: not_ahead("spaced", "accuracy"), LOSES: not_fewer}
RULES |= {KEEPS: not_ahead("spaced", "retention")}
RULES |= {TOLD: ahead("oracle", "accuracy"), WHICH: ahead("which", "accuracy")}
RULES |= {WORST: ahead("classes", "worst"), CLASSES: ahead("classes", "accuracy")}
words = {}


def judge(claim):
    """A verdict on a claim for every data set: it must hold for each of the networks."""
    for dataset in datasets:
        checks = []
        for model in models:
            check = RULES[claim](f"{dataset}_{model}")
            checks.append(book.Check(check.word, f"{model}: {check.reason}"))
            words[claim, f"{dataset}_{model}"] = check.word
        book.verdict(page, f"on {dataset}, {claim}", *checks)


overall = book.negated(book.exceeds(page, "headline", 0, margin_accuracy))
book.verdict(page, f"averaged over all cells, {SPACED}", overall)
for claim in (SPACED, LOSES, KEEPS):
    judge(claim)


# %% tags=["hide-input"]
def counted(claim):
    """In how many cells a claim got which verdict, in words."""
    got = [words[claim, cell] for cell in cells]
    kinds = (book.UPHELD, book.NOT_UPHELD, book.CANNOT_TELL)
    return ", ".join(f"{kind} in {got.count(kind)}" for kind in kinds)


book.text(
    page,
    f"Cell by cell ({len(cells)} of them): no gain in test accuracy, {counted(SPACED)}; no saving in forgetting events, "
    f"{counted(LOSES)}; no gain in final retention, {counted(KEEPS)}.",
)

# %% [markdown]
# ## Would an oracle have helped?
#
# A failure of `spaced` could have two causes: the constants that a run estimates of itself are too poor, or the rule is
# of no use even with good ones. `oracle` takes the first excuse away. And if `oracle` differs from random, is it
# because it knows *which* images are forgotten? `shuffled` does not know, and shows images as unequally.
#
# How to read a row: what `shuffled` changes comes from showing images unequally, without knowing which of them need it;
# the last column is what comes from knowing which.

# %% tags=["hide-input"]
chosen = {"spaced": "spaced \u2212 random", "oracle": "oracle \u2212 random"}
chosen |= {"shuffled": "shuffled \u2212 random", "which": "**oracle \u2212 shuffled**"}
lines = ["| measure | | " + " | ".join(chosen.values()) + " |", "|---|---|" + "---|" * len(chosen)]
for metric, cell in itertools.product(("accuracy", "events", "retention"), cells):
    got = " | ".join(str(page.results[f"{key}_{metric}_{cell}"]) for key in chosen)
    lines.append(f"| {METRICS[metric][1]} | {heads[cell]} | {got} |")
book.text(page, "\n".join(lines))
judge(TOLD)
judge(WHICH)

# %% [markdown]
# ## Do classes serve better?
#
# The paper reports that it repeats over seeds which *classes* are forgotten, but not which images
# ([finding 3](finding_3_seed_stability.ipynb) and [finding 4](finding_4_classes.ipynb) test it). Then a sampler that
# looks at classes has the steadier signal. `classes` shows the images of often forgotten classes more,
# at the cost of the others.

# %% tags=["hide-input"]
judge(WORST)
judge(CLASSES)

# %% [markdown]
# ## Who is forgotten
#
# A sampler may leave the number of forgetting events as it is and still change *whom* they strike. For every image:
# its events under `random` and under `spaced`. The yardstick (**ceiling**) is how well two runs under *one* sampler
# agree if their seeds differ, by rank correlation. If a random and a spaced run agree as well as that, the sampler
# forgets whom another seed would forget.


# %%
def events_of(cell, arm, seeds):
    """Forgetting events by image of an arm's runs: [seed, image]; NaN where never learned."""
    rows = cells[cell][cells[cell]["arm"] == arm].set_index("seed").loc[seeds]
    events = arms.read_arrays("sampling", "events", list(rows["task"])).astype(float)
    return np.where(events < 0, np.nan, events)


def seeds_of(cell, arm):
    """The seeds that an arm and random have in common in a cell."""
    return list(arms.gaps(cells[cell], "events", arm, "random").dropna().index)


def same_seed(ranks, n):
    """How much better a pair of equal seed agrees than pairs of different seeds, by seed."""
    cross = ranks[:n, n:]
    other = (cross.sum(0) + cross.sum(1) - 2 * cross.diagonal()) / (2 * n - 2)
    return arms.mean_interval(cross.diagonal() - other)


# %% tags=["hide-input"]
counts_of = {}
for cell in cells:
    seeds = seeds_of(cell, "spaced")
    stack = np.vstack([events_of(cell, arm, seeds) for arm in ("random", "spaced")])
    counts_of[cell], n = stack, len(seeds)
    rng = np.random.default_rng(random_seed)
    size = ((n, n), stack.shape[1], rng, bootstrap)
    parts = agreement.within_between_gap(agreement.spearman_on(stack), *size)
    top = parts["ceiling"].estimate
    book.keep(page, f"random_random_{cell}", parts["within_a"], null=0, ceiling=1)
    book.keep(page, f"spaced_spaced_{cell}", parts["within_b"], null=0, ceiling=1)
    book.keep(page, f"random_spaced_{cell}", parts["between"], null=0, ceiling=top)
    book.keep(page, f"whom_{cell}", parts["gap"], null=0, ceiling=top, fmt=".3f")
    book.keep(page, f"survives_{cell}", parts["shared"], null=0, ceiling=1, fmt=".0%")
    paired = same_seed(agreement.spearman_matrix(stack), n)
    book.keep(page, f"same_seed_{cell}", paired, null=0)

# %% tags=["hide-input"]
PAIRS = {"random_random": "random with random", "random_spaced": "random with spaced"}
PAIRS |= {"spaced_spaced": "spaced with spaced"}
rows = [book.row(page, f"{k}_{c}", f"{heads[c]}: {w}") for c in cells for k, w in PAIRS.items()]
rows = [row | {"ceiling": None} for row in rows]
told = "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
charts.show(
    charts.interval_chart(
        rows,
        title="Do two runs with different seeds forget the same images?",
        description=f"Rank correlation of forgetting events, with 95 % intervals: {told}.",
        x_title="rank correlation of forgetting events",
    )
)
columns = {"whom": "within a sampler \u2212 between samplers", "survives": "repeatable part shared"}
columns |= {"same_seed": "equal seed \u2212 other seed"}
table = {words: [str(page.results[f"{k}_{c}"]) for c in cells] for k, words in columns.items()}
display(pd.DataFrame(table, index=list(heads.values())))

# %% [markdown]
# *Within minus between* is what changing the sampler does to the agreement, beyond changing the seed: 0 means that it
# forgets whom any other run forgets. *Repeatable part shared* is *between* over the geometric mean of the two *within*:
# how much of what repeats under one sampler is the same under the other. *Equal seed minus other seed* says whether the
# shared seed shows through the change of sampler; these pairs are among *between*, too.

# %% tags=["hide-input"]
WHOM = "the sampler changes which images are forgotten, beyond what another seed changes."
for dataset in datasets:
    checks = []
    for model in models:
        check = book.above(page, f"whom_{dataset}_{model}", 0)
        checks.append(book.Check(check.word, f"{model}: {check.reason}"))
        words[WHOM, f"{dataset}_{model}"] = check.word
    book.verdict(page, f"on {dataset}, {WHOM}", *checks)

# %% [markdown]
# ## Does it survive other choices?
#
# **Another measure of forgetting.** A sampler that shows hard images more often may teach some that `random` never
# learns. Such late learners can be forgotten, and raise the mean. So the events once more, over the images that
# *both* runs of a pair have learned.
#
# **Single seeds.** In how many seeds is `spaced` ahead in test accuracy, and what is the median of the differences?


# %% tags=["hide-input"]
def on_common(stack):
    """Events under spaced minus under random, images learned by both, in per cent of random's."""
    first, second = np.split(stack, 2)
    both = ~np.isnan(first) & ~np.isnan(second)
    base, other = (np.where(both, x, 0).sum(1) / both.sum(1) for x in (first, second))
    return arms.mean_interval(100 * (other - base) / base.mean())


sturdy = {}
for cell, rows in cells.items():
    book.keep(page, f"common_events_{cell}", on_common(counts_of[cell]), null=0, fmt="+.1f")
    each = arms.gaps(rows, "accuracy", "spaced", "random").dropna()
    middle = np.median(each) if len(each) else np.nan
    sturdy[heads[cell]] = {
        "events, % of random's": str(page.results[f"spaced_events_{cell}"]),
        "events, images both learned": str(page.results[f"common_events_{cell}"]),
        "test accuracy, mean": str(page.results[f"spaced_accuracy_{cell}"]),
        "median of the seeds": shown(middle, "+.1f"),
        "seeds in which spaced is ahead": f"{np.sum(each > 0)} of {len(each)}",
    }
pd.DataFrame(sturdy).T

# %% [markdown]
# ## The claim, what it needs, what we see

# %% tags=["hide-input"]
TABLE = [
    ("The sampler does not outperform random.", "A gain of a point excluded.", "spaced_accuracy", SPACED),
    ("(Implied) It does not forget less.", "A saving of 10 % excluded.", "spaced_events", LOSES),
    ("(Implied) It does not retain more.", "A gain of a point excluded.", "spaced_retention", KEEPS),
    ("(Implied) The signal, not the rule, is at fault.", "A gain with known constants.", "oracle_accuracy", TOLD),
    ("The same.", "The right constants beat shuffled ones.", "which_accuracy", WHICH),
    ("(Future work) Classes serve better.", "A better worst class.", "classes_worst", WORST),
    ("The same.", "A higher test accuracy.", "classes_accuracy", CLASSES),
    ("(Ours) A sampler changes whom it strikes.", "Less agreement than two seeds.", "whom", WHOM),
]  # fmt: skip
lines = ["| claim | what it would need | what we see |", "|---|---|---|"]
for claim, need, key, rule in TABLE:
    got = [f"{heads[c]}: {page.results[f'{key}_{c}']} (**{words[rule, c]}**)" for c in cells]
    lines.append(f"| {claim} | {need} | {'<br>'.join(got)} |")
book.text(page, "\n".join(lines))

# %% [markdown]
# ## Limits
#
# - **Small and short.** Networks of 0.3 to 0.4 million weights, 32 pixels, 15 epochs; 1,240 glyphs (20 of every letter
#   and digit) or 2,064 photographs. Spaced repetition is meant for long courses: in 15 epochs, pauses hardly have time to
#   grow.
# - **One rule.** One memory model, one threshold, at most three visits. The paper's rule may be another. That this rule
#   does or does not help says nothing certain about others.
# - **Equal steps.** All samplers take the same number of steps under the same schedule of learning rates. A sampler
#   that reaches the same accuracy with *fewer* images would not show here.
# - **The oracle knows other runs.** Its constants are means over the other seeds of runs of 30 epochs, on all 6,200
#   glyphs or all photographs, under random order, from the least-squares curve. With another sampler a constant may be
#   another. Where they are on another scale than those that `spaced` estimates, more or fewer images are due.
# - **The worst class is noisy.** Its accuracy rests on 100 test glyphs, or on 1,000 photographs, and which class it is
#   changes from run to run. Hence the wide margin.
# - **Few seeds.** Every interval rests on the seeds of its cell, not on the images, and the cells are few.
# - **Retention is read from the training images**, once an epoch. What happens within an epoch is not seen.
#
# ## Run it yourself
#
# Set the parameter `live` to true: twelve short runs, two seeds of each sampler, on this computer. Two seeds give no
# verdict; look at the *order* of the numbers.

# %% tags=["hide-input"]
if live:
    from lethe.experiments import tasks

    sampling = tasks.find_study("sampling")
    few = sampling.tasks(True)
    with tempfile.TemporaryDirectory(prefix="lethe-samplers-") as folder:
        tasks.run_study(sampling, few, Path(folder), jobs=2, report=lambda line: None)
        trained = tasks.rows_of(few, tasks.read_done(sampling, few, Path(folder)))
    means = trained.groupby("arm", sort=False)[list(LEVELS)].mean()
    display(means.rename(columns={key: words for key, (words, _) in LEVELS.items()}).round(3))
else:
    book.text(page, "Not run here: `live` is false.")

# %% [markdown]
# From the command line, the whole study (about an hour on two cores; it resumes where it was stopped), and a capture
# of your own images with a sampler:
#
# ```bash
# lethe experiment sampling --quick --jobs 2
# lethe experiment sampling --jobs 2 --collect
# lethe capture pets --root ~/pets --sampler spaced --seeds 0-9 --pack
# ```

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). An image has $c = 0.1$ and strength $g = 4$. After how many whole epochs without a
# visit is it due?
#
# ```{admonition} Solution
# :class: dropdown
# $e^{-0.1\,s/4} < 0.9$ as soon as $s > -40 \ln 0.9 = 4.2$: after 5 epochs.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = int(np.ceil(-np.log(0.9) * 4 / 0.1))

# %% tags=["check"]
right = np.ones((40, 1), bool)  # one image, always right: two visits that held give it strength 4
visits = np.zeros((40, 1), int)
visits[:3] = 1
past = samplers.History(np.zeros(1, int), right, right * 0.0, visits, np.array([0.1]))
kept = [samplers.predicted_retention(past.first(3 + s))[0] for s in range(36)]
exercises.check(
    1,
    answer_1,
    1 + np.argmax(np.array(kept) < samplers.THRESHOLD),
    hint="solve exp(-c s / g) = 0.9 for s, then take the next whole epoch",
    traps={
        "that is the last epoch at which it is *not* due": np.argmax(np.array(kept) < 0.9),
        "you left out the strength: it stretches the time": 2,
        "strength works the other way: a strong image is forgotten more slowly": 1,
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). How many seeds would it take to make the interval of `spaced` minus `random` in test
# accuracy as narrow as ± 0.1 points, in the first cell (`next(iter(cells.values()))`)? Take $1.96\,\sigma/\sqrt{n}$ for
# half its width.
#
# ```{admonition} Solution
# :class: dropdown
# $n = (1.96\,\sigma / 0.1)^2$, rounded up, where $\sigma$ is the standard deviation of the differences between equal
# seeds: `arms.gaps(...)`.
# ```

# %% tags=["solution", "hide-cell"]
differences = arms.gaps(next(iter(cells.values())), "accuracy", "spaced", "random").dropna()
answer_2 = int(np.ceil((1.96 * differences.std() / 0.1) ** 2))

# %% tags=["check"]
first = found[next(iter(cells)), "accuracy", "spaced"]
unpaired = arms.by_seed(next(iter(cells.values())), "accuracy", "random").std()
spreads = np.array([first.se * np.sqrt(first.n_seeds), unpaired, first.se])
paired, by_run, by_error = np.ceil((1.96 * spreads / 0.1) ** 2)
exercises.check(
    2,
    answer_2,
    paired,
    hint="arms.gaps(rows, 'accuracy', 'spaced', 'random') are the differences, in points; take their standard deviation",
    traps={
        "that is from the spread of runs under random order, not of the differences": by_run,
        "that is from the standard error, which has the present seeds in it": by_error,
        "the width enters squared: half as wide takes four times as many seeds": (
            np.ceil(1.96 * spreads[0] / 0.1)
        ),
    },
)

# %% [markdown]
# **Exercise 3** (level 3, investigate). `reviewed(c)` follows an image with decay constant $c$ that is always right. It
# gives the predicted retention before each epoch, and the epochs at which the image is shown, the first being epoch 0.
# Find a constant with which the image is shown exactly three *more* times in 15 epochs. Then double it a few times. Why
# does the number of reviews grow so slowly?
#
# ```{admonition} Solution
# :class: dropdown
# A constant of 0.1 will do, for one. Every review that holds doubles the strength and with it the pause, so the reviews lie
# at distances that double too: a constant twice as large buys about one more review. The rule spends little on an
# image that is right; what costs are lapses.
# ```

# %% tags=["solution", "hide-cell"]
tried = np.geomspace(0.01, 1, 50)
answer_3 = next(c for c in tried if len(reviewed(c)[1]) == 4)

# %% tags=["check"]
exercises.check_that(
    3,
    answer_3,
    lambda c: len(reviewed(c)[1]) == 1 + 3,
    hint=(
        "try constants between 0.01 and 1 and count reviewed(c)[1], without epoch 0; too many reviews: the constant is too "
        "large"
    ),
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Suppose that `oracle` beats `random` by 2 points, and `shuffled` does too. Should
# you collect decay constants? Which sampler would you try next, and what should it be compared with?
#
# ```{admonition} Solution
# :class: dropdown
# No. Constants on the wrong images do as well, so it is the unequal visiting that helps, not the knowledge. Any
# unequal schedule might do: try one that repeats images drawn by lot, and compare it with `shuffled` and with
# `random`, seed by seed.
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun sampler_spaced_repetition -p margin_accuracy=0.5 -p margin_events=5
# lethe rerun sampler_spaced_repetition -p datasets=cifar7 -p models=test_vit
# lethe rerun sampler_spaced_repetition -p live=true
# ```

# %% tags=["hide-input"]
book.finish(page)
