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
# # Time to forgetting: when images are lost, and how often
#
# **In one sentence.** Most traces end before anything is forgotten, and survival analysis was made for such data: it lets
# every image count for as long as it was watched, and needs no curve.
#
# **You will learn** (1) why the mean over the forgotten images is wrong, and what to use instead, (2) how a Kaplan-Meier
# curve is built, and why its textbook error is too small here, (3) how to count images that are lost again and again,
# (4) how to ask what raises the risk of being forgotten.
#
# **Time**: 15 minutes to read, under a minute to rerun. **You need**: [traces](traces.ipynb) (important);
# [forgetting curves](forgetting_curves.ipynb) (helpful).

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

from lethe import traces
from lethe.analysis import curves, scores
from lethe.analysis.curves import survival
from lethe.analysis.curves.hazard_ratios import hazard_ratios, right_spells
from lethe.pages import book, charts, exercises, stores

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
dataset: str = "glyphs"  # data set of the main analysis
beside: str = "cifar7"  # second data set, shown beside it; empty for none
models: list[str] = ["test_resnet", "test_vit"]  # the two networks
preset: str = "quick"  # preset that the traces were captured with
least_loss: float = 0.01  # warm-up losses below this count as this much
draws: int = 200  # resamples behind each interval
simulated_samples: int = 2000  # images in the simulation with known truth
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("dataset", "beside", "models", "preset", "least_loss", "draws", "simulated_samples")
names = (*names, "random_seed")
page = book.start("time_to_forgetting", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)

# %% [markdown]
# ## The wrong mean
#
# How long does an image stay learned? The clock starts at the first right answer and stops at the first wrong one. For an
# image that is never forgotten the clock is stopped by the *end of training*: it is **right-censored**, its time is "longer
# than" what was seen. Two tempting answers are both wrong:
#
# - the mean over the *forgotten* images: the long times are missing, because they had no time to end;
# - the mean over all, the last epoch standing in for "longer": too short for the same reason.
#
# Here is a world with a known truth. Each image is lost at a constant risk per epoch, and images are learned at different
# epochs, so they are watched for different times. Move the sliders: how far is each line from the truth?


