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
# # Which old samples are worth rehearsing?
#
# **Claim under test.** A network that learns something new forgets some of what it knew. Rehearsing old samples helps;
# and it helps more to rehearse those *groups* of old samples in which most is being lost. Where that is can be told
# from the samples that are rehearsed anyway, at no extra cost.
#
# **You will learn** (1) by how much choosing can help at all, and how to check that before building anything, (2) how to
# estimate what is being lost without looking for it, (3) how to compare methods that trade one accuracy for another,
# (4) which arms an honest comparison needs.
#
# **Time**: 20 minutes to read, under a minute to rerun (`live=true` trains 20 small networks and takes some minutes
# more). **You need**: forgetting events; finding 3 for the last part.

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

from lethe.analysis import agreement, arms, collateral
from lethe.capture.rehearsal import FLOOR, Tracker, enrichment, quantile_bins, rates
from lethe.pages import book, charts, exercises, side_by_side

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
models: list[str] = ["test_resnet", "test_vit"]  # networks; one of: test_resnet | test_vit
ratio: float = 0.5  # rehearsed samples per new sample; one of: 0.125 | 0.5
method: str = "loss bins"  # partition of the method; one of: loss bins | class bins | both
leeway: float = 1.0  # points by which the goal lies below random rehearsal's accuracy
margin: float = 1.0  # percentage points of accuracy that count as no difference
needed: float = 1.3  # gain of exact rates under which nothing is expected of the method
tolerance: float = 0.15  # relative error up to which the formula counts as right
bootstrap: int = 60  # resamples behind the intervals of rank correlations
random_seed: int = 1  # for the worked example and the resamples
live: bool = False  # train the quick version of the study here; needs torch

# %% tags=["remove-cell"]
names = ("models", "ratio", "method", "leeway", "margin", "needed", "tolerance", "bootstrap")
names += ("random_seed", "live")
page = book.start("rehearsal", {name: globals()[name] for name in names})

# %% [markdown]
# ## What the paper says, and what we do not know
#
# The authors {cite:p}`bai2025mixcd` keep all data of the old task. Computation is short, not memory: every rehearsed sample costs a
# forward and a backward pass, and looking for good samples costs too. They call *collateral damage* the old samples
# that the network had right before fine-tuning and has wrong now. They estimate *how dense* it is, with no additional
# inference, and rehearse where it is dense. They report that this beats other methods under a budget of computation,
# judged by the Pareto front of new against old accuracy [A]. Their tasks are from language.
#
# **We know the abstracts, the first lines of the introduction and a summary by others, and no more.** So everything below
# is our reconstruction: the formulas, the number of groups, the mixing, the settings, the images. It is a method
# *in the manner of mix-cd*. No number here is to be held against the paper, in either direction.
#
# ## The method, in our formulas
#
# Let $a(z)$ be 1 if the network before fine-tuning had the old sample $z = (x, y)$ right, else 0. The *damage* of the network $f$ at
# $z$ is
#
# $$c(z) = a(z)\,[f(x) \neq y].$$
#
# Cut the $N$ old samples into $K$ bins of sizes $n_k$: tenths by their loss before fine-tuning (*loss
# bins*), the 62 characters (*class bins*), or character and third by loss (*both*). The *rate* of a bin is its share of damage,
# $\alpha_k$. To rehearse, draw a bin, then a sample of it at random:
#
# $$q_k = (1 - \varepsilon)\, \frac{\alpha_k n_k}{\sum_j \alpha_j n_j} + \varepsilon\, \frac{n_k}{N}, \qquad \varepsilon = 0.1 .$$
#
# The second part keeps every bin in sight. The rates are estimated from the samples drawn before: their logits are there
# anyway. Every five steps a rate becomes the share of damage among the samples seen of its bin, with five
# imagined samples at the average rate added; then the old counts are halved.
#
# **What can it gain?** Random rehearsal meets damage with chance $E[\alpha]$ (over samples). Exact rates meet it with $E[\alpha^2] / E[\alpha]$. The
# ratio is
#
# $$\text{gain} = \frac{E[\alpha^2]}{E[\alpha]^2} = 1 + \mathrm{CV}^2(\alpha),$$
#
# and with the floor $(1 - \varepsilon)\,\text{gain} + \varepsilon$. If all bins are alike the gain is 1 and the method *is* random rehearsal. Knowing
# every single sample would give $1 / E[\alpha]$. Two numbers belong beside a gain:
#
# - **Bins of lots.** Small bins differ by chance. If samples are dealt to bins at random, the gain is still
#   $1 + \frac{K - 1}{N - 1} \cdot \frac{1 - d}{d}$ on average, for a share $d = E[\alpha]$ of damage.
# - **Skipping what was never known.** Samples that were wrong before fine-tuning cannot be damaged. If all others were
#   alike, leaving those out would gain $1 / P(a = 1)$. That takes no rates.
#
# **A small example.** 1,000 old samples. Those with a low loss are safe, those with the highest were wrong anyway, and damage sits
# between.

# %%
rng = np.random.default_rng(random_seed)
loss = np.sort(rng.exponential(size=1000))
chance = np.r_[np.linspace(0, 0.5, 700), np.linspace(0.5, 0.1, 200), np.zeros(100)]
damaged = rng.random(1000) < chance
bins = quantile_bins(loss, 10)
true = rates(bins, damaged)

