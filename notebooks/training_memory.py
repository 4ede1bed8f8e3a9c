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
# # Training memory: what does the next step remember?
#
# **Claim under test.** What a training step does to a network depends on more than the weights and the batch in front of
# it. Momentum, running statistics and the order of the data are carried along, and their traces can be measured.
#
# **You will learn** (1) how to fork one training state into arms that differ in one thing, (2) which equalities must hold
# exactly, and why a run that breaks one must stop, (3) how long a reset or a swap is felt, and how large it is beside a
# change of seed, (4) whether it changes what is forgotten.
#
# **Time**: 20 minutes to read, half a minute to rerun (no torch; the runs are done already). **You need**:
# [how to read the numbers](../book/how_to_read.md).

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

from lethe.analysis import arms, memory_effects, paired_effects
from lethe.pages import book, charts, exercises, side_by_side

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
metric: str = "tv"  # distance between predictions; one of: tv | js | hellinger | churn
horizon: int = 50  # steps after the change at which verdicts are given; one of the looks
margin: float = 0.01  # a distance, or a share of images, that counts as none
small: float = 0.5  # below this share of a seed change an effect is called small
live: bool = False  # also fork a network here: about a minute, needs torch

# %% tags=["remove-cell"]
names = ("metric", "horizon", "margin", "small", "live")
page = book.start("training_memory", {name: globals()[name] for name in names})
DISTANCES = {
    "tv": "total variation",
    "js": "Jensen-Shannon divergence (nats)",
    "hellinger": "Hellinger distance",
    "churn": "share of images whose answer differs",
}
distance = DISTANCES[metric]

# %% [markdown]
# ## What the paper says
#
# {cite:t}`sevetlidis2026memory` survey what a training step depends on besides weights and batch. They order the sources
# by lifetime and visibility, propose paired comparisons over seeds in function space, single changes of the state
# ("carry or reset"), order-window swaps, and a checklist with audit artifacts [A]. Training memory is any dependence of
# the next update on more than the current weights and batch [S]. By their own account the work is mainly
# conceptual [S]: **there is no number of theirs to compare with.** We had the abstract and summaries, not the body.
# Five groups of sources are reported [S]; lifetimes and visibility in this table are ours [D].
#
# | source | examples | how long it lasts | kept in a checkpoint? |
# |---|---|---|---|
# | optimizer and averages | momentum $\mu$, Adam's moments, average of the weights $d$ | $\mu^h$, $\beta_1^h$, $\beta_2^h$, $d^h$ after $h$ steps | only if the optimizer and the average are saved |
# | data order | shuffling, curricula, augmentation, replay, BatchNorm statistics | one pass; $(1-m)^h$ for BatchNorm | statistics yes; order and draws usually not |
# | path of the weights | updates that do not commute | no fixed length | only through the weights |
# | stored examples | queues of negatives, memory banks | length / batch size steps | only if saved |
# | teachers | average that is learned from | $d^h$, and it feeds back | only if saved |
#
# ## How it is measured
#
# All of the following is our reconstruction [C/D]. One run a seed is brought to step $t_0$. Its **full state** is copied:
# weights, buffers, optimizer, schedule, average of the weights, clock, modes and every random generator. From there
# run **arms**. Each begins at the same state and takes the same batches, under the same augmentation. One thing differs:
#
# | arm | what is done at $t_0$ | what must then hold, exactly or within rounding |
# |---|---|---|
# | untouched | nothing | it is what all others are held against |
# | rerun | nothing, again | every weight and every prediction is equal: the *floor* is 0 |
# | placebo | all resets, then the copied state is put back | the same |
# | momentum reset | the momentum of SGD is set to 0 | one step later the weights are ahead by rate x $\mu$ x the old momentum |
# | Adam reset | `full`: both moments and the counter; `m`: the first moment; `v`: the second alone | |
# | teacher reset | the average is set to the weights | nothing else moves; the gap of the average is $d^h$ of what it was |
# | BatchNorm reset, recalibrated | statistics set to 0 and 1; or estimated anew | nothing else moves; their gap is $(1-m)^h$ of what it was |
# | order swap | batches 1-10 and 11-20 change places | another order of the same samples and draws |
# | other future | batches from later in the stream | other draws, the same state |
#
# These equalities are checked while the arms run. One that fails ends the run: no number comes out. The random
# generators of Python, NumPy and torch are compared at every look too. The effect of an arm is the distance between
# its predictions and the untouched one's, on letters that nothing was trained on:
#
# $$
# \Delta(h) = \mathbb{E}_{\text{seed}}\; \frac{1}{n} \sum_x D\left(f^{\text{arm}}_h(x),\, f^{\text{untouched}}_h(x)\right) .
# $$
#
# $D$ is the total variation, $\frac{1}{2}\sum_c |p_c - q_c|$, unless parameter `metric` says otherwise.
#
# A distance is never below 0, so an interval that excludes 0 would say nothing. It is held against the rerun floor,
# against a margin named beforehand, and against a **seed change**: another run with all its random streams drawn
# anew, at the same step. The seed is the unit: intervals are BCa bootstraps over seeds; signed effects (loss, accuracy)
# have exact sign-flip tests, adjusted over all cells by Benjamini and Hochberg.
#
# **The runs.** The shipped backbones, pretrained on other scripts, are fine-tuned on 1,240 Latin letters, 32 a
# step, at a constant rate after one epoch of rise. The fork is after 6 epochs (234 steps). `resnet sgd` is the small network
# with BatchNorm under SGD with momentum 0.9, `vit adamw` the small transformer under AdamW.