# %%
def watched(rate, epochs, noise):
    """Times to first forgetting where each image is lost at the same constant risk."""
    first = noise.integers(0, epochs // 2, (1, simulated_samples))
    rates = np.full(simulated_samples, rate)
    world = curves.simulate_correct(noise, rates, epochs, 1, "permanent_drop", first)
    return survival.first_forgetting(world)


def three_lines(rate, epochs, noise):
    """Share not yet forgotten: the truth, Kaplan-Meier, and only the forgotten images."""
    (time, forgot), t = watched(rate, epochs, noise), np.arange(epochs)
    km, last = survival.kaplan_meier(time, forgot), time[forgot][:, None]
    steps = np.append(1.0, km.surv_prob)[np.searchsorted(km.surv_times, t, side="right")]
    rows = pd.DataFrame({"truth": np.exp(-rate * t), "Kaplan-Meier": steps})
    rows = rows.assign(t=t, rate=rate, epochs=epochs, **{"only the forgotten": (last > t).mean(0)})
    return rows.melt(["t", "rate", "epochs"], None, "line", "share")


rates, lengths = (0.01, 0.02, 0.05, 0.1, 0.2), (6, 11, 21, 31, 61)
world = pd.concat(three_lines(rate, epochs, rng) for rate in rates for epochs in lengths)

# %% tags=["hide-input"]
charts.show(
    charts.sliders(
        world,
        "t",
        "share",
        "line",
        choose={"epochs": "epochs of training", "rate": "risk per epoch"},
        title="Share of images not yet forgotten, in a world with known truth",
        description=(
            "Share of simulated images not yet forgotten over the epochs since they were learned: the truth, the "
            "Kaplan-Meier estimate, and the share among the images that were forgotten, which falls to 0."
        ),
        x_title="t, epochs since first learned",
        y_title="share not yet forgotten",
        start={"epochs": 31, "rate": 0.02},
    )
)
time, forgot = watched(0.02, 31, rng)
book.record(page, "naive_mean", time[forgot].mean(), fmt=".1f")
book.record(page, "stand_in_mean", time.mean(), fmt=".1f")
book.record(page, "true_mean", 1 / -np.expm1(-0.02), fmt=".1f")
book.text(
    page,
    "With a risk of 0.02 per epoch an image lasts {true_mean} epochs on average. In 31 epochs of training the forgotten images "
    "have a mean of {naive_mean}, all of them with the last epoch as a stand-in {stand_in_mean}. More images do not help: "
    "both are wrong however many there are.",
)

# %% [markdown]
# ## The Kaplan-Meier curve
#
# Ask a smaller question that every image can answer while it is watched: *of the images not yet forgotten and still
# watched, what share is forgotten at the next epoch?* That is the **hazard** $h(t)$. To be unforgotten at $t$ an image
# must survive every step, so
#
# $$S(t) = \prod_{s \le t} \left(1 - h(s)\right), \qquad h(s) = \frac{\text{forgotten at } s}{\text{at risk at } s}.$$
#
# A censored image leaves the count when it is no longer watched; it is never counted as forgotten. The **half-life** is the
# first $t$ with $S(t) < 1/2$. If the curve stays above one half, the half-life is *longer than the training*, and that
# is all we may say. The mean is out of reach too, so we use the **restricted mean**: the mean of min(time, last epoch), which
# is the area under the curve. Never-learned images have no clock and are left out.

# %%
pair = stores.open_pair(page, dataset, models, preset)
model, main = stores.model_names(pair), pair[0].attrs["dataset"]
correct = [traces.correct(ds).values for ds in pair]  # [seed, epoch, sample]
times = [survival.first_forgetting(bits) for bits in correct]
lives, gap = survival.survival_curves(times, rng, draws)


# %% tags=["hide-input"]
def keep_lives(lives, gap, end=""):
    """Record what survival_curves found; keys end in `end`."""
    for which, life in zip("ab", lives, strict=True):
        last = life.table.iloc[-1]
        share = (last["retained"], last["retained_low"], last["retained_high"])
        seeds = life.restricted_mean.n_seeds
        book.record(page, f"kept_{which}{end}", *share, n_seeds=seeds, fmt=".1%")
        book.keep(page, f"mean_{which}{end}", life.restricted_mean, fmt=".1f")
    book.keep(page, f"gap_kept{end}", gap["retained"], null=0.0, fmt=".1%")
    book.keep(page, f"gap_mean{end}", gap["restricted_mean"], null=0.0, fmt=".1f")


def half_life_words(life):
    """The half-life with its interval; where the curve or its band stays above 1/2, "longer than"."""
    horizon = life.table["t"].iloc[-1]
    words = [f"{t:.0f}" if np.isfinite(t) else f"longer than {horizon}" for t in life.half_life]
    return f"{words[0]} epochs" + (f" [{words[1]}, {words[2]}]" if words[1] != words[2] else "")


def both(tables):
    """Tables of both networks under one another, with a column for the network."""
    return pd.concat(t.assign(network=name) for name, t in zip(model, tables, strict=True))


keep_lives(lives, gap)
table = both(life.table for life in lives)
charts.show(
    charts.lines(
        table,
        "t",
        "retained",
        "network",
        ("retained_low", "retained_high"),
        title="Share of the learned images not yet forgotten",
        description="Kaplan-Meier curves with 95 % bands: "
        + "; ".join(
            f"{name} falls to {life.table.retained.iloc[-1]:.2f}"
            for name, life in zip(model, lives, strict=True)
        )
        + f" after {lives[0].table.t.iloc[-1]} epochs.",
        x_title="t, epochs since first learned",
        y_title="share not yet forgotten",
    )
)
book.text(
    page,
    f"Never forgotten by the end: {{kept_a}} ({model[0]}) and {{kept_b}} ({model[1]}), a gap of {{gap_kept}}. Half-life: "
    f"{half_life_words(lives[0])} and {half_life_words(lives[1])}. Restricted mean: {{mean_a}} and {{mean_b}} epochs, a gap of "
    "{gap_mean}.",
)

# %% [markdown]
# ### Why the textbook error is too small
#
# The textbook error (Greenwood's) takes each trace for an independent witness. They are not. The runs *share their images*:
# ten traces of one glyph are not ten glyphs. And all images of a run *share its seed*: a run in which training was rough at
# epoch 3 loses many images at once. The bands above resample whole runs and whole images (pigeonhole bootstrap).

# %% tags=["hide-input"]
last = lives[0].table.iloc[-1]
textbook = 2 * 1.96 * survival.kaplan_meier(*times[0]).surv_prob_se[-1]
book.record(page, "too_narrow", (last.retained_high - last.retained_low) / textbook, fmt=".1f")
book.text(
    page,
    f"At the last epoch the band of {model[0]} is {{too_narrow}} times as wide as the textbook interval of the same curve.",
)

# %% [markdown]
# ## The risk over time
#
# The same data as a risk: which share of the images still unforgotten is lost at each epoch?

# %% tags=["hide-input"]
charts.show(
    charts.lines(
        table[table.t > 0],
        "t",
        "hazard",
        "network",
        ("hazard_low", "hazard_high"),
        title="Hazard of a first forgetting event",
        description="Share of the images at risk that is forgotten at each epoch: "
        + "; ".join(
            f"{name} from {life.table.hazard.iloc[1]:.3f} at the first to {life.table.hazard.iloc[-1]:.4f} at the last"
            for name, life in zip(model, lives, strict=True)
        )
        + " epoch.",
        x_title="t, epochs since first learned",
        y_title="hazard per epoch",
    )
)

# %% [markdown]
# A falling hazard has two readings, and one curve cannot tell them apart:
#
# - **training calms down**: the learning rate falls, weights move less, nothing is lost any more;
# - **the fragile go first**: each image has a *constant* risk, but those with a high risk leave early, and the rest is
#   sturdier. (Exercise 4 builds such a world. It is the pooled-curve trap of
#   [Forgetting curves](forgetting_curves.ipynb) in other clothes.)
#
# A survival curve that is exponential has a constant hazard. Where the hazard falls this much, a half-life extrapolated
# from the first epochs should not be believed.
#
# ## Learned at once, or later?
#
# Groups are compared in the same way. Are images that are right straight after the head warm-up, at epoch 0, safer than
# those learned later?

# %%
early = [scores.first_learned(bits) == 0 for bits in correct]
groups = {}
for which, (time, forgot), at_once in zip("ab", times, early, strict=True):
    parts = [(np.where(keep, time, np.nan), forgot) for keep in (~at_once, at_once)]
    if all(np.isfinite(part[0]).any() for part in parts):
        groups[which] = survival.survival_curves(parts, rng, draws // 2, same_runs=True)

# %% tags=["hide-input"]
for which, (split, apart) in groups.items():
    for name, life in zip(("later", "at_once"), split, strict=True):
        book.keep(page, f"mean_{name}_{which}", life.restricted_mean, fmt=".1f")
    book.keep(page, f"gap_at_once_{which}", apart["restricted_mean"], null=0.0, fmt=".1f")
    horizon = split[0].table.t.iloc[-1]
    book.text(
        page,
        f"{model['ab'.index(which)]}: of the first {horizon} epochs after they were learned, images learned at once stay "
        f"unforgotten for {{mean_at_once_{which}}} on average, later ones for {{mean_later_{which}}}: a gap of "
        f"{{gap_at_once_{which}}} epochs.",
    )

# %% [markdown]
# ## Lost again and again
#
# A forgotten image is often learned again, and lost again. The **mean cumulative function** counts all events: at each $t$ the
# events per image under observation, summed up. Images that leave early count for as long as they were watched.

# %%
events = [survival.mean_cumulative_events(bits, rng, draws // 2) for bits in correct]

# %% tags=["hide-input"]
for which, one, ds in zip("ab", events, pair, strict=True):
    book.record(page, f"events_{which}", *one.iloc[-1, 1:], n_seeds=ds.sizes["seed"])
charts.show(
    charts.lines(
        both(events),
        "t",
        "events",
        "network",
        ("low", "high"),
        title="Forgetting events per learned image, so far",
        description="Mean cumulative number of forgetting events with 95 % bands: "
        + "; ".join(
            f"{name} reaches {one.events.iloc[-1]:.2f}"
            for name, one in zip(model, events, strict=True)
        )
        + ".",
        x_title="t, epochs since first learned",
        y_title="events per image",
    )
)
number = [scores.forgetting_events(bits) for bits in correct]
again = [float(x[x > 0].mean()) if (x > 0).any() else float("nan") for x in number]
third = int(lives[0].table.t.iloc[-1]) // 3
pace = [float(one.events[third] - one.events[third - 1]) for one in events]
for which, life, speed in zip("ab", lives, pace, strict=True):
    book.record(page, f"first_{which}", life.table.hazard[third], fmt=".3f")
    book.record(page, f"pace_{which}", speed, fmt=".3f")
book.text(
    page,
    f"{{events_a}} events per learned image in {model[0]}, {{events_b}} in {model[1]}. An image that is forgotten at all is "
    f"forgotten {again[0]:.1f} and {again[1]:.1f} times in a run.",
)
book.text(
    page,
    f"This helps with the falling hazard. At epoch {third} the risk of a *first* event is {{first_a}} and {{first_b}}, but "
    "there are {pace_a} and {pace_b} events per image, most of them in images that were lost before. "
    + (
        "So training has not calmed down yet: what is left among the unforgotten is sturdier."
        if all(p > 2 * x.table.hazard[third] for p, x in zip(pace, lives, strict=True))
        else "The two are not far apart, so calmer training may explain the fall."
    ),
)

# %% [markdown]
# ## What raises the risk?
#
# The **Andersen-Gill** model lets the hazard depend on what is known of an image:
#
# $$h(t \mid x) = h_0(t)\, e^{b_1 x_1 + b_2 x_2}$$
#
# $h_0$ is left open. Every unbroken spell of right answers is one row: it starts when the image is (re)learned and ends in an
# event or at the last epoch. With $x = \log_2$ of the warm-up loss, $e^b$ is the **hazard ratio**: the factor on the risk
# when the loss doubles. A ratio of 1 means no relation. Errors are clustered by image *and* by run.


# %%
def known_before(ds):
    """log2 of warm-up loss and of class size, both known before fine-tuning, if they vary."""
    label = ds["label"].values
    size = np.log2(np.bincount(label)[label])
    found = {"size": size} if np.ptp(size) else {}
    if "warmup_loss" in scores.available(ds):
        loss = scores.score(ds, "warmup_loss").values
        found["loss"] = np.log2(np.maximum(loss, least_loss))
    return found


def ratios_of(stores_open, spells):
    """Hazard ratios of each network, {} where nothing known before varies."""
    known = [known_before(ds) for ds in stores_open]
    return [hazard_ratios(s, x) if x else {} for s, x in zip(spells, known, strict=True)]


spells = [right_spells(bits) for bits in correct]
at_once = [s[e[s["seed"], s["sample"]]] for s, e in zip(spells, early, strict=True)]
ratios, ratios_at_once = ratios_of(pair, spells), ratios_of(pair, at_once)


# %% tags=["hide-input"]
def keep_ratios(ratios, end="", words=""):
    """Record hazard ratios of both networks; returns rows for the chart."""
    rows = []
    for which, name, found in zip("ab", model, ratios, strict=True):
        for quantity, interval in found.items():
            key = f"ratio_{quantity}_{which}{end}"
            book.keep(page, key, interval, null=1.0)
            rows.append(book.row(page, key, f"{name}: {QUANTITIES[quantity]}{words}"))
    return rows


QUANTITIES = {"loss": "warm-up loss", "size": "class size"}
rows = keep_ratios(ratios) + keep_ratios(ratios_at_once, "_at_once", ", images learned at once")
if rows:
    charts.show(
        charts.interval_chart(
            rows,
            title=f"{main}: factor on the hazard when a quantity doubles",
            description="Hazard ratios with intervals: "
            + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
            + ". A ratio of 1 means no relation.",
            x_title="hazard ratio",
        )
    )
if "ratio_loss_a" in page.results:
    words = [book.above(page, f"ratio_loss_{which}", 1.0).word for which in "ab"]
    words = [{"upheld": "yes", "not upheld": "no"}.get(word, word) for word in words]
    book.text(
        page,
        "When the warm-up loss doubles, the risk of each forgetting event is multiplied by {ratio_loss_a} "
        f"({model[0]}) and {{ratio_loss_b}} ({model[1]}). Does it raise the risk? "
        + "; ".join(f"{name}: {word}" for name, word in zip(model, words, strict=True))
        + " (yes: the whole interval lies above 1).",
    )

# %% [markdown]
# The second set of rows keeps only images that were right at epoch 0. For them "epochs since learned" and "epochs of
# training" are the same clock, so a late start cannot pose as a high risk.
#
# ## A second data set

# %%
second = stores.open_beside(page, beside, dataset, models, preset)
if second:
    answers = [traces.correct(ds).values for ds in second]
    own = np.random.default_rng(random_seed)  # draws of its own, so that no other number moves
    clocks = [survival.first_forgetting(bits) for bits in answers]
    found = survival.survival_curves(clocks, own, draws)
    counts = [survival.mean_cumulative_events(bits, own, draws // 2) for bits in answers]
    known = ratios_of(second, [right_spells(bits) for bits in answers])

# %% tags=["hide-input"]
if second:
    keep_lives(*found, "_beside")
    for which, one, ds in zip("ab", counts, second, strict=True):
        n_seeds = ds.sizes["seed"]
        book.record(page, f"events_{which}_beside", *one.iloc[-1, 1:], n_seeds=n_seeds)
    keep_ratios(known, "_beside")
quantities = {
    "kept": "never forgotten by the end",
    "mean": "restricted mean, epochs",
    "events": "events per learned image",
    "ratio_loss": "hazard ratio, warm-up loss doubled",
    "ratio_size": "hazard ratio, class size doubled",
}
columns = {(main, ""): "ab"} | ({(beside, "_beside"): "ab"} if second else {})
summary = {
    f"{name}: {model['ab'.index(w)]}": [
        str(page.results.get(f"{key}_{w}{end}", "all alike")) for key in quantities
    ]
    for (name, end), both_networks in columns.items()
    for w in both_networks
}
pd.DataFrame(summary, index=list(quantities.values()))

# %% [markdown]
# ## Limits
#
# - "Forgotten" is one wrong answer at the end of an epoch. Images that sway around the decision boundary are counted as
#   forgotten within an epoch or two, images that are lost for good as well: the first event does not tell them apart.
# - A hazard ratio is a summary over all epochs. If the effect of the loss fades during training, the ratio is an average.
# - A relation is not a cause. The warm-up loss may stand for the class, the typeface or a wrong label.
# - Intervals treat seeds and images as drawn at random. With fewer than 6 seeds they should not be relied on.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). Three of five images were forgotten at $t = 2$, $t = 3$ and $t = 3$; two were never
# forgotten and watched until $t = 2$ and $t = 6$. What is the Kaplan-Meier estimate $S(3)$? A pencil is enough.
#
# ```{admonition} Solution
# :class: dropdown
# $S(2) = 1 - 1/5$. The image watched until 2 then leaves. At 3 there are 3 at risk and 2 are lost:
# $S(3) = 4/5 \cdot 1/3 = 0.267$.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = (1 - 1 / 5) * (1 - 2 / 3)

# %% tags=["check"]
five = np.array([2.0, 3, 3, 2, 6]), np.array([True, True, True, False, False])
exercises.check(
    1,
    answer_1,
    survival.kaplan_meier(*five).surv_prob[-1],
    within=0.002,
    hint="one factor for each time at which an image is forgotten. At risk is who is still watched and not yet forgotten",
    traps={
        "the image watched until 2 is no longer watched at 3, so it is not at risk there": 4
        / 5
        * 2
        / 4,
        "that is the step at 3 alone: an image must survive the step at 2 as well": 1 / 3,
        "that is the step at 2 alone": 4 / 5,
        "that uses the forgotten images only: the others were at risk as well": 0.0,
        "the image watched until 2 was still at risk at 2": 3 / 4 * 1 / 3,
        "that is the share forgotten by then, and S is the share that is not": 1 - 4 / 15,
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). What is the hazard of the first network at $t = 1$, over all its runs? Use `times[0]`, that is
# the time and whether the image was forgotten, [seed, image].
#
# ```{admonition} Solution
# :class: dropdown
# Forgotten at 1, divided by at risk at 1: `((time == 1) & forgot).sum() / (time >= 1).sum()`. NaN times (never learned) fail
# both comparisons, so they drop out by themselves. Images learned at the last epoch have time 0: they were never at risk.
# ```

# %% tags=["solution", "hide-cell"]
clock, ended = times[0]
answer_2 = ((clock == 1) & ended).sum() / (clock >= 1).sum()

# %% tags=["check"]
moments, flags = times[0]
exercises.check(
    2,
    answer_2,
    lives[0].table.set_index("t")["hazard"][1],
    within=1e-5,
    hint="two counts: the traces forgotten at 1, and those watched until 1 or longer",
    traps={
        "that is the share of all traces, also of those never learned or not watched until 1": (
            (moments == 1) & flags
        ).mean(),
        "that divides by all forgotten traces: those never forgotten were at risk too": (
            (moments == 1) & flags
        ).sum()
        / flags.sum(),
        "that is the share still unforgotten after 1": 1
        - ((moments == 1) & flags).sum() / (moments >= 1).sum(),
        "that is the first run alone": ((moments[0] == 1) & flags[0]).sum()
        / (moments[0] >= 1).sum(),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). In the world with risk 0.02 per epoch, what is the mean time of the *forgotten* images after 31
# and after 301 epochs of training? Use `watched(0.02, epochs, np.random.default_rng(1))` for both, and answer with
# `{31: ..., 301: ...}`. Why does it grow, although nothing about the images has changed?
#
# ```{admonition} Solution
# :class: dropdown
# It grows from about 11 epochs to more than 40 and creeps towards 50: the longer one watches, the longer are the times that
# can be seen to end. A mean over the forgotten measures the training as much as the forgetting.
# ```

# %% tags=["solution", "hide-cell"]
answer_3 = {}
for n in (31, 301):
    time_n, forgot_n = watched(0.02, n, np.random.default_rng(1))
    answer_3[n] = time_n[forgot_n].mean()

# %% tags=["check"]
seen = {n: watched(0.02, n, np.random.default_rng(1)) for n in (31, 301)}
by_end = {n: pd.Series(t[0]).groupby(f[0]).mean() for n, (t, f) in seen.items()}
exercises.check(
    3,
    answer_3,
    {n: means[True] for n, means in by_end.items()},
    within=0.5,
    hint="`watched` gives two arrays, the times and whether the image was forgotten: one chooses from the other",
    traps={
        "that is the mean of all images, the last epoch standing in for longer": {
            n: np.mean(t) for n, (t, f) in seen.items()
        },
        "these are the images that were *not* forgotten": {
            n: means[False] for n, means in by_end.items()
        },
        "that is the mean of a world watched for ever": dict.fromkeys((31, 301), 1 / 0.02),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Build a world in which the fragile go first. Simulate 5,000 images whose risks are
# constant over time but differ between images (log-normal around 0.05, standard deviation 1.5 of the log), lost for good, and watched for 31
# epochs. What is the hazard of the crowd at $t = 1$ and at $t = 20$? Answer with `{1: ..., 20: ...}`. Does it fall if all
# images have the same risk?
#
# ```{admonition} Solution
# :class: dropdown
# It falls to less than half, although no image's own risk ever changes: those with a high risk leave early. With the same risk
# for all it stays flat but for noise. So a falling hazard alone says nothing of what happens *within* an image. What can tell
# is to watch images again after they were lost, as in *Lost again and again*.
# ```

# %% tags=["solution", "hide-cell"]
risks = np.exp(np.random.default_rng(2).normal(np.log(0.05), 1.5, 5000))
crowd = curves.simulate_correct(np.random.default_rng(3), risks, 31, 1, "permanent_drop")
time_c, forgot_c = survival.first_forgetting(crowd)
answer_4 = {t: ((time_c == t) & forgot_c).sum() / (time_c >= t).sum() for t in (1, 20)}

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda a: set(a) == {1, 20} and 0.06 < a[1] < 0.15 and 0 < a[20] < 0.5 * a[1],
    kind=dict,
    hint='draw the risks as np.exp of a normal around np.log(0.05), simulate with the process "permanent_drop" as `watched` '
    "does, and divide the images forgotten at t by those still at risk at t (not by all 5,000)",
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun time_to_forgetting -p dataset=cifar7 -p beside=glyphs
# lethe rerun time_to_forgetting -p least_loss=0.001 -p draws=500
# ```

# %% tags=["remove-cell", "nbval-check-output"]
keys = ("kept_a", "kept_b", "gap_mean", "events_a", "events_b", "ratio_loss_a", "ratio_loss_b")
for name, end in columns:
    print(name, {key: str(page.results.get(key + end, "none")) for key in keys})

# %% tags=["remove-input"]
book.finish(page)