tracker, found = Tracker(bins), []
for step in range(100):  # 32 samples a step; the damage stays as it is
    drawn = tracker.draw(random_seed, step, 32)
    tracker.observe(drawn, damaged[drawn])
    found.append(damaged[drawn].mean())
    if (step + 1) % 5 == 0:
        tracker.update()

# %% tags=["hide-input"]
book.record(page, "example_damage", damaged.mean(), fmt=".1%")
book.record(page, "example_gain", enrichment(bins, damaged), ceiling=1 / damaged.mean())
book.record(page, "example_floor", enrichment(bins, damaged, FLOOR))
book.record(page, "example_drawn", np.mean(found[20:]) / damaged.mean())
book.record(page, "example_error", np.abs(tracker.alpha - true).mean(), fmt=".3f")
both_rates = {"true rate": true, "rate tracked from 100 steps": tracker.alpha}
rows = [
    {"bin": k + 1, "rate": value, "what": what}
    for what, values in both_rates.items()
    for k, value in enumerate(values)
]
charts.show(
    charts.lines(
        pd.DataFrame(rows),
        "bin",
        "rate",
        "what",
        title="Worked example: share of damage by tenth of the old loss",
        description="Rate of damage in ten bins. "
        + "; ".join(f"{w}: {', '.join(f'{v:.2f}' for v in x)}" for w, x in both_rates.items()),
        x_title="bin, by the loss before fine-tuning",
        y_title="share of damage",
    )
)
book.text(
    page,
    "Of all samples {example_damage} are damaged. Exact rates would gain {example_gain}, with the floor {example_floor}. "
    "After the first 20 steps the tracker drew {example_drawn} times as much damage as random draws. Its rates "
    "are off by {example_error} on average. Knowing every sample would gain "
    + book.words(page.results["example_gain"].ceiling)
    + ".",
)

# %% [markdown]
# ## The experiment
#
# **Before.** A network that was pretrained on letters of other scripts learns Latin letters and digits, upright, in 50
# typefaces: 62 characters, 3,100 samples. It is stopped after four epochs, before it has learned them by heart.
#
# **New task.** 1,240 letters of 20 other typefaces, *turned by 90 degrees*: same labels, same last layer. Six epochs. *Target* is
# the accuracy on turned letters of 16 typefaces that nobody has trained on; *retained* is the accuracy on the same
# letters upright.
#
# **Rehearsal.** To every batch of new samples come `ratio` times as many old ones, in one pass; their mean loss is weighted with
# `ratio`. Every arm but `none` has the same budget a step; looking at a sample is charged a third of training on it.
#
# | arm | what is rehearsed | why it is here |
# |---|---|---|
# | `none` | nothing | how much is there to lose? |
# | `random` | any old sample | the baseline |
# | `known` | any that was right before | is it only about skipping what was never known? |
# | `static` | loss bins, rates from one look after the first epoch | does tracking matter? |
# | `loss bins`, `class bins`, `both` | by tracked rates | the method |
# | `shuffled` | the same, loss bins dealt to other samples | null: should do what `random` does |
# | `oracle` | only samples that *are* damaged; the whole pool is looked at every five steps, free of charge | ceiling |
# | `charged` | half as many, the damaged ones first among three times as many candidates; the other half pays for looking | the price of looking |
#
# Six seeds. A seed decides order, augmentation and draws; arms of one seed are compared with each other. The network
# before is the same for all.

# %% tags=["hide-input"]
study = book.use_study(page, arms.read_study("rehearsal"))
shipped = study
study = pd.concat([arms.only(study, model=model) for model in models])
for model in models:
    arms.only(study, model=model, ratio=ratio)  # refused if there are no such runs
last = int(study["epoch"].max())
per_cent = study.assign(target=100 * study["target"], retained=100 * study["retained"])
part = {model: collateral.alone(per_cent, model, ratio) for model in models}
pool = {
    model: arms.read_arrays("rehearsal", "prior_events", rows["task"].iloc[:1]).shape[1]
    for model, rows in part.items()
}
book.record(page, "runs", study["task"].nunique(), fmt=".0f")
book.record(page, "hours", shipped.attrs["core_hours"], fmt=".1f")
order = list(dict.fromkeys(study["arm"]))
means = [rows.pivot_table(["target", "retained"], ["arm", "epoch"]) for rows in part.values()]
summary = pd.concat([mean.xs(last, level="epoch") for mean in means], axis=1, keys=models)
book.text(
    page, "The study: {runs} runs of these networks. All its runs took {hours} hours of one core."
)
summary.reindex(order).round(1).rename_axis(f"epoch {last}, mean over seeds, %")

# %% [markdown]
# ## First: is there anything to gain?
#
# Before a method, its precondition: does the share of damage differ between bins at all? The gain of exact rates is computed from
# clean passes over the whole pool, after every epoch. The rule was fixed beforehand: **below 1.3, expect nothing**.

# %% tags=["hide-input"]
WAYS = {"none": "no rehearsal", "random": "random rehearsal", method: f"the method ({method})"}
column = collateral.gain_column(method)


def ignorant(rows, model, partition):
    """Gain of bins of lots, at the damage of every row."""
    size = collateral.PARTITIONS[partition]
    return [collateral.ignorant_gain(pool[model], size, d) for d in rows["damage"]]