# %%
table = book.use_study(page, arms.read_study("memory"))
processes = [p for p in ("resnet sgd", "vit adamw") if p in set(table["process"])]
RESETS = {"resnet sgd": "momentum reset", "vit adamw": "Adam reset, full"}
cycle, plain = "resnet sgd, one cycle", "resnet sgd"
turned = [p for p in table["process"].unique() if p.endswith("turned")]
last = int(table["horizon"].max())
for process in table["process"].unique():
    seeds = table[table["process"] == process]["seed"].nunique()
    book.record(page, f"seeds {process}", seeds, fmt=".0f")
base = {p: memory_effects.own(table, p, "rerun", "accuracy")[1] for p in processes}
for process in processes:
    for h, name in ((0, "fork"), (last, "end")):
        found = paired_effects.bca_interval(base[process].at(h))
        book.keep(page, f"accuracy {name} {process}", found, fmt=".1%")
book.text(
    page,
    "; ".join(
        f"`{p}` ({{seeds {p}}} seeds): accuracy on unseen letters {{accuracy fork {p}}} at the fork and "
        f"{{accuracy end {p}}} after {last} more steps"
        for p in processes
    )
    + ".",
)

# %% [markdown]
# ## The picture
#
# One line an arm: how far its predictions are from the untouched one's, step by step, on logarithmic axes. The dashed
# line is a change of seed. Bands are 95 % intervals over seeds. What is below 0.0001 is drawn there.


# %% tags=["hide-input"]
def told_at(rows, h):
    """The means of all arms at a horizon, in words."""
    at = rows[rows["horizon"] == h]
    return "; ".join(f"{arm} {mean:.3f}" for arm, mean in zip(at["arm"], at["mean"], strict=True))


def picture(process, chosen, title, **more):
    """Distance to the untouched arm over the steps, with a seed change beside."""
    shown = [*chosen, memory_effects.SEED_CHANGE]
    rows = memory_effects.over_horizons(table, process, shown, metric, **more)
    words = f"{distance} to the untouched arm at {horizon} steps: {told_at(rows, horizon)}."
    form = {"title": title, "description": words, "y_title": distance}
    charts.show(charts.horizons(rows, dashed=memory_effects.SEED_CHANGE, **form))


SHOWN = {p: [a for a in memory_effects.arms_of(table, p) if "+" not in a] for p in processes}
for process in processes:
    picture(process, SHOWN[process][:6], f"{process}: what one change does to the predictions")

# %% [markdown]
# Read it so. A **reset of the optimizer** begins at 0, since predictions follow weights and weights have not moved
# yet; then it grows. A **BatchNorm reset** is a shock that is there at once and heals by itself, because the
# statistics are refilled by every batch and nothing else was touched. An **order swap** is over after 20 steps, when both
# arms have seen the same samples; what is left after that is the path. **Other future** is no intervention at all: it is
# what two reshuffles of the future do.
#
# ## The number: what is left after some steps
#
# **Rules, named before the full runs were seen** (they are written into every audit record): the distance is total
# variation, the horizon 50 steps, the margin 0.01. *Relative* is the effect over that of a seed change at the same
# step. With fewer than 10 seeds there is no verdict. *Lifetime*: the first look after the peak at which at most half of it is left.


# %% tags=["hide-input"]
def note(process, arm, end=""):
    """Record distance, share of a seed change, and what is left of the peak, of an arm."""
    found = memory_effects.effect(table, process, arm, metric)
    peak = int(found.values.mean(0).argmax())
    book.keep(page, f"distance {arm} {process}{end}", found.interval(horizon), null=0, fmt=".3f")
    share = memory_effects.relative(table, process, arm, horizon, metric=metric)
    book.keep(page, f"relative {arm} {process}{end}", share, null=0, ceiling=1)
    left = paired_effects.relative(found.at(last), found.values[:, peak])
    book.keep(page, f"left {arm} {process}{end}", left)
    return found


