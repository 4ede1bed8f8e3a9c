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
# # Forgetting curves: what one number per image can say
#
# **In one sentence.** A forgetting curve turns the history of one training image into one number, its decay rate, but how
# well it "fits" depends on a convention, and how much one run's rate can know about the image depends on how many
# parameters are asked of 31 bits.
#
# **You will learn** (1) what a retention trace is and how an exponential is fitted to it, (2) why $R^2$ has three values
# for the same fits, and how curves are compared fairly, (3) what a fit to 31 zeros and ones can know about the image,
# and what it cannot, (4) what an image that is never forgotten tells about its half-life, (5) why an average of
# exponentials does not look like an exponential.
#
# **Time**: 20 minutes to read, under a minute to rerun. **You need**: the page on [traces](traces.ipynb) (important);
# least squares and likelihood (helpful).

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

import numpy as np
import pandas as pd
from IPython.display import display

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.curves import selection
from lethe.analysis.findings.fit_quality import compare_r2, lowest, two_way_mean
from lethe.pages import book, charts, dataset_facts, exercises
from lethe.pages.explorer import curve_explorer

# %% [markdown]
# ## Parameters
#
# Change them here, or with `lethe rerun forgetting_curves -p traces_a=glyphs-test_vit-quick`.

# %% tags=["parameters"]
traces_a: str = "glyphs-test_resnet-quick"  # trace store to look at
examples: int = 8  # traces offered in the chart where you fit by hand
held_out_epochs: int = 5  # last epochs of each trace that the curves have to forecast
simulated_samples: int = 3000  # images in the simulations with known truth
simulated_epochs: int = 31  # epochs in the simulations, the first included
slowest: float = 0.01  # lowest true decay rate in the simulations, per epoch
fastest: float = 0.8  # highest true decay rate in the simulations, per epoch
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = (
    "traces_a",
    "examples",
    "held_out_epochs",
    "simulated_samples",
    "simulated_epochs",
    "slowest",
    "fastest",
)
names = (*names, "random_seed")
page = book.start("forgetting_curves", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)


def keep(key, interval, floor=0.0, **more):
    """Record an interval of `agreement` under a key of this page; a share does not go below 0."""
    limits = (
        (max(interval.low, floor), interval.high) if np.isfinite(interval.low) else (None, None)
    )
    return book.record(page, key, interval.estimate, *limits, n_seeds=interval.n_seeds, **more)


# %% [markdown]
# ## The retention trace
#
# Training shows every image to the network once per epoch. After each epoch we ask: is the image
# classified correctly? The answers, one bit per epoch, are the image's *trace*.
#
# - **First learned**: the first epoch with a correct answer. An image that never gets one is *never
#   learned*. It has no forgetting curve: it is left out and counted, not given a large number.
# - **Retention trace** $R(t)$: the answers from first learned on, with $t = 0, 1, \ldots$ epochs. By
#   definition $R(0) = 1$.
# - **Forgetting event**: right at one epoch and wrong at the next. An image that was learned and has no
#   such event is *never forgotten*: its retention trace is constant.

# %%
ds = book.use(page, traces.open_traces(traces_a))
correct = traces.correct(ds).values  # [seed, epoch, sample]
retention, length = curves.retention_traces(correct)  # [seed, sample, t], NaN after the end
fit = curves.fit_exponential(retention)

# %% tags=["hide-input"]
shares = {
    "never_learned": scores.never_learned(correct).astype(float),
    "never_forgotten": np.where(length > 0, scores.never_forgotten(correct), np.nan),
    "too_short": np.where(length > 0, fit.too_short, np.nan),
}
for key, values in shares.items():
    keep(key, two_way_mean(np.asarray(values, float), rng), fmt=".1%")
book.text(
    page,
    f"In these traces ({ds.sizes['seed']} seeds, {ds.sizes['epoch']} epochs, {ds.sizes['sample']:,} "
    "images), averaged over seeds: {never_learned} of the images are never learned. Of the learned ones, "
    "{never_forgotten} are never forgotten, and {too_short} are learned so late that fewer than three "
    "epochs remain, too few for a fit. Brackets hold 95 % intervals that resample seeds and images.",
)

# %% [markdown]
# ## An exponential, fitted by hand
#
# The **forgetting curve** is $R(t) = e^{-\lambda t}$ with one number, the decay rate $\lambda \ge 0$ per
# epoch. Its **half-life** is $\ln 2 / \lambda$ epochs. *Least squares* picks the $\lambda$ with the
# smallest sum of squares $\sum_t (R(t) - e^{-\lambda t})^2$.
#
# Pick a trace and move the dashed curve. Can you beat the fitted line?