for model, rows in part.items():
    shown = rows[rows["epoch"] > 0].assign(gain=lambda t: t[column])
    lots = shown[shown["arm"] == "random"].assign(arm="lots")
    lots["gain"] = ignorant(lots, model, method)
    ways = WAYS | {"lots": "bins of lots, random rehearsal"}
    table = (
        pd.concat([shown[shown["arm"].isin(WAYS)], lots]).groupby(["arm", "epoch"])["gain"].mean()
    )
    table = table.reset_index().assign(way=lambda t, ways=ways: t["arm"].map(ways))
    table = pd.concat([table[table["arm"] == arm] for arm in ways])
    told = "; ".join(f"{w} {table[table.way == w]['gain'].iloc[-1]:.2f}" for w in ways.values())
    charts.show(
        charts.lines(
            table,
            "epoch",
            "gain",
            "way",
            title=f"{model}: what exact rates of {method} would gain over random draws",
            description=f"1 + CV\u00b2 by epoch, mean over seeds. At the end: {told}.",
            y_title="gain, 1 + CV\u00b2",
        )
    )

# %% tags=["hide-input"]
rows = []
for model, runs in part.items():
    for arm in WAYS:
        here = collateral.at(runs, last)
        damage = book.keep(
            page,
            f"damage_{arm}_{model}",
            arms.mean_interval(arms.by_seed(here, "damage", arm)),
            fmt=".1%",
        )
        row = {"network": model, "arm": arm, "damage in the pool": damage}
        for partition in collateral.PARTITIONS:
            gains = arms.by_seed(here, collateral.gain_column(partition), arm)
            lots = np.mean(ignorant(here[here["arm"] == arm], model, partition))
            key = f"gain_{partition}_{arm}_{model}"
            said = book.keep(
                page,
                key,
                arms.mean_interval(gains),
                null=lots,
                ceiling=1 / page.results[f"damage_{arm}_{model}"].value,
            )
            row[partition] = f"{said}; lots {lots:.2f}"
        rows.append(row | {"every sample known": book.words(page.results[key].ceiling)})
    known = collateral.at(runs, last)["known"].mean()
    book.record(page, f"known_{model}", known, fmt=".1%")
    book.record(page, f"skip_{model}", 1 / known)
display(pd.DataFrame(rows).set_index(["network", "arm"]))
book.text(
    page, f"Gain of exact rates after epoch {last}; *lots*: of bins of lots at the same damage."
)
for model in models:
    book.text(
        page,
        f"**{model}**: without rehearsal {{damage_none_{model}}} of the pool are damaged at the end and exact rates of {method} "
        f"would gain {{gain_{method}_none_{model}}}. With random rehearsal {{damage_random_{model}}} are damaged, and the gain "
        f"would be {{gain_{method}_random_{model}}}. The network before had {{known_{model}}} of the pool right: leaving out the "
        f"others gains {{skip_{model}}} at most, if damage is spread evenly over the rest.",
    )

# %% [markdown]
# **Rehearsal itself changes the answer.** Where nearly all is lost, no bin is worse than another.
# Rehearsal brings samples back, and what is still lost may then sit closer together. So the precondition, as it was
# fixed, is judged without rehearsal; the gain that a method can reach is the one *while it rehearses*. Both are judged below.
#
# ## Second: does the mechanism work?
#
# Three questions. **How wrong is the free estimate?** It comes from augmented pictures, seen in training mode together with the
# new ones. At the start nothing is damaged; what training mode shows as damage there is pure error. **Does the
# method meet as much damage as the formula says?** Compare the share of damage in what it rehearsed with the share in its
# pool, halfway through every epoch from the second on. The same for random rehearsal would be 1 if the free estimate
# were right; the method's number is divided by that. **How far off are the tracked rates** at the end, beside the
# spread of the true ones? Knowing the average rate only, one would be off by about 0.8 of that spread.

# %% tags=["hide-input"]
rows = []
for model, runs in part.items():
    start = arms.by_seed(collateral.at(runs, 0), "damage_rehearsed", "random")
    book.keep(page, f"start_{model}", arms.mean_interval(start), null=0, fmt=".1%")
    for arm in (*collateral.PARTITIONS, "shuffled"):
        found = collateral.enrichment(runs, arm, FLOOR)
        book.keep(page, f"corrected_{arm}_{model}", arms.mean_interval(found["corrected"]), null=1)
        if arm in collateral.PARTITIONS:
            off = collateral.tracking(runs, arm, last)["relative"]
            lots = {"null": 1 / found["formula"].mean(), "ceiling": 1}
            book.keep(page, f"formula_{arm}_{model}", arms.mean_interval(found["formula"]))
            book.keep(page, f"match_{arm}_{model}", arms.mean_interval(found["match"]), **lots)
            book.keep(page, f"off_{arm}_{model}", arms.mean_interval(off), null=0.8)
        keys = [f"{name}_{arm}_{model}" for name in ("corrected", "formula", "match", "off")]
        told = [str(page.results[key]) if key in page.results else "" for key in keys]
        rows.append([model, arm, *told])
    book.keep(page, f"ruler_{model}", arms.mean_interval(found["ruler"]), null=1)