def steps_told(life):
    """A lifetime in words."""
    shown = [f"{x:.0f}" if np.isfinite(x) else f"over {last}" for x in life]
    return shown[0] if len(set(shown)) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


# %% tags=["hide-input"]
lives = {}
for process in processes:
    effects = {arm: note(process, arm) for arm in SHOWN[process]}
    lives |= {(process, arm): found.lifetime for arm, found in effects.items()}
    usual = [arm for arm in effects if arm != "Adam reset, v"]  # that one destroys the network
    rows = [book.row(page, f"distance {arm} {process}", arm) for arm in usual]
    words = "; ".join(f"{row['label']} {row['estimate']:.3f}" for row in rows)
    charts.show(
        charts.interval_chart(
            rows,
            title=f"{process}: distance to the untouched arm after {horizon} steps",
            description=f"{distance} with 95 % intervals over seeds: {words}.",
            x_title=f"{distance} (rerun floor: 0)",
        )
    )
    shown = pd.DataFrame(
        {
            f"after {horizon} steps": [
                str(page.results[f"distance {a} {process}"]) for a in effects
            ],
            "of a seed change": [str(page.results[f"relative {a} {process}"]) for a in effects],
            "lifetime, steps": [steps_told(lives[process, a]) for a in effects],
        },
        index=list(effects),
    )
    display(shown.rename_axis(process))

# %% tags=["hide-input"]
NEEDED = 10  # seeds for a verdict on this page
RULES = {
    "A reset of the optimizer leaves a trace in the predictions": (book.above, "distance", margin),
    "Ten batches swapped with the next ten leave a trace": (book.above, "distance", margin),
    "The trace of the optimizer is small beside a change of seed": (book.below, "relative", small),
    "It fades: at the end at most half of the peak is left": (book.below, "left", 0.5),
    "BatchNorm statistics heal: their reset is no longer seen": (book.below, "distance", margin),
}


def ten(check, key):
    """The check, or no verdict with fewer than ten seeds."""
    seeds = page.results[key].n_seeds
    few = f"{page.results[key]} rests on {seeds} seeds, fewer than {NEEDED}"
    return check if seeds >= NEEDED else book.Check(book.CANNOT_TELL, few)


def arms_under(claim):
    """Process and arm of the checks of a claim."""
    if claim.startswith("Ten"):
        return [(p, a) for p in processes for a in SHOWN[p] if a.startswith("order swap")]
    if claim.startswith("BatchNorm"):
        return [(p, a) for p in processes for a in SHOWN[p] if a == "BatchNorm reset"]
    return [(p, RESETS[p]) for p in processes]


# %%
for claim, (rule, key, limit) in RULES.items():
    where = "" if "end" in claim else f" after {horizon} steps"
    keys = {p: f"{key} {arm} {p}" for p, arm in arms_under(claim)}
    checks = {p: ten(rule(page, k, limit), k) for p, k in keys.items()}
    if "fades" in claim:  # a lifetime belongs to a process
        for p, check in checks.items():
            book.verdict(page, f"{p}: {claim}{where}.", check)
    else:
        book.verdict(page, f"{claim}{where}.", *checks.values())

# %% [markdown]
# Two lengths must be kept apart. What a reset changed in the *optimizer* is gone soon: the missing momentum shrinks as $0.9^h$
# and is below 1 % after 44 steps. What it changed in the *weights* has no such clock. Where training is noisy, two
# paths that were once apart stay apart; then the reset is long over and still seen.
#
# ## Which equalities held
#
# Every arm that is on this page passed its checks; a violation would have stopped it. Rerun and placebo are at exactly 0
# (the cell below counts). Two of the checks are closed forms that can be drawn: the gap of the BatchNorm statistics must be $0.9^h$ of what it was, the gap of the average of the weights
# $0.99^h$. The momentum reset has a first-order prediction,
#
# $$
# \theta^{\text{reset}}_h - \theta^{\text{untouched}}_h \approx \eta\,\mu\,\frac{1-\mu^h}{1-\mu}\; v_{t_0} ,
# $$
#
# which is exact for one step and then loses its hold, as gradients at the two places begin to differ.

# %% tags=["hide-input"]
floor = table[table["arm"].isin(["rerun", "placebo"])][list(DISTANCES)]
book.record(page, "floor", floor.to_numpy().max(), fmt=".0e")
book.record(page, "floor looks", len(floor), fmt=".0f")
book.text(
    page,
    f"Rerun and placebo, {{floor looks}} looks in all processes and seeds: "
    f"{(floor == 0).all(axis=1).mean():.0%} are exactly 0 in every distance.",
)
runs = arms.only(table, process=plain).drop_duplicates("seed").sort_values("seed")
HORIZONS = sorted(table["horizon"].unique())