# %% tags=["hide-input"]
forgotten = np.flatnonzero(fit.constant[0] & ~fit.too_short[0])[:1]
events = scores.forgetting_events(correct)[0]
ranked = np.argsort(np.nan_to_num(events), kind="stable")
spread = ranked[np.linspace(len(ranked) // 3, len(ranked) - 1, max(examples - 1, 1)).astype(int)]
shown = [i for i in [*spread[::-1], *forgotten] if length[0, i] > 2]
chosen = {str(ds["sample"].values[i]): i for i in shown}
charts.show(
    curve_explorer(
        {name: retention[0, i] for name, i in chosen.items()},
        {name: float(fit.rate[0, i]) for name, i in chosen.items()},
        title=f"Retention traces of {len(chosen)} images in one run, with their forgetting curves",
        description=(
            "Dots at 1 (right) and 0 (wrong) over the epochs since the image was first learned. A solid "
            "line is the fitted exponential; a dashed line follows a rate set by a slider. The sum of "
            "squares of both is written on top; the fitted one is never larger."
        ),
    )
)

# %% [markdown]
# Two things are worth noticing.
#
# - **The rate is 0 exactly when the image is never forgotten.** At $\lambda = 0$ the slope of the sum of
#   squares is $-2 \sum t$ over the wrong epochs, so one lapse at any $t \ge 1$ pushes $\lambda$ above 0. All
#   never-forgotten images are therefore tied at rate 0.
# - **A lapse that is made good again is not decay.** The curve can only go down. A trace like 1 1 0 1 1 1
#   is met with a compromise: a rate that is wrong about most epochs.
#
# The sum of squares can have several valleys along $\lambda$. `lethe` searches a grid of 97 rates,
# refines the two lowest valleys and compares them with both ends of the box $0 \le \lambda \le 5$. The tests
# compare it with a grid of 20,001 rates and with scipy.

# %% tags=["hide-input"]
usable = ~fit.too_short
rates = np.where(usable, fit.rate, np.nan)
at_top = np.where(usable, (fit.rate > 1) & fit.at_bound, np.nan)
keep("at_upper_bound", two_way_mean(at_top, rng), fmt=".1%")
middle = np.nanmedian(np.where(rates > 0, rates, np.nan))
book.record(page, "median_rate", middle, fmt=".3f")
book.record(page, "median_half_life", float(curves.half_life(middle)), fmt=".0f")
book.text(
    page,
    "Among the images that are forgotten at least once the median rate is {median_rate} per epoch, a "
    "half-life of {median_half_life} epochs (an extrapolation, see below). {at_upper_bound} of the rates sit on the upper bound 5: these "
    "images were wrong at every later epoch, so the data only say that the rate is large.",
)
log_rates = np.log10(np.where(rates > 0, rates, np.nan))
charts.show(
    charts.histogram(
        log_rates.ravel(),
        x_title="log10 of the decay rate per epoch (images forgotten at least once)",
        title="Decay rates of single runs",
        description=(
            "Histogram of the logarithm of the fitted decay rate over all runs and images that were "
            "forgotten at least once. Never-forgotten images have rate 0 and are not in the picture."
        ),
    )
)

# %% [markdown]
# ## How good is the fit? It depends on whom you ask
#
# $R^2 = 1 - \text{SSE} / \text{SST}$ compares the curve's sum of squares with that of the trace's own mean.
# For a never-forgotten image both are zero: $0/0$. So a *mean* $R^2$ over images needs a convention:
#
# | convention | a constant trace counts as |
# |---|---|
# | excluded | nothing: only images that were forgotten at least once count |
# | scored 1 | a perfect fit |
# | scored 0 | no better than the mean |
#
# With a share $s$ of constant traces, (scored 1) $= (1-s) \times$ (excluded) $+ s$. The convention alone
# moves the result by $s$.

# %%
quality = compare_r2(fit, fit, rng, draws=100)["a"]  # intervals over seeds and images

# %% tags=["hide-input"]
words = {"excluded": "excluded", "scored_1": "scored 1", "scored_0": "scored 0"}
for name in words:
    keep(f"r2_{name}", quality[name], floor=-np.inf)
book.text(
    page,
    "The same fits, three answers: mean $R^2$ = {r2_excluded} with constant traces excluded, {r2_scored_1} "
    "with constant traces scored 1, {r2_scored_0} with constant traces scored 0.",
)
charts.show(
    charts.interval_chart(
        [book.row(page, f"r2_{name}", f"constant traces {how}") for name, how in words.items()],
        title="One set of fits, three conventions",
        description="Mean R squared of the same exponential fits: "
        + ", ".join(
            f"{quality[name].estimate:.2f} with constant traces {how}"
            for name, how in words.items()
        )
        + ".",
        x_title="mean R² over images and seeds",
    )
)

# %% [markdown]
# A low $R^2$ on 0/1 data is no scandal: even a process that *is* exponential scatters between 0 and 1 around
# its curve. And $R^2$ below 0 means that the trace's mean describes it better than the curve.
# [Finding 2](finding_2_curve_fit.ipynb) compares two networks with this in mind.
#
# ## Which curve? Three referees
#
# `lethe` also fits a constant $c$, a power law $(1+t)^{-\beta}$ and the extended exponential
# $A e^{-\lambda t} + c$. A curve with more parameters always comes closer. Three referees charge for that:
#
# - **AIC** adds 2 for every parameter to $-2 \ln L$, where $L$ is the likelihood of the trace under the curve.
#   The likelihood can be *Gaussian* (least squares in another coat) or *Bernoulli* (each epoch a coin).
# - **BIC** adds $\ln n$ instead of 2, so it is harder on parameters.
# - **Held out**: fit all but the last epochs, then forecast those. The score is the *log loss*, minus the logarithm of the
#   probability given to what happened. A fair coin has 0.69; less is better. After $n$ epochs nobody may be surer than
#   $1 - 1/(2n+2)$, or one surprise would cost infinitely much.

# %%
lapsed = ~(fit.constant | fit.too_short)  # the forgotten images: only they tell curves apart
wins = {
    f"{name.upper()}, {likelihood}": lowest(table)
    for likelihood in ("gaussian", "bernoulli")
    for name, table in selection.criteria(retention, likelihood=likelihood).items()
}
losses = selection.held_out(retention, held_out_epochs)
rivals = selection.held_out_rivals(retention, held_out_epochs)
wins["held out"] = lowest({name: np.where(lapsed, x, np.nan) for name, x in losses.items()})
share_won = pd.DataFrame(wins).map(lambda share: float(np.nanmean(share))).T

# %% tags=["hide-input"]
charts.show(
    charts.heatmap(
        share_won.to_numpy(),
        rows=list(share_won.index),
        columns=list(share_won.columns),
        domain=(0, 1),
        scale_title="share of forgotten images",
        title="Which curve wins, by referee",
        description="; ".join(
            f"{referee}: " + ", ".join(f"{k} {v:.0%}" for k, v in row.items())
            for referee, row in share_won.iterrows()
        )
        + ".",
    )
)
log_loss = {name: float(np.nanmean(x)) for name, x in (losses | rivals).items()}
charts.show(
    charts.bars(
        list(log_loss),
        list(log_loss.values()),
        x_title=f"mean log loss of the last {held_out_epochs} epochs",
        title="Forecasts of epochs not seen (lower is better)",
        description="Bars: " + ", ".join(f"{k} {v:.3f}" for k, v in log_loss.items()) + ".",
        fmt=".3f",
    )
)
keep("loss_constant", two_way_mean(losses["constant"], rng), fmt=".3f")
keep("loss_exponential", two_way_mean(losses["exponential"], rng), fmt=".3f")
gap = losses["exponential"] - losses["constant"]
keep("loss_gap", two_way_mean(gap, rng), floor=-np.inf, fmt=".3f")
keep(
    "loss_gap_last",
    two_way_mean(losses["constant"] - rivals["last value"], rng),
    floor=-np.inf,
    fmt=".3f",
)
summary = page.results["loss_gap"].value > 0
nearer = page.results["loss_gap_last"].value > 0
book.text(
    page,
    "Log loss of the exponential {loss_exponential}, of the constant {loss_constant}; the difference is {loss_gap}. "
    "A forecast without any curve, *as at the last epoch seen*, has a loss lower than the constant's by {loss_gap_last}"
    + (
        ": where a trace stands says more about its next epochs than its average. "
        if nearer
        else ". "
    )
    + "The exponential is a *summary* of a trace, not its best *description*." * summary,
)

# %% [markdown]
# ## What one trace determines
#
# A fit always returns a number. Whether the trace *determines* it is another matter. Every fit has a flag:
#
# - **constant**: never forgotten, nothing fell; **too short**: fewer than three epochs;
# - **at bound**: the rate sits on the edge of its box, so the data only say "at least" or "at most";
# - **no amplitude**: the best extended curve has $A = 0$, and then any rate would do.
#
# A **likelihood interval** says how much is open: all rates whose likelihood is within a factor $e^{-1.92}$ of the best
# ($1.92$ is half of the 95 % point of $\chi^2_1$). For the extended curve each rate may choose its best $A$ and $c$. An
# interval that spans the *whole box* says: this trace knows nothing about the rate.

# %%
rated = (fit, curves.fit_power(retention), curves.fit_extended(retention))
by_curve = {one.curve: one for one in rated}
by_curve["extended, likelihood"] = curves.fit_extended(retention, method="bernoulli")
ends = {one.curve: curves.profile_interval(retention, curve=one.curve) for one in rated}


# %% tags=["hide-input"]
def known_share(name, one):
    """Shares of the forgotten traces by flag, and of the intervals that span the whole box."""
    flags = one.flag[lapsed]
    low, high = (end[lapsed] for end in ends[name.split(",")[0]])
    whole = (low <= one.bounds[0] * 1.001) & (high >= one.bounds[1] * 0.999)
    row = {flag: np.mean(flags == flag) for flag in ("ok", "at bound", "no amplitude")}
    return row | {"whole box": np.mean(whole)}


known_shares = pd.DataFrame({name: known_share(name, one) for name, one in by_curve.items()}).T
charts.show(
    charts.heatmap(
        known_shares.to_numpy(),
        rows=list(known_shares.index),
        columns=list(known_shares.columns),
        domain=(0, 1),
        scale_title="share of forgotten images",
        title="Does a trace determine its rate?",
        description="; ".join(
            f"{curve}: " + ", ".join(f"{k} {v:.0%}" for k, v in row.items())
            for curve, row in known_shares.iterrows()
        )
        + ".",
    )
)
for name in ("exponential", "extended"):
    whole = (ends[name][0] <= by_curve[name].bounds[0] * 1.001) & (
        ends[name][1] >= by_curve[name].bounds[1] * 0.999
    )
    keep(f"open_{name}", two_way_mean(np.where(lapsed, whole, np.nan), rng), fmt=".1%")
width = np.median(ends["exponential"][1][lapsed] / ends["exponential"][0][lapsed])
book.record(page, "interval_factor", width, fmt=".0f")
book.text(
    page,
    "The upper end of the exponential's interval is typically {interval_factor} times the lower end: one run tells slow from "
    "fast, not much more. For {open_extended} of the forgotten images the interval of the extended curve's rate is the "
    "whole box, from 0.001 to 5 per epoch. With three parameters a single trace does not determine a rate. (By least squares "
    "many of these rates sit on the upper bound: the curve falls from the first epoch, right by definition, to the "
    "average of the others.)",
)

# %% [markdown]
# ## Never forgotten is not "infinite"
#
# A trace that never falls is **right-censored**: training stopped before we saw what we waited for. Its fitted rate is 0 and
# its half-life infinite, but all it says is "longer than". How much longer? With rate $\lambda$ the chance of no lapse
# at $t = 1 \ldots T$ is $e^{-\lambda (1 + 2 + \ldots + T)}$. Rates that give this less than 5 % can be ruled
# out: $\lambda < 3.0 / \sum t$, the *rule of three*. So every half-life is shown with its interval, and a censored one only
# with its lower limit.

# %%
half_lives = curves.half_life_interval(retention)
censored = np.where(np.isfinite(half_lives.low), half_lives.censored, np.nan)
beyond = np.where(half_lives.censored | (length < 2), np.nan, half_lives.extrapolated)

# %% tags=["hide-input"]
keep("censored", two_way_mean(censored, rng), fmt=".1%")
keep("extrapolated", two_way_mean(beyond, rng), fmt=".1%")
longest = half_lives.low[half_lives.censored & (length == length.max())]
book.record(page, "half_life_limit", longest[0] if longest.size else np.nan, fmt=".0f")
lengths = np.arange(2, length.max() + 1)
limits = [curves.half_life_interval(np.ones((1, n))).low[0] for n in lengths]
charts.show(
    charts.lines(
        pd.DataFrame({"epochs": lengths, "half-life": limits}),
        "epochs",
        "half-life",
        title="What a trace without a lapse says: the half-life is longer than this",
        description=(
            f"Lower 95 % limit of the half-life over the number of epochs of a trace that never falls, from "
            f"{limits[0]:.2f} epochs at {lengths[0]} to {limits[-1]:.0f} at {lengths[-1]}."
        ),
        x_title="epochs in the trace",
        y_title="lower limit of the half-life, epochs",
    )
)
book.text(
    page,
    f"{{censored}} of the traces are censored. A full trace of {length.max()} epochs without a lapse says: half-life above "
    "{half_life_limit} epochs, *if* the curve is an exponential. Of the other half-lives {extrapolated} are longer than the "
    "trace itself: extrapolations. [Time to forgetting](time_to_forgetting.ipynb) asks the same without a curve.",
)

# %% [markdown]
# ## What one run can know
#
# Now three worlds in which the truth is known. In all of them *forgetting is a property of the image alone*:
# at epoch $t$ an image is right with its own probability $p(t)$, independently in every run.
#
# - **wide**: $p = e^{-\lambda t}$, rates spread evenly on a log scale between the two parameters above;
# - **as here**: $p = e^{-\lambda t}$, rates as estimated from the traces of this page (all runs together);
# - **three parameters**: $p = A e^{-\lambda t} + c$ with random $A$ and $c$, and all three are fitted.
#
# We fit each world twice, from different runs, and ask how well the two sets of rates agree.


# %%
def agreement_by_runs(world, fitter):
    """Spearman and top-decile Jaccard of rates fitted to two disjoint sets of runs of a world."""
    seen, rows = curves.retention_traces(world)[0], []
    for runs in (1, 2, 5, 10, 20):
        halves = [curves.pool_seeds(seen[start : start + runs]) for start in (0, 20)]
        pair = np.stack([fitter(*half).rate for half in halves])
        overlap = agreement.jaccard_matrix(pair, 0.1)[0, 1]
        rows.append((runs, agreement.spearman_matrix(pair)[0, 1], overlap))
    return pd.DataFrame(rows, columns=["runs", "correlation", "jaccard"])


image_rate = curves.shrink(*curves.pool_seeds(retention)).rate  # [sample], per epoch, from all runs
true_rate = np.exp(rng.uniform(np.log(slowest), np.log(fastest), simulated_samples))
here = rng.choice(image_rate[np.isfinite(image_rate)], simulated_samples)
wide = curves.simulate_correct(rng, true_rate, simulated_epochs, seeds=40)
as_here = curves.simulate_correct(rng, here, simulated_epochs, seeds=40)
floor = rng.uniform(0, 0.7, simulated_samples)  # c, with A between 0.3 and 1 - c
height = rng.uniform(0.3, 1 - floor)
decay = np.exp(-true_rate * np.arange(simulated_epochs)[:, None])
three = rng.random(wide.shape) < height * decay + floor
three[:, 0] = True  # a retention trace starts with a right answer
three_seen = curves.retention_traces(three)[0]
known = {
    "wide": agreement_by_runs(wide, curves.fit_exponential),
    "as here": agreement_by_runs(as_here, curves.fit_exponential),
    "three parameters": agreement_by_runs(three, curves.fit_extended),
}

# %% tags=["hide-input"]
for name, table in known.items():
    key = name.replace(" ", "_")
    book.record(page, f"agree_{key}", table["correlation"][0])
    book.record(page, f"agree_{key}_10", table["correlation"][3])
    book.record(page, f"jaccard_{key}", table["jaccard"][0])
book.text(
    page,
    "Agreement (Spearman) of rates fitted to **single** runs: {agree_wide} in the wide world, "
    "{agree_as_here} with rates as here, {agree_three_parameters} when amplitude and floor are fitted too. "
    "With ten runs behind each rate: {agree_wide_10}, {agree_as_here_10} and {agree_three_parameters_10}. "
    "The 10 % with the highest single-run rates overlap at a Jaccard index of {jaccard_wide}, "
    "{jaccard_as_here} and {jaccard_three_parameters}; chance gives 0.05.",
)
charts.show(
    charts.lines(
        pd.concat(table.assign(world=name) for name, table in known.items()),
        "runs",
        "correlation",
        "world",
        x_title="runs behind each fitted rate",
        y_title="Spearman correlation of two fits",
        title="Forgetting belongs to the image alone: how well do two fits agree?",
        description=(
            "Rank correlation of fitted rates from disjoint sets of runs, over the number of runs pooled in "
            "a fit, for three simulated worlds. More runs agree better; three parameters agree worst."
        ),
    )
)

# %% [markdown]
# Why do the worlds differ?
#
# - **Spread.** Agreement compares the spread of the true rates with the noise of one fit. Where most images
#   have nearly the same rate, two runs agree little, however intrinsic the rates are.
# - **Parameters.** A one-parameter rate also absorbs *how often* the image is wrong. With a free amplitude
#   and floor the rate is left with the *shape* of the fall, and 31 bits say little about a shape.
#
# The intervals tell the same story. In the third world, fitted with all three parameters:

# %% tags=["hide-input"]
rows = {}
for runs in (1, 10, 40):
    low, high = curves.profile_interval(*curves.pool_seeds(three_seen[:runs]), curve="extended")
    whole = (low <= 0.001001) & (high >= 4.999)
    inside = (low <= true_rate) & (true_rate <= high)
    book.record(page, f"coverage_extended_{runs}", inside.mean(), fmt=".1%")
    rows[runs] = (f"{inside.mean():.1%}", f"{whole.mean():.1%}", f"{np.median(high / low):.0f}")
columns = ["covers the true rate", "spans the whole box", "upper / lower end (median)"]
pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("runs")

# %% [markdown]
# Where nearly every interval is the whole box, it covers more often than 95 %, because it says nothing.
#
# A low agreement between runs is therefore not yet evidence that forgetting is random. It must be read
# against a *ceiling*: the agreement that a perfectly intrinsic rate would reach with traces of this length.
# [Finding 3](finding_3_seed_stability.ipynb) does that.
#
# **Try it.** Every image is an exponential of its own, and the true rates scatter around 0.08 per epoch. Choose how long the
# traces are and how much the images differ, and see how well the estimates rank the images.


# %%
def ranked_by(true, epochs, runs, noise):
    """Spearman correlation of three estimates with the true rates, from so many runs."""
    world = curves.simulate_correct(noise, true, epochs, runs)
    pooled = curves.pool_seeds(curves.retention_traces(world)[0])
    found = {
        "rate, one parameter": curves.fit_exponential(*pooled, method="bernoulli").rate,
        "rate, three parameters": curves.fit_extended(*pooled).rate,
        "mean retention": -pooled[0].mean(1),
    }
    return {k: agreement.spearman_matrix(np.stack([x, true]))[0, 1] for k, x in found.items()}


own = np.random.default_rng(random_seed)  # draws of its own, so that no other number moves
settings = itertools.product((11, 31, 101), (0.25, 0.5, 1.0, 2.0), (1, 2, 5, 10, 20))
grid = []
for epochs, spread, runs in settings:
    true = np.exp(own.normal(np.log(0.08), spread, 400)).clip(0, 5)
    found = ranked_by(true, epochs, runs, own)
    grid += [(epochs, spread, runs, *item) for item in found.items()]
grid = pd.DataFrame(grid, columns=["epochs", "spread", "runs", "estimate", "correlation"])

# %% tags=["hide-input"]
charts.show(
    charts.sliders(
        grid,
        "runs",
        "correlation",
        "estimate",
        choose={"epochs": "epochs in a trace", "spread": "spread (sd) of the log rates"},
        title="How well do fitted rates rank the images?",
        description=(
            "Rank correlation with the true rates of 400 simulated images over the number of runs pooled, for the "
            "rate fitted alone, the rate fitted with amplitude and floor, and the mean retention."
        ),
        x_title="runs pooled in each fit",
        y_title="Spearman correlation with the truth",
        start={"epochs": 31, "spread": 0.5},
    )
)

# %% tags=["hide-input"]
alone = grid[grid.estimate == "rate, one parameter"]
by_setting = alone.set_index(["epochs", "spread", "runs"]).correlation
book.record(page, "rank_31_1", by_setting[31, 0.5, 1])
book.record(page, "rank_101_1", by_setting[101, 0.5, 1])
book.record(page, "rank_31_5", by_setting[31, 0.5, 5])
book.record(page, "rank_31_wide", by_setting[31, 2.0, 1])
book.text(
    page,
    "At a spread of 0.5 a single run of 31 epochs ranks the images with a correlation of {rank_31_1}. A run of 101 epochs: "
    "{rank_101_1}. Five runs of 31 epochs: {rank_31_5}. Images that differ four times as much: {rank_31_wide}, but that no "
    "statistician can buy. The plain mean retention orders the images about as well as a fitted rate.",
)

# %% [markdown]
# ## Better estimates from the same data
#
# Least squares treats the bits as if they were measurements with equal errors. Two alternatives:
#
# - **Likelihood**: choose the rate that makes the observed bits most probable if each epoch is an
#   independent coin with chance $e^{-\lambda t}$. The negative log-likelihood is convex in $\lambda$, so there is
#   one optimum, and a likelihood interval comes with it.
# - **Shrunken** (empirical Bayes): assume the images' rates come from one unknown distribution, estimate
#   that distribution from all traces at once, and report each image's average rate given its trace. An image
#   with a strange trace is pulled towards what is common.

# %%
seen = curves.retention_traces(wide[0])[0]
estimates = {
    "least squares": curves.fit_exponential(seen).rate,
    "likelihood": curves.fit_exponential(seen, method="bernoulli").rate,
    "shrunken": curves.shrink(seen).rate,
}
error = {name: float(np.sqrt(np.mean((rate - true_rate) ** 2))) for name, rate in estimates.items()}
low, high = curves.profile_interval(seen)
covered = float(np.mean((low <= true_rate) & (true_rate <= high)))
low_here, high_here = curves.profile_interval(retention)  # of single real runs, [seed, sample]
holds = (low_here <= image_rate) & (image_rate <= high_here)
holds_here = two_way_mean(np.where(fit.too_short, np.nan, holds), rng)

# %% tags=["hide-input"]
for name, value in error.items():
    book.record(page, "error_" + name.replace(" ", "_"), value, fmt=".3f")
book.record(page, "coverage", covered, fmt=".1%")
charts.show(
    charts.bars(
        list(error),
        list(error.values()),
        x_title="root mean squared error of the rate, one run",
        title="Three estimates of the same true rates",
        description="Bars: " + ", ".join(f"{k} {v:.3f}" for k, v in error.items()) + ".",
        fmt=".3f",
    )
)
book.text(
    page,
    "Root mean squared errors: least squares {error_least_squares}, likelihood {error_likelihood}, shrunken "
    "{error_shrunken}. Most of the error of the first two comes from images that were wrong at every later "
    "epoch, whose rate they put at the bound 5. The 95 % likelihood interval covers the truth for {coverage} of "
    "the images.",
)
keep("coverage_here", holds_here, fmt=".1%")
book.text(
    page,
    "On the real traces the interval of a single run covers the image's rate from all runs for "
    "{coverage_here} of the images. Far below 95 % would mean that epochs are not independent coins, or that the "
    "rate belongs to the run. Near 95 % means that *for the rate* both assumptions do little harm here. It does "
    "not mean that the curve has the right shape: see [Finding 2](finding_2_curve_fit.ipynb).",
)

# %% [markdown]
# ## Shrinkage, seen
#
# How far is a rate pulled? As a rule, the less its trace says, the further: one lapse in 31 epochs fits many rates. A rate
# of 0 is pulled up (it means "longer than", not "never"), a rate at the bound comes down.

# %%
raw = curves.fit_exponential(retention, method="bernoulli").rate
shrunken = np.stack([curves.shrink(one_run).rate for one_run in retention])
wrong = np.where(fit.too_short, np.nan, (retention == 0).sum(-1))  # epochs in each trace
pull = np.where(raw > 0, shrunken / np.where(raw > 0, raw, 1), np.nan)
groups = pd.cut(
    wrong.ravel(), [0, 1, 2, 4, 8, np.inf], labels=["1", "2", "3-4", "5-8", "9 or more"]
)
spread = pd.Series(np.abs(np.log2(pull)).ravel()).groupby(groups, observed=True).median()
saved = losses["exponential"] - rivals["shrunken"]

# %% tags=["hide-input"]
charts.show(
    charts.scatter(
        np.log10(np.where(raw > 0, raw, np.nan)),
        np.log10(shrunken),
        x_title="log10 of the rate by likelihood, single run",
        y_title="log10 of the shrunken rate",
        title="From the raw to the shrunken rate",
        description=(
            "Raw against shrunken decay rates of all runs on logarithmic axes. Low raw rates are raised, very "
            "high ones lowered, towards the rates that are common in the run."
        ),
        unit="traces",
    )
)
charts.show(
    charts.bars(
        [f"wrong {words} times" if words != "1" else "wrong once" for words in spread.index],
        spread.to_list(),
        x_title="median pull in doublings (1 = a factor of 2)",
        title="How far each rate is pulled, by how often the image was wrong",
        description="Bars: " + ", ".join(f"wrong {k}: {v:.2f}" for k, v in spread.items()) + ".",
    )
)
book.record(page, "shrunken_zero", np.nanmedian(shrunken[raw == 0]), fmt=".4f")
keep("shrinkage_saves", two_way_mean(saved, rng), floor=-np.inf, fmt=".4f")
book.text(
    page,
    "Never-forgotten images get a rate of {shrunken_zero} (median) instead of 0. Does it pay? As forecasts of the last "
    f"{held_out_epochs} epochs, exponentials with shrunken rates have a log loss lower by {{shrinkage_saves}} than with raw rates.",
)

# %% [markdown]
# ## The pooled-curve trap
#
# Average the traces of many images and you get one smooth curve. Its shape says little about any single
# image: a mixture of exponentials with different rates falls fast at first (the fast ones go) and slowly
# later (the slow ones stay), like a power law. The simulated images above are *all* exponential.

# %%
pooled = wide.mean(axis=(0, 2))  # share right at t, over all runs and images
trap = selection.curve_fits(pooled[None])
criterion = {name: float(x[0]) for name, x in selection.criteria(pooled[None])["aic"].items()}
drawn = [one for name, one in trap.items() if name != "constant"]
heights = {one.curve: curves.predict(one, simulated_epochs)[0] for one in drawn}

# %% tags=["hide-input"]
heights = {"average of the traces": pooled, **heights}
table = (
    pd.DataFrame(heights).assign(t=np.arange(simulated_epochs)).melt("t", None, "curve", "height")
)
charts.show(
    charts.lines(
        table,
        "t",
        "height",
        "curve",
        x_title="t, epochs since first learned",
        y_title="share right",
        title="Every image is exponential, their average is not",
        description=(
            "The average retention of simulated images with different exponential rates, and three fitted "
            "curves. The exponential falls too slowly at first and too fast later."
        ),
    )
)
book.record(page, "trap_exponential", criterion["exponential"], fmt=".0f")
book.record(page, "trap_power", criterion["power"], fmt=".0f")
book.text(
    page,
    f"Akaike's criterion prefers the **{min(criterion, key=criterion.get)}** curve for the average "
    "(exponential {trap_exponential}, power law {trap_power}; lower is better), although no image follows "
    "it. Fit images one by one, or say that the curve is that of the crowd.",
)

# %% [markdown]
# ## Which images decay fast?
#
# To rank images we use all seeds at once: one shrunken rate per image from its traces in every run.

# %%
order = np.argsort(np.nan_to_num(image_rate, nan=-1.0), kind="stable")

# %% tags=["hide-input"]
labels = np.array(traces.class_names(ds))[ds["label"].values]
by_class = pd.Series(image_rate).groupby(labels).mean().sort_values(ascending=False)
charts.show(
    charts.bars(
        [str(name) for name in by_class.index[:10]],
        by_class.to_list()[:10],
        x_title="mean decay rate per epoch",
        title=f"The {min(len(by_class), 10)} classes that decay fastest",
        description="Bars: " + ", ".join(f"{k} {v:.3f}" for k, v in by_class[:10].items()) + ".",
        fmt=".3f",
    )
)

# %% tags=["hide-input"]
fastest_16 = order[-16:][::-1]
half = curves.half_life(image_rate[fastest_16])
captions = [f"{kind} · {h:.1f}" for kind, h in zip(labels[fastest_16], half, strict=True)]
title = "The 16 images with the fastest decay: class and half-life in epochs"
display(dataset_facts.sheet(ds, fastest_16, captions, title))

# %% [markdown]
# ## Limits
#
# - The exponential starts at 1 and only falls. Training data are often lost and *regained*; the curve has
#   no word for that. The rate is then a summary of how much is missing and how early, not a mechanism.
# - Rates depend on the number of epochs observed and on the recipe. Compare them within one store only.
# - The likelihood, its intervals and the shrinkage assume independent epochs and the right curve. The check on
#   real traces above uses the same data twice; the forecasts do not.
# - On a bound of the box a likelihood interval is only approximate, and at a rate of 0 its upper end is too low: use the
#   lower limit of the half-life, which is exact under the curve.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). The forgetting curve of an image has the decay rate 0.1 per epoch. After how many epochs is
# the image right half of the time, to one decimal?
#
# ```{admonition} Solution
# :class: dropdown
# $e^{-0.1 t} = 1/2$ gives $t = \ln 2 / 0.1 = 6.9$ epochs.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = np.log(2) / 0.1

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    float(curves.half_life(0.1)),
    within=0.11,
    hint="at which t does the curve reach one half? The text names it: the half-life",
    traps={
        "after that many epochs the curve is down to 1/e = 37 %": 1 / 0.1,
        "that would hold on a straight line, and the curve flattens": 0.5 / 0.1,
        "the logarithm is the natural one, to the base e": np.log10(2) / 0.1,
    },
)

# %% [markdown]
# **Exercise 2** (level 1, read off). A paper reports a mean $R^2$ of 0.74 with constant traces scored 1, and 60 % of its images
# are never forgotten. What is the mean $R^2$ over the images that were forgotten?
#
# ```{admonition} Solution
# :class: dropdown
# $0.74 = 0.4 x + 0.6$, so $x = 0.35$. The headline is mostly a count of images that were never forgotten. So a paper has to
# say which convention it uses.
# ```

# %% tags=["solution", "hide-cell"]
answer_2 = (0.74 - 0.6) / 0.4

# %% tags=["check"]
headlines = [np.mean([1.0] * 60 + [x] * 40) for x in (0, 1)]  # of 100 images, forgotten ones at x
exercises.check(
    2,
    answer_2,
    np.interp(0.74, headlines, [0, 1]),
    within=0.005,
    hint="think of 100 images, 60 of which add a 1 each to the sum. The other 40 have to add the rest",
    traps={
        "that is what the forgotten images add to the mean: divide by their share": 0.74 - 0.6,
        "that takes the constant traces as scored 0": 0.74 / 0.4,
        "that divides by the share of the never forgotten": (0.74 - 0.6) / 0.6,
        "that is their share of the headline if every image scored alike": 0.74 * 0.4,
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). An image that is never forgotten has rate 0. Is that a property of the image? Of the images
# never forgotten in the first run (`correct[0]`), which share is forgotten in at least one of the other runs?
#
# ```{admonition} Solution
# :class: dropdown
# Mark the images with `scores.never_forgotten(correct[0])`, and count those with an event in any of `correct[1:]`. A large share is: a rate
# of 0 says "longer than this training in this run", and another run may show the end. The never-learned have no events, so
# they need no special care in the other runs.
# ```

# %% tags=["solution", "hide-cell"]
steady_at_first = scores.never_forgotten(correct[0])
lapses_elsewhere = (np.nan_to_num(scores.forgetting_events(correct[1:])) > 0).any(axis=0)
answer_3 = lapses_elsewhere[steady_at_first].mean()

# %% tags=["check"]
falls = (correct[:, :-1] & ~correct[:, 1:]).any(axis=1)  # [seed, sample]
steady = correct[0].any(axis=0) & ~falls[0]
exercises.check(
    3,
    answer_3,
    falls[1:, steady].any(axis=0).mean(),
    within=1e-6,
    hint="first choose the images, then ask for each of them whether any other run has a forgetting event",
    traps={
        "that is the share in one other run, on average: one of them is enough": falls[
            1:, steady
        ].mean(),
        "divide by the images never forgotten in the first run, not by all": (
            falls[1:].any(axis=0) & steady
        ).mean(),
        "these are never forgotten in the other runs either": 1
        - falls[1:, steady].any(axis=0).mean(),
        "these are forgotten in every other run": falls[1:, steady].all(axis=0).mean(),
        "an image that is never learned is not one that is never forgotten": falls[1:, ~falls[0]]
        .any(axis=0)
        .mean(),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). More epochs or more runs, with the default `slowest` and `fastest`? Take the rates `true_rate[:500]` and simulate with
# `curves.simulate_correct`. Fit single runs of 121 epochs and compare two such runs (Spearman). Then fit four runs of 31 epochs
# together (`curves.pool_seeds`) and compare two such sets. Answer with `{"longer": ..., "more": ...}`. Both have about as
# many epochs: which agrees better, and why?
#
# ```{admonition} Solution
# :class: dropdown
# More runs help much more. Once an image has decayed, further zeros add nothing: most of a long trace is watched for
# nothing. Each new run starts at 1 again and shows the fall once more. (For the slowest images a long trace does help: their fall
# takes longer than 31 epochs.)
# ```

# %% tags=["solution", "hide-cell"]
own_rng = np.random.default_rng(random_seed)
rate_500 = true_rate[:500]
long_runs = curves.retention_traces(curves.simulate_correct(own_rng, rate_500, 121, seeds=2))[0]
many_runs = curves.retention_traces(curves.simulate_correct(own_rng, rate_500, 31, seeds=8))[0]
sets = [curves.pool_seeds(many_runs[half]) for half in (slice(0, 4), slice(4, 8))]
fitted = {
    "longer": curves.fit_exponential(long_runs).rate,
    "more": np.stack([curves.fit_exponential(*one).rate for one in sets]),
}
answer_4 = {name: agreement.spearman_matrix(rate)[0, 1] for name, rate in fitted.items()}

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda a: set(a) == {"longer", "more"} and 0 < a["longer"] < a["more"] < 0.9999,
    kind=dict,
    hint="two correlations, each of two fits to *different* runs: pool four runs with curves.pool_seeds and fit once, "
    "`curves.fit_exponential(*pooled)`. If the longer runs seem to win, look whether the sets share runs or are fitted run by run",
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun forgetting_curves -p traces_a=glyphs-test_vit-quick -p fastest=0.4
# lethe rerun forgetting_curves -p traces_a=cifar7-test_resnet-quick
# ```

# %% tags=["remove-cell", "nbval-check-output"]
print(
    {name: str(page.results[name]) for name in ("agree_wide", "agree_three_parameters", "coverage")}
)

# %% tags=["remove-input"]
book.finish(page)