heads = ["network", "arm", "times the damage in the pool", "by the formula", "their ratio"]
heads += ["error of the rates, in spreads"]
display(pd.DataFrame(rows, columns=heads).set_index(["network", "arm"]))
for model in models:
    book.text(
        page,
        f"**{model}**: before the first step, training mode shows {{start_{model}}} of the pool as damaged. While "
        f"rehearsing at random it shows {{ruler_{model}}} times the damage that clean passes find. The method ({method}) "
        f"meets {{corrected_{method}_{model}}} times the damage in its pool, corrected for that; the formula says "
        f"{{formula_{method}_{model}}}. Shuffled bins, which know nothing, meet {{corrected_shuffled_{model}}} times. The "
        f"method's rates are off by {{off_{method}_{model}}} spreads.",
    )

# %% tags=["hide-input"]
rows = [
    book.row(page, f"match_{a}_{m}", f"{m}, {a}") for m in models for a in collateral.PARTITIONS
]
charts.show(
    charts.interval_chart(
        rows,
        title="Damage met, as a share of what the formula says",
        description="1 is a perfect match; grey is what random draws would meet. "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows),
        x_title="measured enrichment : formula",
    )
)

# %% [markdown]
# ## Third: the picture
#
# Every point is an arm after an epoch, mean over seeds: to the right it knows more of the new task, further up it has kept more of
# the old one. Big points are an arm's *front*: none of its own points is better in both. Who is up and to the right wins. The
# dashed line is where the arms are compared. Left out are `none` (see the table above) and networks more than 10 points short
# of the line.

# %% tags=["hide-input"]
goal = {
    model: arms.by_seed(collateral.at(rows, last), "target", "random").mean() - leeway
    for model, rows in part.items()
}
for model, rows in part.items():
    averages = (
        rows[rows["epoch"] > 0].groupby(["arm", "epoch"])[["target", "retained"]].mean() / 100
    )
    averages = averages.reindex([arm for arm in order], level="arm").reset_index()
    shown = (averages["target"] > goal[model] / 100 - 0.1) & (averages["arm"] != "none")
    averages = averages[shown].copy()
    averages["when"] = "epoch " + averages["epoch"].astype(str)
    final = averages[averages["epoch"] == last].set_index("arm")
    told = "; ".join(f"{a} {r.target:.0%} and {r.retained:.0%}" for a, r in final.iterrows())
    charts.show(
        charts.fronts(
            averages,
            "target",
            "retained",
            title=f"{model}, {ratio:g} rehearsed samples per new one",
            description=f"Accuracy on turned and on upright letters, by arm and epoch. At the end: {told}.",
            x_title="target: accuracy on unseen turned letters",
            y_title="retained: accuracy on unseen upright letters",
            at=goal[model] / 100,
            point="when",
        )
    )

# %% [markdown]
# ## The number: what is kept at equal target accuracy
#
# A single pair of accuracies can be moved along a front by stopping earlier. So: take an arm's networks of one seed, one an
# epoch. Among those that reach the goal, take the one that has kept most. The goal is what random rehearsal reaches at the
# end on average, less one point (`leeway`). Then subtract seed by seed; the interval is that of Student's t over the seeds.
# A seed in which an arm does not reach the goal drops out, and with it the verdict.
#
# The *null* is what shuffled bins keep more than random, the *ceiling* what the oracle keeps more than random: the headroom that any
# choice of samples has.

# %% tags=["hide-input"]
PAIRS = {
    "over_random": (method, "random"),
    "over_known": (method, "known"),
    "over_shuffled": (method, "shuffled"),
    "over_static": (method, "static"),
    "headroom": ("oracle", "random"),
    "null": ("shuffled", "random"),
    "paid": ("charged", "random"),
}
rest = [arm for arm in collateral.PARTITIONS if arm != method]
PAIRS |= {f"{arm.replace(' ', '_')}_over_random": (arm, "random") for arm in rest}


def compare(rows):
    """Differences of all pairs at the goal, and at the last epoch in both accuracies."""
    here = collateral.at(rows, last)
    reached = arms.by_seed(here, "target", "random").mean() - leeway
    return {
        key: [arms.matched(rows, *pair, reached)]
        + [arms.paired(here, column, *pair) for column in ("retained", "target")]
        for key, pair in PAIRS.items()
    }


def limits(interval):
    """An interval as the band of a chart; its estimate alone where it has none."""
    return (interval.low, interval.high) if np.isfinite(interval.low) else interval.estimate


def note(found, end):
    """Record the differences of one network at one ratio; keys end in `end`."""
    null, top = limits(found["null"][0]), limits(found["headroom"][0])
    for key, (at_goal, retained, target) in found.items():
        beside = {"null": null, "ceiling": top} if key.endswith("over_random") else {"null": 0}
        book.keep(page, key + end, at_goal, fmt="+.1f", **beside)
        book.keep(page, f"end_{key}{end}", retained, fmt="+.1f", null=0)
        book.keep(page, f"target_{key}{end}", target, fmt="+.1f", null=0)


compared = {f"_{model}": compare(rows) for model, rows in part.items()}
for which, found in compared.items():
    note(found, which)

# %% tags=["hide-input"]
HEADS = {f"_{model}": model for model in models}
TOLD = {key: f"{arm} minus {base}" for key, (arm, base) in PAIRS.items()}


def same(check):
    """Whether two target accuracies are equal to within the margin, in words."""
    return {book.UPHELD: "yes", book.NOT_UPHELD: "no"}.get(check.word, check.word)