def gap(name):
    """A gap by seed and horizon: [seed, horizon]."""
    return arms.read_arrays("memory", name, runs["task"])


bn = gap("batch norm of BatchNorm reset")
average = gap("teacher of teacher reset")
rows = [
    {"arm": arm, "horizon": int(h), "gap": float(value)}
    for arm, values in (
        ("BatchNorm, measured", (bn / bn[:, :1]).mean(0)),
        ("BatchNorm, 0.9^h", 0.9 ** np.array(HORIZONS, float)),
        ("average, measured", (average / average[:, :1]).mean(0)),
        ("average, 0.99^h", 0.99 ** np.array(HORIZONS, float)),
    )
    for h, value in zip(HORIZONS, values, strict=True)
    if value > 1e-6
]
charts.show(
    charts.log_lines(
        pd.DataFrame(rows),
        "horizon",
        "gap",
        title="Gaps after a reset, as a share of what they were, and their closed forms",
        description="On a logarithmic axis both fall on the straight lines of their closed forms; the gap of BatchNorm "
        "is at a millionth after some 130 steps, where single precision ends.",
        x_title="steps since the reset",
        y_title="gap, of what it was",
        log="y",
        dashed=["BatchNorm, 0.9^h", "average, 0.99^h"],
    )
)
worst = np.abs(average / average[:, :1] / 0.99 ** np.array(HORIZONS) - 1).max()
book.record(page, "average off", worst, fmt=".1e")
near = np.array(HORIZONS) <= 50
off = np.abs(bn / bn[:, :1] / 0.9 ** np.array(HORIZONS) - 1)[:, near].max()
book.record(page, "norm off", off, fmt=".1e")
book.text(
    page,
    "Largest relative departure over all seeds: {average off} for the average, {norm off} for BatchNorm up to 50 steps. "
    "Both are single-precision rounding.",
)

# %% tags=["hide-input"]
cosine, ratio = gap("cosine of momentum reset"), gap("ratio of momentum reset")
short = [h for h in HORIZONS if h > 0][: cosine.shape[1]]
first = pd.DataFrame(
    {
        "cosine with the prediction": [f"{x:.4f}" for x in cosine.mean(0)],
        "length over predicted": [f"{x:.3f}" for x in ratio.mean(0)],
        "lowest cosine of a seed": [f"{x:.4f}" for x in cosine.min(0)],
    },
    index=pd.Index(short, name="steps"),
)
first

# %% [markdown]
# ## An order swap seen through BatchNorm
#
# A swap also changes which batches the running statistics saw last. This has nothing to do with the weights, and it would
# be there at a learning rate of 0. So the distance is also measured on copies whose statistics were estimated anew
# from the same 1,240 images.

# %% tags=["hide-input"]
swap = next(a for a in SHOWN[plain] if a.startswith("order swap"))
rows = [
    memory_effects.over_horizons(table, plain, [swap], metric, readout=r).assign(arm=words)
    for r, words in (("model", "as it is"), ("recalibrated", "statistics estimated anew"))
]
charts.show(
    charts.horizons(
        pd.concat(rows),
        title=f"{plain}: order swap, with and without the share of BatchNorm",
        description=f"{distance} at {horizon} steps: {told_at(pd.concat(rows), horizon)}.",
        y_title=distance,
    )
)
for readout in ("model", "recalibrated"):
    one = memory_effects.effect(table, plain, swap, metric, readout=readout)
    book.keep(page, f"swap {readout}", one.interval(5), null=0, fmt=".4f")
book.text(
    page,
    "After 5 steps: {swap model} as it is, {swap recalibrated} with statistics estimated anew. The difference is what "
    "BatchNorm adds to an order effect; measure order effects on recalibrated or frozen statistics.",
)

# %% [markdown]
# ## Half a reset is not half as bad
#
# Adam divides its first moment by the root of the second, and both are corrected by a step counter. Clear the
# second moment alone and the next step is divided by almost nothing. This arm is marked *destructive*: it is no
# reset that anybody would use. It shows why "the optimizer was reset" is not a statement that can be checked.

# %% tags=["hide-input"]
adam = [a for a in SHOWN.get("vit adamw", []) if a.startswith("Adam")]
rows = {}
for arm in adam:
    found = memory_effects.effect(table, "vit adamw", arm, metric)
    for h in (1, last):
        book.keep(page, f"{arm} at {h}", found.interval(h), null=0, fmt=".3f")
    rows[arm] = [str(page.results[f"{arm} at {h}"]) for h in (1, last)]
columns = [f"{distance} after 1 step", f"after {last} steps"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns)

# %% [markdown]
# ## Does it change accuracy, or what is forgotten?
#
# A distance says that predictions moved, not that they got worse. Here are signed effects, the arm less the untouched
# one, on loss, on accuracy, and on forgetting: the share of training letters that were right at the fork and are wrong
# now. `p` is from all sign flips, adjusted over all cells of the table; with 10 seeds the smallest possible is 0.002
# before adjustment. `none` means: shown to be smaller than the margin by two one-sided tests.