def adjusted(found):
    """The p of every difference at the goal, adjusted over all of them, in words."""
    p_values = agreement.benjamini_hochberg([agreement.p_value(each[0]) for each in found])[1]
    return [f"{p:.3f}" if p > 0.0005 else "< 0.001" for p in p_values]


def table_of(compared):
    """The differences of several networks as a table."""
    found = {(end, key): x for end, pairs in compared.items() for key, x in pairs.items()}
    told = [[str(page.results[kind + k + e]) for kind in ("", "end_", "target_")] for e, k in found]
    table = pd.DataFrame(told, [f"{HEADS[e]}: {TOLD[k]}" for e, k in found], COLUMNS)
    equal = [same(book.within(page, f"target_{k}{e}", 0, margin)) for e, k in found]
    table["equal target"], table["seeds"] = equal, [x[0].n_seeds for x in found.values()]
    return table.assign(p=adjusted(found.values()))


COLUMNS = ["retained at the goal", f"retained at epoch {last}", f"target at epoch {last}"]
rows = [
    book.row(page, k + e, f"{e[1:]}: {TOLD[k]}") for e in compared for k in PAIRS if k != "null"
]
charts.show(
    charts.interval_chart(
        rows,
        title="Retained accuracy at the goal: differences in percentage points",
        description="With 95 % intervals over seeds: "
        + "; ".join(f"{row['label']} {book.words(row['estimate'], '+.1f')}" for row in rows)
        + ". Grey: shuffled bins, or 0. Green: the oracle.",
        x_title="percentage points",
    )
)
display(side_by_side.folded(table_of(compared), "All differences, in percentage points"))

# %% tags=["hide-input"]
for model in models:
    book.record(page, f"goal_{model}", goal[model], fmt=".1f")
    book.text(
        page,
        f"**{model}**, goal {{goal_{model}}} %: the method ({method}) keeps {{over_random_{model}}} points against random "
        f"rehearsal and {{over_known_{model}}} against rehearsing what was known. Shuffled bins differ from random by "
        f"{{null_{model}}}, the oracle by {{headroom_{model}}}. Paying for looks changes {{paid_{model}}}. At the last epoch, "
        f"whatever the target, the method keeps {{end_over_random_{model}}} points against random, and its target accuracy differs by "
        f"{{target_over_random_{model}}}.",
    )

# %% [markdown]
# Columns of the folded table: the difference at the goal; the differences of the last networks in both accuracies; whether these are
# equal in target accuracy to within `margin`; seeds that count at the goal; p of the first column, adjusted for all rows
# (Benjamini and Hochberg). *none* means that too few seeds reached the goal.
#
# ## Verdict
#
# The limits were fixed before the study was run. As a trial, two seeds of `test_resnet` at ratio 0.5 had been seen by then;
# they are among the six. That trial made the gain *while rehearsing* a claim of its own. A claim is upheld if it is for
# every network in `models`.
#
# - *Precondition*: without rehearsal, at the last epoch, exact rates gain more than 1.3 (`needed`). The same while the
#   method rehearses is a claim of its own.
# - *Mechanism*: the measured enrichment is within 15 % (`tolerance`) of the formula.
# - *Better than random*, *better than known*: at the goal, the difference lies above 0.
# - *Equal to random*: it lies within one point of 0 (`margin`). Both can hold at once: a real and useless difference.
# - *Premise*: the oracle lies above random. If not, there is nothing here to choose. If it does not reach the goal, this cannot
#   be told; the table of other goals below shows it at lower ones.

# %%
DENSE = f"damage is dense in some {method} (gain above {needed:g})"
AT_GOAL = "at equal target accuracy, the method keeps"
PRECONDITION = f"without rehearsal, {DENSE}."
MEANWHILE = f"while the method rehearses, {DENSE}."
MECHANISM = f"the method meets as much damage as the formula says, to {tolerance:.0%}."
PREMISE = "at equal target accuracy, the oracle keeps more than random rehearsal."
BETTER = f"{AT_GOAL} more than random rehearsal."
MORE = f"{AT_GOAL} more than rehearsal of what was known."
EQUAL = f"{AT_GOAL} what random rehearsal keeps (margin {margin:g})."
RULES = {  # claim: rule, key of its number, limit (and margin)
    PRECONDITION: (book.above, f"gain_{method}_none", needed),
    MEANWHILE: (book.above, f"gain_{method}_{method}", needed),
    MECHANISM: (book.within, f"match_{method}", 1, tolerance),
    PREMISE: (book.above, "headroom", 0),
    BETTER: (book.above, "over_random", 0),
    MORE: (book.above, "over_known", 0),
    EQUAL: (book.within, "over_random", 0, margin),
}
for claim, (rule, key, *limit) in RULES.items():
    book.verdict(page, claim, *(rule(page, f"{key}_{model}", *limit) for model in models))

# %% tags=["remove-cell", "nbval-check-output"]
for model in models:
    for key in ("over_random", "over_known", "headroom", f"match_{method}", f"gain_{method}_none"):
        print(f"{key}_{model}: {page.results[f'{key}_{model}']}")
print(f"example: {page.results['example_gain']}, drawn {page.results['example_drawn']}")

# %% [markdown]
# ## Does it survive other choices?
#
# **Other goals.** The goal is the target accuracy of random rehearsal less some points. A lower goal lets earlier epochs, and seeds that stopped just short, take part.

# %% tags=["hide-input"]
cells = {}
for model, rows in part.items():
    for key in ("over_random", "over_known", "headroom"):
        for less in (leeway, 2.0, 5.0, 10.0):
            found = arms.matched(rows, *PAIRS[key], goal[model] + leeway - less)
            told = f"{book.words(found.estimate, '+.1f')} ({found.n_seeds} seeds)"
            limit = " to ".join(f"{x:+.1f}" for x in (found.low, found.high) if np.isfinite(x))
            cells.setdefault(f"random less {less:g}", {})[f"{model}: {TOLD[key]}"] = (
                f"{told} {limit}"
            )
display(pd.DataFrame(cells).rename_axis("percentage points"))

# %% [markdown]
# **The other ratio.** The same comparison with another number of rehearsed samples, where there is one, by the same rules;
# and the verdicts of every network alone.

# %% tags=["hide-input"]
others = {r: f"_{1000 * r:.0f}" for r in sorted(set(study["ratio"]) - {0.0, ratio})}
elsewhere = {}
for r, tail in others.items():
    for model in study[study["ratio"] == r]["model"].unique():
        rows = collateral.alone(per_cent, model, r)
        HEADS[f"_{model}{tail}"] = f"{model}, ratio {r:g}"
        elsewhere[f"_{model}{tail}"] = compare(rows)
        note(elsewhere[f"_{model}{tail}"], f"_{model}{tail}")
        matches = collateral.enrichment(rows, method, FLOOR)["match"]
        gains = arms.by_seed(collateral.at(rows, last), column, method)
        book.keep(page, f"match_{method}_{model}{tail}", arms.mean_interval(matches))
        book.keep(page, f"gain_{method}_{method}_{model}{tail}", arms.mean_interval(gains))
if elsewhere:
    rows = [
        book.row(page, k + e, f"{HEADS[e]}: {TOLD[k]}")
        for e in elsewhere
        for k in ("over_random", "over_known", "headroom")
    ]
    charts.show(
        charts.interval_chart(
            rows,
            title="Retained accuracy at the goal with another ratio: differences in percentage points",
            description="With 95 % intervals over seeds: "
            + "; ".join(f"{r['label']} {book.words(r['estimate'], '+.1f')}" for r in rows),
            x_title="percentage points",
        )
    )
    display(side_by_side.folded(table_of(elsewhere), "All differences with another ratio"))
verdicts = {
    head: [
        rule(page, key + tail, *limit).word
        for rule, key, *limit in list(RULES.values())[1:]  # the first knows no ratio
    ]
    for tail, head in HEADS.items()
}
pd.DataFrame(verdicts, index=[claim.rstrip(".") for claim in list(RULES)[1:]])

# %% [markdown]
# ## Does rehearsal change who is forgotten?
#
# The study keeps for every sample how often it was forgotten: right after one epoch, wrong after the next. Do two arms
# forget the same samples? As in [finding 1](finding_1_architecture_overlap.ipynb): the rank correlation between runs of two arms, beside that
# of two seeds of one arm. The *gap* is by how much two arms agree less. *Shared* is what remains of the
# agreement when seed noise is taken out; 1 would be: the same samples, but for luck. Samples that were never right are left out.

# %%
COMPARISONS = {
    "new_none_random": ("target_events", "none", "random"),
    "old_none_random": ("prior_events", "none", "random"),
    "old_random_method": ("prior_events", "random", method),
}
WHO = {
    "new_none_random": "new samples: none and random",
    "old_none_random": "old samples: none and random",
    "old_random_method": "old samples: random and the method",
}


def events(model, arm, array):
    """Forgetting events [seed, sample] of an arm; NaN where a sample was never right."""
    runs = collateral.at(part[model], last)
    runs = runs[runs["arm"] == arm].sort_values("seed")
    counts = arms.read_arrays("rehearsal", array, runs["task"]).astype(float)
    return np.where(counts < 0, np.nan, counts)


def who(model, array, *pair):
    """Agreement of two arms about who is forgotten, beside that of two seeds."""
    runs = [events(model, arm, array) for arm in pair]
    matrix = agreement.spearman_on(np.vstack(runs))
    draws = np.random.default_rng(random_seed)
    sizes = tuple(len(run) for run in runs)
    return agreement.within_between_gap(matrix, sizes, runs[0].shape[1], draws, bootstrap)


for model in models:
    for key, comparison in COMPARISONS.items():
        found = who(model, *comparison)
        top = found["ceiling"]
        book.keep(page, f"{key}_{model}", found["between"], null=0, ceiling=limits(top))
        for name in ("within_a", "within_b", "gap", "shared"):
            book.keep(page, f"{key}_{name}_{model}", found[name], null=0)

# %% tags=["hide-input"]
rows = [book.row(page, f"{k}_{m}", f"{m}, {WHO[k]}") for m in models for k in COMPARISONS]
charts.show(
    charts.interval_chart(
        rows,
        title="Do two arms forget the same samples?",
        description="Rank correlation of forgetting events between runs of two arms; green is two seeds of one arm. "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows),
        x_title="Spearman correlation between two runs",
    )
)
parts = {
    "": "two arms",
    "_within_a": "two seeds of the first",
    "_within_b": "two seeds of the second",
}
parts |= {"_gap": "gap", "_shared": "shared"}
cells = {
    f"{m}, {WHO[k]}": [str(page.results[f"{k}{name}_{m}"]) for name in parts]
    for m in models
    for k in COMPARISONS
}
display(pd.DataFrame(cells, index=list(parts.values())).T)