# %% tags=["hide-input"]
def signed(process, arm, what, probe="test", end=""):
    """Record a signed effect of an arm and say whether it is shown to be none."""
    found = memory_effects.effect(table, process, arm, what, probe=probe)
    fmt = "+.3f" if what == "loss" else "+.1%"
    book.keep(page, f"{what} {arm} {process}{end}", found.interval(horizon), null=0, fmt=fmt)
    none = paired_effects.equivalence(found.at(horizon), margin)
    return f"{page.results[f'{what} {arm} {process}{end}']}{' (none)' if none.equivalent else ''}"


PROBES = {"loss": "test", "accuracy": "test", "forgotten": "train"}
cells = [(p, a) for p in processes for a in SHOWN[p] if "teacher" not in a and a[-3:] != ", v"]
rows = {c: {w: signed(*c, w, probe) for w, probe in PROBES.items()} for c in cells}
differing = {}
for what, probe in PROBES.items():
    p = memory_effects.tested(table, cells, what, horizon, probe=probe)
    differing[what] = int(p["differs"].sum())
    for cell, adjusted in zip(cells, p["adjusted"], strict=True):
        rows[cell][f"p, {what}"] = f"{adjusted:.3f}"
shown = pd.DataFrame.from_dict(rows, orient="index")[
    [f"{x}{w}" for w in PROBES for x in ("", "p, ")]
]
shown.index = pd.MultiIndex.from_tuples(cells, names=["process", "arm"])
display(shown)
none = sum("none" in row["accuracy"] for row in rows.values())
book.text(
    page,
    f"Of {len(cells)} cells, {differing['loss']} differ in loss, {differing['accuracy']} in accuracy and "
    f"{differing['forgotten']} in forgetting (adjusted p up to 0.05); in {none} the effect on accuracy is shown to be "
    f"below {margin:.0%}. So predictions can move a lot without getting better or worse.",
)

# %% tags=["hide-input"]
for process in processes:
    arm = RESETS[process]
    mine, untouched = memory_effects.own(table, process, arm, "loss")
    gain = paired_effects.pairing_gain(mine.at(horizon), untouched.at(horizon))
    book.record(page, f"pairing {process}", gain, fmt=".1f")
book.text(
    page,
    "**What pairing buys.** The standard error of the effect of a reset on the loss, unpaired over paired: "
    + "; ".join(f"`{p}` {{pairing {p}}}" for p in processes)
    + ". Without pairs by seed the same precision would take the square of that many more seeds.",
)

# %% [markdown]
# **Two changes at once.** Effects must not be added up. The momentum reset and the order swap were also done together; the
# interaction is the effect of both less the sum of the single ones.

# %% tags=["hide-input"]
pair = ("momentum reset", swap, f"momentum reset + {swap}")
for what in ("loss", "accuracy"):
    found = memory_effects.interaction(table, plain, *pair, what, 10)
    book.keep(page, f"interaction {what}", found, null=0, fmt="+.3f" if what == "loss" else "+.1%")
parts = [memory_effects.effect(table, plain, a, metric).at(10) for a in pair]
book.keep(
    page, "sum of distances", paired_effects.bca_interval(parts[0] + parts[1]), null=0, fmt=".3f"
)
book.keep(page, "joint distance", paired_effects.bca_interval(parts[2]), null=0, fmt=".3f")
book.text(
    page,
    "After 10 steps: interaction {interaction loss} in loss and {interaction accuracy} in accuracy. The distance of both "
    "together is {joint distance}; the sum of the two distances would be {sum of distances}.",
)

# %% [markdown]
# ## At the turn to a new task
#
# The book's own question: does history change forgetting? In two more processes the letters are turned by 90 degrees at the
# fork, and training goes on. The untouched arm carries the optimizer over to the new task, as most code does. The others
# reset it there. What counts is the old task: upright letters, unseen and trained on.


# %% tags=["hide-input"]
def old_task(process):
    """Accuracy on unseen letters of the old task, by arm and step: the resets, with intervals."""
    every = memory_effects.arms_of(table, process)
    shown = ["untouched", *(a for a in every if "reset" in a or "recalibrated" in a)]
    return memory_effects.own_over_horizons(table, process, shown, "accuracy", "old test")


for process in turned:
    rows = old_task(process)
    at = rows[rows["horizon"] == horizon]
    told = "; ".join(f"{a} {v:.0%}" for a, v in zip(at["arm"], at["mean"], strict=True))
    charts.show(
        charts.lines(
            rows[rows["horizon"] <= 100],
            "horizon",
            "mean",
            "arm",
            ("low", "high"),
            title=f"{process}: what is kept of the old task",
            description=f"Accuracy on unseen upright letters at {horizon} steps after the turn: {told}.",
            x_title="steps since the turn",
            y_title="accuracy on the old task",
        )
    )