# %% tags=["hide-input"]
rows = []
for model in models:
    for arm in ("none", "random", method, "oracle"):
        counts = {array: events(model, arm, array) for array in ("target_events", "prior_events")}
        rows.append([model, arm, *(f"{np.nanmean(x > 0):.1%}" for x in counts.values())])
heads = [
    "network",
    "arm",
    "new samples forgotten at least once",
    "old samples forgotten at least once",
]
display(pd.DataFrame(rows, columns=heads).set_index(["network", "arm"]))

# %%
NEW = "rehearsal changes which new samples are forgotten."
OLD = "the method changes which old samples are forgotten, against random rehearsal."
for claim, key in {NEW: "new_none_random", OLD: "old_random_method"}.items():
    book.verdict(page, claim, *(book.above(page, f"{key}_gap_{model}", 0) for model in models))

# %% [markdown]
# The rule: two arms agree less than two seeds of one arm do, the gap lies above 0.
#
# One picture is missing. One would expect damage to be *hump-shaped* in the old loss: nothing at the low end, where samples are
# safe, nothing at the high end, where they were wrong already, most between, as in the worked example. The study keeps
# neither the old loss of a sample nor its damage at the end. What it has of the hump is one number, the gain of loss bins above.
#
# ## Beside FLOW
#
# [FLOW](flow.ipynb) also acts on forgetting, and asks for other things:
#
# | | FLOW | in the manner of mix-cd |
# |---|---|---|
# | needs the old data | no | yes |
# | acts on | the weights of *new* samples | the choice of *old* samples |
# | looks at | the loss under the old network, once | right before and wrong now, all the time |
# | prefers | new samples that are easy already | old samples that were known and are being lost |
# | what else could explain a gain | a smaller effective step | skipping what was never known; more to learn from in every sample |
#
# They do not exclude each other. Both are to be judged by fronts, since learning rate and stopping time alone move a
# network along one.
#
# ## Limits
#
# - **A reconstruction.** What fails here may work as the authors built it, on their tasks.
# - **One old network** for all seeds. What another one would change is in no interval.
# - Old and new samples share a batch, and in `test_resnet` the statistics of batch normalisation. That disturbs both the network and the free
#   estimate of damage.
# - The loss of the rehearsed samples is weighted with the ratio, so a larger ratio means more samples *and* more weight.
# - The oracle looks every five steps. One that looked at every step might do better; and drawing only damaged samples
#   is not the best rehearsal there is, just the one that the idea points to.
# - At the goal an arm's best epoch is chosen by the accuracy that is then compared. All arms have equally many epochs to choose
#   from, so the differences are fair; the values themselves are a little too high.
# - Six epochs, six seeds, tiny networks, one learning rate a network, a shift that is turned letters.
# - p-values and intervals take six differences for a sample of a normal law.

# %% [markdown]
# ## Run a small one yourself
#
# With `live=true` this cell trains the quick version: `test_resnet`, one ratio, two seeds, 20 runs. Two seeds give numbers
# and no verdict. On another processor they differ a little from the same rows of the table.


# %%
def train_here(folder):
    """Run the quick study in a folder; its table."""
    from lethe.experiments import tasks

    quick = tasks.find_study("rehearsal")
    wanted = quick.tasks(True)
    tasks.run_study(quick, wanted[:1], folder)  # makes the network before, which all others read
    tasks.run_study(quick, wanted, folder, jobs=2)
    return tasks.rows_of(wanted, tasks.read_done(quick, wanted, folder))


if live:
    with tempfile.TemporaryDirectory() as folder:
        fresh = train_here(Path(folder))
    both = {"here": fresh, "in the study": shipped}
    both = {k: collateral.alone(t, "test_resnet", 0.5) for k, t in both.items()}
    both = {k: collateral.at(t[t["seed"] < 2], last) for k, t in both.items()}
    both = {k: 100 * t.groupby("arm")[["target", "retained"]].mean() for k, t in both.items()}
    display(pd.concat(both, axis=1).reindex(order).round(1))
else:
    print("Not trained here: live is False.")

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). Three bins of equal size have the rates 0.3, 0.1 and 0. What is the gain of exact
# rates without a floor, and what with a floor of 0.1? Give both, in this order.
#
# ```{admonition} Solution
# :class: dropdown
# $E[\alpha] = 0.4 / 3$, $E[\alpha^2] = 0.10 / 3$, so the gain is $0.0333 / 0.01778 = 1.875$. With the floor: $0.9 \cdot 1.875 + 0.1 = 1.79$.
# ```

# %% tags=["solution", "hide-cell"]
alpha = np.array([0.3, 0.1, 0])
plain_gain = (alpha**2).mean() / alpha.mean() ** 2
answer_1 = (plain_gain, 0.9 * plain_gain + 0.1)

# %% tags=["check"]
three = np.repeat([0, 1, 2], 10)
hit = np.r_[np.arange(10) < 3, np.arange(10) < 1, np.zeros(10, bool)]
gains = np.array([enrichment(three, hit), enrichment(three, hit, 0.1)])
exercises.check(
    1,
    answer_1,
    gains,
    within=0.006,
    hint="you need the mean of the rates and the mean of their squares; the floor mixes the gain with 1",
    traps={
        "that is CV squared; the gain is 1 more": (gains[0] - 1, 0.9 * (gains[0] - 1) + 0.1),
        "a floor takes its share of the draws away, but those still meet the average damage": (
            gains[0],
            0.9 * gains[0],
        ),
        "that compares the worst bin with the average; the other bins are drawn too": (
            0.3 / hit.mean(),
            0.27 / hit.mean() + 0.1,
        ),
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Somebody cuts 3,100 old samples, of which 10 % are damaged, into 186 bins, finds a
# gain of 1.4, and is pleased. Deal the samples to 186 bins by lot, some fifty times. What is the gain then, on average?
#
# ```{admonition} Solution
# :class: dropdown
# About $1 + \frac{185}{3099} \cdot \frac{0.9}{0.1} = 1.54$: more than hers. Simulate it with `quantile_bins` of random numbers.
# ```

# %% tags=["solution", "hide-cell"]
lot = np.random.default_rng(0)
hurt = np.arange(3100) < 310
answer_2 = np.mean([enrichment(quantile_bins(lot.random(3100), 186), hurt) for _ in range(50)])

# %% tags=["check"]
exercises.check(
    2,
    answer_2,
    collateral.ignorant_gain(3100, 186, 0.1),
    within=0.03,
    hint="quantile_bins of random numbers deals the lots, enrichment gives the gain",
    traps={
        "lots know nothing, but small bins differ in their rates by chance": 1.0,
        "that is CV squared; the gain is 1 more": collateral.ignorant_gain(3100, 186, 0.1) - 1,
        "that is what knowing every single sample would gain": 10.0,
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). Work out by hand what the section *The number* takes for an arm. Use the rows of
# `part[models[0]]` (a row a seed and epoch; accuracies in per cent) and the arm `method`. In every seed, among the networks whose
# `target` reaches `goal[models[0]]`, take the one with the most `retained`. Give the mean over the seeds that get there, and their
# number.
#
# ```{admonition} Solution
# :class: dropdown
# The cell below does it with three lines of pandas. Note what happens to a seed in which no epoch reaches the goal: it has no
# row, and silently drops out of the mean. That is why the number of seeds must be told with it.
# ```

# %% tags=["solution", "hide-cell"]
mine = part[models[0]].query("arm == @method")
mine = mine[mine["target"] >= goal[models[0]]].groupby("seed")["retained"].max()
answer_3 = (mine.mean(), len(mine))

# %% tags=["check"]
there = arms.kept_at(part[models[0]], method, goal[models[0]])
final = arms.by_seed(collateral.at(part[models[0]], last), "retained", method)
most = part[models[0]].query("arm == @method").groupby("seed")["retained"].max()
exercises.check(
    3,
    answer_3,
    (there.mean(), there.count()),
    within=0.02,
    hint="filter the rows by target, then take the largest retained of every seed",
    traps={
        "that is the last epoch of every seed; an earlier one may reach the goal and keep more": (
            final.mean(),
            len(final),
        ),
        "that takes networks that have not reached the goal; epoch 0 keeps everything": (
            most.mean(),
            len(most),
        ),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Damage of 10 % can be easy prey or none at all. Find ten rates of ten bins of equal
# size, 0.1 on average, for which exact rates gain 4 or more. Which rates gain most, and which least? What would a
# partition have to know of the samples to have yours?
#
# ```{admonition} Solution
# :class: dropdown
# Two bins at 0.5 and eight at 0 gain 5. The most is one bin at 1, which gains 10: then a bin is the damage, and $1 / E[\alpha]$ is
# reached. Ten bins at 0.1 gain 1. In the study the network *before* has to tell, by the loss or the class alone, which
# samples a training will hurt that has not happened yet. The gains above say how far it can.
# ```

# %% tags=["solution", "hide-cell"]
answer_4 = [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0]


# %% tags=["check"]
def gain_of(wanted):
    """Gain and mean of ten rates, in bins of 1,000 samples."""
    hurt = np.arange(1000) < 1000 * np.reshape(wanted, (10, 1))
    return enrichment(np.repeat(np.arange(10), 1000), hurt.ravel()), hurt.mean()


exercises.check_that(
    4,
    answer_4,
    lambda found: gain_of(found)[0] >= 4 and abs(gain_of(found)[1] - 0.1) < 0.001,
    hint="keep the mean at 0.1 and make the rates as unequal as you need",
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). A method meets twice as much damage as random rehearsal, and keeps no more. Name two
# reasons. Which arm of this page tells whether they are at work, and what does it say for the first network?
#
# ```{admonition} Solution
# :class: dropdown
# Damaged samples may be those that cannot be repaired: odd ones, at the border to another class; a step spent on them is lost. Or
# random rehearsal repairs them too, because what brings back one sample brings back its neighbours. The oracle
# tells: it meets nothing but damage. A good answer reads its difference to random rehearsal (*Premise*, above), and says also in how many
# seeds it reached the goal: an oracle that learns less of the new task shows a third reason, the price on the other side.
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun rehearsal -p ratio=0.125 -p models=test_resnet
# lethe rerun rehearsal -p method=both -p models=test_vit
# lethe rerun rehearsal -p live=true
# ```
#
# The study itself takes some hours on two cores. `--collect` replaces the table that this page reads.
#
# ```bash
# lethe experiment rehearsal --jobs 2 --collect
# ```

# %% tags=["hide-input"]
book.finish(page)