# %% tags=["hide-input"]
AT_TURN = {p: "momentum reset" if "sgd" in p else "Adam reset, full" for p in turned}
cells = [(p, a) for p in turned for a in memory_effects.arms_of(table, p)]
ASKED = {"accuracy": "old test", "forgotten": "old train"}
rows = {c: {} for c in cells}
for what, probe in ASKED.items():
    p = memory_effects.tested(table, cells, what, horizon, probe=probe)
    for cell, adjusted in zip(cells, p["adjusted"], strict=True):
        rows[cell] |= {f"old {what}": signed(*cell, what, probe, " old"), f"p, {what}": adjusted}
for cell in cells:  # what it costs, or what it would otherwise be bought with
    rows[cell]["new accuracy"] = signed(*cell, "accuracy", "test", " new")
shown = pd.DataFrame.from_dict(rows, orient="index").round(3)
shown.index = pd.MultiIndex.from_tuples(cells, names=["process", "arm"])
display(shown)
for p, arm in AT_TURN.items():
    key = f"forgotten {arm} {p} old"
    book.verdict(
        page,
        f"{p}: resetting the optimizer changes what is forgotten of the old task by more than {margin:.0%} of the images "
        f"after {horizon} steps.",
        book.negated(ten(book.within(page, key, 0, margin), key)),
    )

# %% [markdown]
# **A floor.** At the named horizon much of the old task is gone in every arm; where nearly all of it is, little is left
# that could differ. The rule was made before the curves were seen. The next numbers are at 5 steps, a horizon chosen *after*
# looking at the curves: they show what to look for, and decide nothing. An arm that keeps more of the old task may have
# learned less of the new one: see the last column above.

# %% tags=["hide-input"]
for process, arm in AT_TURN.items():
    start, late = (
        memory_effects.own(table, process, "rerun", "accuracy", "old test")[0].at(h)
        for h in (0, horizon)
    )
    for name, values in (("before", start), ("late", late)):
        book.keep(page, f"old {name} {process}", paired_effects.bca_interval(values), fmt=".1%")
    for what, probe in ASKED.items():
        early = memory_effects.effect(table, process, arm, what, probe=probe)
        book.keep(page, f"early {what} {process}", early.interval(5), null=0, fmt="+.1%")
        sign = paired_effects.sign_flip_p(early.at(5))
        book.record(page, f"early p {what} {process}", sign, fmt=".3f")
book.text(
    page,
    "\n\n".join(
        f"`{p}`: the untouched arm has {{old before {p}}} of the old task at the turn and {{old late {p}}} after {horizon} "
        f"steps. {a}, after 5 steps: accuracy on the old task {{early accuracy {p}}} (sign flips, p = {{early p accuracy {p}}}), "
        f"forgotten {{early forgotten {p}}} (p = {{early p forgotten {p}}})."
        for p, a in AT_TURN.items()
    ),
)

# %% [markdown]
# A momentum reset leaves out what the old velocity would still have done; a reset of Adam also makes the first steps
# longer. Which of the two matters is not shown here.
#
# BatchNorm arms are special here. *Recalibrated* means: estimated on images of the **new** task, as a careful user would
# do at the turn. The old task is then read with statistics that are not its own.
#
# ## Does it survive other choices?
#
# **Other distances and horizons**, for the reset of the optimizer, as a share of a seed change; and the same process
# under a falling learning rate (one cycle), where at the end little can move any more.

# %% tags=["hide-input"]
rows = {}
for name, words in DISTANCES.items():
    for process in processes:
        shares = [
            memory_effects.relative(table, process, RESETS[process], h, metric=name)
            for h in (5, 20, 50, last)
        ]
        rows[process, words] = [f"{s.estimate:.2f} [{s.low:.2f}, {s.high:.2f}]" for s in shares]
shown = pd.DataFrame.from_dict(
    rows, orient="index", columns=[f"{h} steps" for h in (5, 20, 50, last)]
)
shown.index = pd.MultiIndex.from_tuples(rows, names=["process", "share of a seed change"])
display(shown)

# %% tags=["hide-input"]
if cycle in set(table["process"]):
    picture(
        cycle, memory_effects.arms_of(table, cycle), "The same under a falling rate (one cycle)"
    )
    for arm in ("momentum reset", swap):
        note(cycle, arm, " cycle")
    book.text(
        page,
        f"One cycle ({{seeds {cycle}}} seeds): the momentum reset is at {{distance momentum reset {cycle} cycle}} after "
        f"{horizon} steps, the swap at {{distance {swap} {cycle} cycle}}; at a constant rate it was "
        f"{{distance momentum reset {plain}}} and {{distance {swap} {plain}}}.",
    )

# %% tags=["hide-input"]
both = {}
for process in processes:
    found = memory_effects.effect(table, process, RESETS[process], metric).at(horizon)
    for name, one in (
        ("BCa", paired_effects.bca_interval(found)),
        ("Student", paired_effects.student_interval(found)),
    ):
        both[process, name] = f"{one.estimate:.4f} [{one.low:.4f}, {one.high:.4f}]"
shown = pd.DataFrame.from_dict(both, orient="index", columns=[f"{distance} after {horizon} steps"])
shown.index = pd.MultiIndex.from_tuples(both, names=["process", "interval"])
display(side_by_side.folded(shown, "The two kinds of interval for the reset of the optimizer"))

# %% tags=["remove-cell", "nbval-check-output"]
for process in processes:
    for arm in SHOWN[process]:
        print(f"{process:12} {arm:24}", page.results[f"distance {arm} {process}"])
print("largest departure from d^h:", page.results["average off"])

# %% [markdown]
# ## Limits
#
# - **Small networks, 32 pixels, one data set.** Fine-tuning at a batch of 32 and a constant rate is noisy; two futures of one
#   state are soon far apart. Larger batches and smaller rates would show longer, fainter memories.
# - **One fork a process.** Everything hangs on $t_0$: after 6 epochs of fine-tuning, or at the turn. Whether the paper's
#   quantities condition on $t_0$ is not known to us.
# - **The probe is fixed**: 620 letters of typefaces that were not trained on. Intervals are over seeds; those of
#   other letters are not in them.
# - **Seed change** compares runs that differ in head, order and augmentation, all at once; backbone and images are shared. Which
#   of these matters is the subject of [the sources of randomness](factorial_seeds.ipynb).
# - **The average of the weights** is passive here; nothing learns from it. A teacher that feeds back is refused by the
#   passive check. No process of this book has a queue; its two changes are tested on a small one.
# - **Lifetimes** can only be as fine as the looks: 1, 2, 5, 10, 20, 50, 100, 200 steps.
# - **Adam's `v` arm** destroys the network. It is in the picture to be seen, and in no verdict.
#
# What to report, and how to check it: [a checklist of training memory](../book/training_memory_checklist.md). The same authors' test of
# whether a training step can be seen as one channel: [back-flow](back_flow.ipynb).

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). The running statistics of BatchNorm have momentum $m = 0.1$. After how many steps is the
# gap that a reset makes below 1 % of what it was, for the first time?
#
# ```{admonition} Solution
# :class: dropdown
# $0.9^h < 0.01$ for $h > \ln 0.01 / \ln 0.9 = 43.7$, so 44 steps: a little more than one epoch here.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = int(np.ceil(np.log(0.01) / np.log(0.9)))

# %% tags=["check"]
left_of = np.multiply.accumulate(np.full(600, 0.9)), np.multiply.accumulate(np.full(600, 0.99))
first_below = [1 + int(np.argmax(left < 0.01)) for left in left_of]
exercises.check(
    1,
    answer_1,
    first_below[0],
    hint="what share of the gap does one step leave? The table of sources has the form",
    traps={
        "one step earlier it is still just above 1 %": first_below[0] - 1,
        "a step replaces the share m; what is left is 1 - m": 2,
        "those are the steps of the average of the weights, d = 0.99": first_below[1],
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Five seeds all show a higher loss after a reset. What is the smallest two-sided p that
# sign flips can give? And how many seeds does it take before p below 0.01 is possible at all? Give both numbers.
#
# ```{admonition} Solution
# :class: dropdown
# With five seeds there are 32 patterns of signs. The observed one and its opposite are the most extreme, so
# $p = 2/32 = 0.0625$: five seeds can never reach 0.05. Eight seeds give $2/256 = 0.0078$.
# ```

# %% tags=["solution", "hide-cell"]
answer_2 = paired_effects.sign_flip_p(np.array([0.1, 0.2, 0.1, 0.3, 0.2])), 8

# %% tags=["check"]
enough = next(n for n in range(1, 30) if paired_effects.smallest_p(n) < 0.01)
exercises.check(
    2,
    answer_2,
    (paired_effects.smallest_p(5), enough),
    within=0.001,
    hint="count the patterns of signs, and those that are as extreme as the observed one",
    traps={
        "that is one-sided: all five could also have been lower": (1 / 32, 7),
        "the first is one-sided, the second is not": (1 / 32, enough),
        "the first is right; with one seed less p is still above 0.01": (1 / 16, enough - 1),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). How far is the order swap (the arm is in `swap`) of the process in `plain` at the last look,
# as a share of a seed change? Use `metric`, the distance of this page; the ratio is that of two means over seeds.
#
# ```{admonition} Solution
# :class: dropdown
# `memory_effects.effect(table, plain, swap, metric).at(last)` has a distance a seed, and so has the arm "seed change". Their
# means are divided. `memory_effects.relative` does the same with an interval.
# ```

# %% tags=["solution", "hide-cell"]
mine, base_of = (
    memory_effects.effect(table, plain, arm, metric).at(last) for arm in (swap, "seed change")
)
answer_3 = mine.mean() / base_of.mean()

# %% tags=["check"]
swapped, other_run, other_draws = (
    memory_effects.effect(table, plain, arm, metric)
    for arm in (swap, memory_effects.SEED_CHANGE, "other future")
)
exercises.check(
    3,
    answer_3,
    memory_effects.relative(table, plain, swap, last, metric=metric).estimate,
    within=0.002,
    hint="memory_effects.effect(table, process, arm, metric).at(step) is a number a seed",
    traps={
        "that is the distance itself; divide by that of a seed change": swapped.at(last).mean(),
        "that is the mean of the ratios; take the ratio of the means": (
            swapped.at(last) / other_run.at(last)
        ).mean(),
        "that is a share of `other future`, which keeps the state; a seed change keeps nothing": (
            swapped.at(last).mean() / other_draws.at(last).mean()
        ),
        "that is at the step in `horizon`, not at the last look": swapped.at(horizon).mean()
        / other_run.at(horizon).mean(),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). A reset of BatchNorm is a shock that heals, a reset of the momentum begins at nothing and
# stays. At which look is the first for the first time nearer to the untouched arm than the second (process `plain`)? Does it hang on the
# distance? Give the look for every distance, `{"tv": steps, ...}` with the names in `DISTANCES`.
#
# ```{admonition} Solution
# :class: dropdown
# They change places at the same look in all four distances. So which arm is "the larger effect" is decided by the look and not by the
# measure; a table with one horizon would hide that. Between two looks we know nothing: the exact step may well
# differ between distances.
# ```

# %% tags=["solution", "hide-cell"]
answer_4 = {}
for name in DISTANCES:
    shock, slow = (
        memory_effects.effect(table, plain, arm, name).values.mean(axis=0)
        for arm in ("BatchNorm reset", "momentum reset")
    )
    answer_4[name] = HORIZONS[np.argmax(shock < slow)]


# %% tags=["check"]
def change_places(name):
    """The last look before the two arms change places in a distance, and the first after it."""
    shock, slow = (
        memory_effects.effect(table, plain, arm, name).values.mean(axis=0)
        for arm in ("BatchNorm reset", "momentum reset")
    )
    place = int(np.argmax(shock < slow))
    return HORIZONS[place - 1], HORIZONS[place]


before, after = ({name: change_places(name)[k] for name in DISTANCES} for k in (0, 1))
exercises.check(
    4,
    answer_4,
    after,
    hint="means over seeds of both arms at every look: effect(table, plain, arm, name).values",
    traps={"those are the last looks at which it is still further away": before},
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). `other future` ends nearly as far from the untouched arm as a change of seed, well above the
# margin. Why does this not show that the future, or the order of the data, is *remembered*? Which comparison on this page would?
#
# ```{admonition} Solution
# :class: dropdown
# The arm takes other batches: it is moved by what is in front of it, not by what lies behind. It is a yardstick, no memory. To
# show memory of an order, both arms must have seen the same samples under the same draws and then take the same batches: the order
# swap after step 20. And even that may be the path alone, kept in the weights. To show that something *beside* the weights
# remembers, give two arms equal weights and unequal optimizer states, as the momentum reset does.
# ```

# %% [markdown]
# ## Fork a network here
#
# With `live` the page runs the quick version: two processes, two seeds, 20 steps. Two seeds give no verdict.

# %%
if live:
    import tempfile
    from pathlib import Path

    from lethe.experiments import tasks

    study = tasks.find_study("memory")
    quick = study.tasks(True)
    with tempfile.TemporaryDirectory() as out:
        tasks.run_study(study, quick, Path(out), jobs=2)
        rows = tasks.rows_of(quick, tasks.read_done(study, quick, Path(out)))
    rows = rows[(rows["readout"] == "model") & (rows["probe"] == "test")]
    display(rows.pivot_table(index=["process", "arm"], columns="horizon", values="tv").round(3))
else:
    print("Not run here: set live to true.")

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun training_memory -p metric=hellinger -p horizon=20
# lethe rerun training_memory -p margin=0.02 -p live=true
# lethe experiment memory --quick          # the quick version of the experiment
# lethe experiment memory --jobs 2 --collect   # all of it, then the table that this page reads
# ```

# %% tags=["remove-input"]
book.finish(page)
