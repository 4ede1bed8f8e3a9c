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
# # How agreement works: what two runs can have in common
#
# **In one sentence.** Train twice, rank the images by how much they are forgotten, and compare: the number that comes out
# depends on the images, but as much on how long the runs were, how many were averaged and how ties were broken, so it
# must be read between what chance gives and the most that could be seen.
#
# **You will learn** (1) what Spearman, Jaccard, Kendall's $W$ and ICC measure, on data where the truth is known, (2) what
# chance gives, and what *perfectly intrinsic* forgetting would give (move the sliders), (3) how many seeds a reliable
# ranking takes, (4) why the seed, not the image, is the unit of an experiment, (5) how to say "no effect", (6) where the
# intervals of this book do not cover the truth.
#
# **Time**: 20 minutes to read, under a minute to rerun. **You need**: [forgetting curves](forgetting_curves.ipynb)
# (helpful); the correlation coefficient.

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
from scipy import stats

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.simulate import rates_with_variance, simulate_correct
from lethe.pages import book, charts, exercises, rerun

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
traces_a: str = "glyphs-test_resnet-quick"  # trace store to look at
score: str = "mean_retention"  # what the images are ranked by
fraction: float = 0.1  # share of the images called the most forgotten
simulated_images: int = 2000  # images in the simulations with known truth
bootstrap: int = 200  # resamples behind each interval
margin: float = 0.1  # correlations smaller than this count as none
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("traces_a", "score", "fraction", "simulated_images", "bootstrap", "margin", "random_seed")
page = book.start("how_agreement_works", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)
results = rerun.ROOT / "benchmarks" / "results"  # tables that took longer than a page may

# %% [markdown]
# ## Five measures, four worlds
#
# Each run gives every image a score; higher means more forgotten. Agreement of runs can then be asked in several ways.
#
# | measure | the question | blind to |
# |---|---|---|
# | **Spearman** | do two runs rank all images alike? | the size of differences |
# | **Jaccard**, top share | do two runs name the same most-forgotten images? Shared images / images named by either | everything outside of the top |
# | **Kendall's $W$** | do *all* runs rank alike, taken together? | which run is odd |
# | **ICC(2,1)** | what share of the variance of one run's scores belongs to the image? | nothing: it asks for equal *values* |
# | **ICC(2,k)** | the same for the mean over all $k$ runs | single runs |
#
# $W$ adds nothing to the mean Spearman correlation $\bar\rho$ of $k$ runs: without ties $W = (1 + (k-1)\bar\rho)/k$. It is
# $1/k$, not 0, for runs that have nothing in common.
#
# Now four worlds: the traces of this page; the same with images shuffled in every run (chance); and two simulated worlds. In the
# first, each image has one decay rate, the same in all runs. In the second, half of the variance of the log rates
# belongs to the image and half to the image *in that run*.

# %%
ds = book.use(page, traces.open_traces(traces_a))
ranked = scores.harder(scores.score(ds, score)).transpose("seed", "sample").values
seeds, n = ranked.shape


def simulated(image, rest, runs=seeds, epochs=31):
    """Scores [run, image] of a world; the spreads are standard deviations of the log rate."""
    rate = rates_with_variance(rng, 0.05, image, 0, rest, runs, simulated_images)
    return -scores.mean_retention(simulate_correct(rng, rate, epochs))


def measured(values):
    """Five measures of agreement of scores [run, image]."""
    found = {"Spearman": agreement.mean_pairwise(agreement.spearman_matrix(values))}
    overlap = agreement.jaccard_matrix(values, fraction)
    found[f"Jaccard, top {fraction:.0%}"] = agreement.mean_pairwise(overlap)
    found["Kendall's W"] = agreement.kendall_w(values)
    found["ICC(2,1)"] = agreement.icc(values)
    found["ICC(2,k)"] = agreement.icc(values, "average")
    return found


worlds = {
    "these traces": ranked,
    "shuffled": agreement.shuffle_samples(ranked, rng),
    "simulated: all in the image": simulated(1.0, 0),
    "simulated: half in the image": simulated(0.7, 0.7),
}
table = pd.DataFrame({name: measured(values) for name, values in worlds.items()})

# %% tags=["hide-input"]
book.record(page, "seeds", seeds, fmt=".0f")
for key, world in zip(("here", "shuffled", "all", "half"), table, strict=True):
    book.record(page, f"rho_{key}", table.loc["Spearman", world])
    book.record(page, f"w_{key}", table.loc["Kendall's W", world])
book.text(
    page,
    f"With {{seeds}} seeds and {n:,} images, ranked by {scores.SCORES[score].title}: two seeds agree at {{rho_here}}. Chance "
    "gives {rho_shuffled}; note that Kendall's $W$ is then still {w_shuffled}. Where everything is in the image, two "
    "runs agree at {rho_all}, not at 1: the dice of single epochs keep them apart. Where half is in the image they "
    "agree at {rho_half}.",
)
table.round(2)

# %% [markdown]
# ## What chance gives
#
# **Ranks.** Shuffled images give a Spearman correlation of 0 on average, with a standard deviation of about
# $1/\sqrt{n-1}$ for one pair of runs. With thousands of images almost any correlation is "significant". Significance is
# not the question; size is.
#
# **Top sets.** Two random sets of $k$ out of $n$ images share a hypergeometric number of images. Their Jaccard index
# is *not* 0, and it depends on the share: for small $q$ it is about $q / (2 - q)$.

# %%
shares = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
shares = shares[np.round(shares * n) >= 1]
chance = pd.DataFrame([agreement.jaccard_null(n, q) for q in shares], columns=["j", "low", "high"])
prepared = agreement.sort_runs(ranked)
here = [agreement.mean_pairwise(agreement.jaccard_matrix(prepared, q)) for q in shares]
overlap = pd.concat(
    [
        chance.assign(q=shares, what="two random sets, 95 % range"),
        pd.DataFrame({"j": here, "low": here, "high": here, "q": shares, "what": "two seeds"}),
    ]
)

# %% tags=["hide-input"]
at = int(np.argmin(abs(shares - fraction)))
book.record(page, "jaccard_chance", *chance.iloc[at], fmt=".3f")
book.record(page, "jaccard_here", here[at])
corrected = agreement.chance_corrected(here[at], chance["j"][at])
book.record(page, "jaccard_corrected", corrected)
charts.show(
    charts.lines(
        overlap,
        "q",
        "j",
        "what",
        band=("low", "high"),
        x_title="share of the images called most forgotten",
        y_title="Jaccard index",
        title="The overlap of two top sets, and of two random sets of their size",
        description=(
            f"Jaccard index over the share of images in the top set. At {shares[at]:.0%} two seeds overlap at "
            f"{here[at]:.2f}, two random sets at {chance['j'][at]:.3f}; both rise with the share."
        ),
    )
)
book.text(
    page,
    f"At {shares[at]:.0%}, chance gives {{jaccard_chance}} and two seeds have {{jaccard_here}}. Beyond chance, on a scale "
    "where 0 is chance and 1 is identity, that is {jaccard_corrected}.",
)

# %% [markdown]
# ## What the most could be: move the sliders
#
# Suppose forgetting is *perfectly intrinsic*: every image has one decay rate $\lambda$, in every run, and is right $t$
# epochs after it was learned with probability $e^{-\lambda t}$. Nothing else differs between images. How well would two
# rankings agree? That depends on three things:
#
# - the **true spread** of the log rates (horizontal axis): if all images are alike, there is nothing to agree on;
# - the number of **epochs**: a longer trace tells more about its image;
# - the number of **seeds averaged** in each ranking before the two are compared.

# %%
grid = pd.read_csv(results / "intrinsic_grid.csv")  # benchmarks/intrinsic_grid.py
charts.show(
    charts.sliders(
        grid,
        "spread",
        "spearman",
        "score",
        choose={"averaged": "seeds averaged", "epochs": "epochs"},
        start={"averaged": 1, "epochs": 30},
        x_title="true spread: standard deviation of the log rates",
        y_title="Spearman correlation of two rankings",
        title="If forgetting were perfectly intrinsic: the agreement you would see",
        description=(
            "Agreement of two rankings by decay rate, mean retention and forgetting events over the true spread of "
            "the images' log rates. It rises with spread, epochs and seeds; forgetting events agree least."
        ),
    )
)

# %% tags=["hide-input"]
point = grid.set_index(["spread", "epochs", "averaged", "score"])["spearman"]
titles = {key: scores.SCORES[key].title for key in ("decay_rate", "forgetting_events")}
for key, form in {"low": (0.25, 30, 1), "mid": (1, 30, 1), "ten": (1, 30, 10)}.items():
    for name, words in titles.items():
        book.record(page, f"{name}_{key}", point[*form, words])
again = agreement.mean_pairwise(agreement.spearman_matrix(simulated(1.0, 0)))
book.record(page, "again", again)
book.record(page, "stored", point[1, 30, 1, scores.SCORES["mean_retention"].title])
book.text(
    page,
    "Decay rate and mean retention agree so nearly alike that one line hides the other. "
    "With a spread of 1 (a typical image decays $e$ times faster or slower than the median) and single runs of 30 epochs, "
    "perfectly intrinsic decay rates agree at {decay_rate_mid}, forgetting events at {forgetting_events_mid}. With a spread of "
    "0.25 it is {decay_rate_low} and {forgetting_events_low}, although *nothing* about the forgetting is random but the dice. "
    "Averaging ten seeds first gives {decay_rate_ten} and {forgetting_events_ten}. The grid was computed beforehand "
    "(`benchmarks/intrinsic_grid.py`); one point of it computed here, for mean retention: {again}, in the grid {stored}.",
)

# %% [markdown]
# So "two seeds agree at 0.2" may mean *mostly chance* or *all in the image, but the ruler is poor*. The number
# must be read against the ceiling for traces like one's own. [Finding 3](finding_3_seed_stability.ipynb) computes it.
#
# ## How many seeds? Spearman-Brown and the planner
#
# If two single runs agree at $\rho$, the means of $k$ runs agree at
#
# $$\rho_k = \frac{k\rho}{1 + (k-1)\rho}.$$
#
# Solved for $k$ this is a planner: how many seeds for 0.8? The formula assumes that every run is as noisy as the next, for every image.
# It was made for values, not ranks, and promises too much where some images are noisier than others: a count of
# forgetting events is nearly certain for an image that is never lost, and a gamble for one that comes and goes.

# %%
start = {name: point[1, 30, 1, words] for name, words in titles.items()}
growth = grid.query("spread == 1 and epochs == 30 and score in @titles.values()")
short = {titles["decay_rate"]: "rate", titles["forgetting_events"]: "events"}
growth = growth.assign(what=growth["score"].map(short) + ", simulated")
formula = [
    {
        "averaged": k,
        "spearman": agreement.spearman_brown(rho, k),
        "what": f"{short[titles[name]]}, formula",
    }
    for name, rho in start.items()
    for k in range(1, 21)
]
plan = {rho: agreement.seeds_needed(rho) for rho in (0.01, 0.05, 0.1, 0.2, 0.4, 0.6)}

# %% tags=["hide-input"]
both = pd.concat([growth, pd.DataFrame(formula)])
charts.show(
    charts.lines(
        both,
        "averaged",
        "spearman",
        "what",
        x_title="seeds averaged in each ranking",
        y_title="Spearman correlation",
        title="Averaging seeds: simulation and the Spearman-Brown formula",
        description="Agreement of two averages rises with the number of seeds; the formula, started at the single-run "
        "agreement, lies close to the simulation.",
    )
)
book.record(page, "events_formula", agreement.spearman_brown(start["forgetting_events"], 10))
halves = agreement.split_half(ranked, rng, draws=20)
book.record(page, "halves", halves)
k = seeds // 2
book.record(
    page, "halves_formula", agreement.spearman_brown(table.loc["Spearman", "these traces"], k)
)
book.text(
    page,
    "In the simulation the formula promises {events_formula} for ten seeds' forgetting events, and {forgetting_events_ten} is "
    "found. "
    f"On the traces of this page, the means of two halves ({k} seeds each) agree at {{halves}}; the formula says {{halves_formula}}.",
)
pd.DataFrame({f"{rho:g}": [f"{runs:.0f}"] for rho, runs in plan.items()}, index=["seeds for 0.8"])

# %% [markdown]
# ## Why the seed is the unit
#
# Ten thousand images in three runs are three runs. If seeds differ in quality, all correlations that involve an odd seed move together,
# however many images there are. An interval that redraws only images cannot see that: it answers "what if I had taken
# other images, with *these very* seeds?" The intervals of this book redraw seeds and images.


# %%
def both_ways(values):
    """Interval of the mean Spearman correlation: over images only, and over seeds and images."""
    matrix, (runs, images) = agreement.spearman_on(values), values.shape

    def mean(_, weights):
        return (agreement.mean_pairwise(matrix(weights)),)

    only = agreement.pigeonhole_bootstrap(mean, (1,), images, rng, bootstrap)[0]
    return only, agreement.cross_seed(matrix, runs, images, rng, bootstrap)


rows = []
for runs in [k for k in (3, 6, 10) if k < seeds] + [seeds]:
    for what, found in zip(
        ("images only", "seeds and images"), both_ways(ranked[:runs]), strict=True
    ):
        rows.append({"label": f"{runs} seeds, redrawing {what}", "runs": runs, "found": found})

# %% tags=["hide-input"]
shown = [
    {"label": r["label"], "estimate": r["found"].estimate}
    | ({"low": r["found"].low, "high": r["found"].high} if np.isfinite(r["found"].low) else {})
    for r in rows
]
charts.show(
    charts.interval_chart(
        shown,
        title="The same correlation, two intervals",
        description="; ".join(
            f"{r['label']}: {r['found'].estimate:.3f} [{r['found'].low:.3f}, {r['found'].high:.3f}]"
            for r in rows
        ),
        x_title="mean Spearman correlation of two seeds",
        fmt=".3f",
    )
)
width = [r["found"].high - r["found"].low for r in rows]
book.record(page, "wider", width[-1] / width[-2], fmt=".1f")
book.record(page, "wider_few", width[1] / width[0], fmt=".1f")
book.text(
    page,
    f"With {rows[0]['runs']} seeds the interval over seeds and images is {{wider_few}} times as wide as the one over images alone; with "
    f"{seeds} it is {{wider}} times as wide. How often either holds the truth is measured below, in worlds where the truth is known.",
)

# %% [markdown]
# ## Ties
#
# A score that counts, such as forgetting events, has few values, and thousands of images share one. Ranks: tied images get their
# average rank, which is exact. Top sets: the cut runs through a group of tied images, and *which* of them are in the top set
# is a matter of lot. `lethe` reports the expected overlap over all tie breaks; a library that breaks ties by
# position gives one of them, and makes two runs agree on the order of the files.


# %%
def by_position(pair):
    """Jaccard index of two top sets where ties are broken by the order of the images."""
    size = round(fraction * pair.shape[1])
    first, second = (np.argsort(-run, kind="stable")[:size] for run in pair)
    return len(np.intersect1d(first, second)) / len(np.union1d(first, second))


rows = {}
for name in ("forgetting_events", "decay_rate"):
    pair = scores.harder(scores.score(ds, name)).transpose("seed", "sample").values[:2]
    pair = pair[:, ~np.isnan(pair).any(axis=0)]  # images known in both runs
    drawn = agreement.jaccard_top(*pair, fraction, rng, draws=100)
    lots = agreement.tie_share(pair[0], fraction)
    rows[name] = lots, drawn.mean(), drawn.min(), drawn.max(), by_position(pair)

# %% tags=["hide-input"]
book.record(page, "by_lot", rows["forgetting_events"][0], fmt=".0%")
pd.DataFrame(
    {
        scores.SCORES[name].title: [f"{row[0]:.0%}", *(f"{value:.3f}" for value in row[1:])]
        for name, row in rows.items()
    },
    index=[
        "places in the top set filled by lot",
        "Jaccard of two seeds, mean over tie breaks",
        "least over 100 tie breaks",
        "most over 100 tie breaks",
        "ties broken by position",
    ],
)

# %% [markdown]
# ## "No effect" in one picture
#
# A correlation that is not significantly different from 0 is not shown to be 0. **Two one-sided tests** (TOST) turn the burden of proof
# around: name a margin beforehand; the effect counts as none only if "below minus the margin" *and* "above the
# margin" are both rejected at 5 %. In the picture: the 90 % interval (narrower than the usual one, because each
# test is one-sided) must lie wholly inside the band.

# %%
examples = {"precise and small": (0.02, 0.02), "small but imprecise": (0.02, 0.08)}
examples |= {"precise and large": (0.2, 0.03)}
rows = []
for label, (estimate, se) in examples.items():
    test = agreement.tost_equivalence(estimate, se, 10, margin)
    word = "shown to be none" if test.equivalent else "not shown to be none"
    reach = 1.833 * se  # 95th percentile of t with 9 degrees of freedom
    rows.append({"label": f"{label}, {word}", "estimate": estimate, "null": (-margin, margin)})
    rows[-1] |= {"low": estimate - reach, "high": estimate + reach}

# %% tags=["hide-input"]
charts.show(
    charts.interval_chart(
        rows,
        title=f"Equivalence to zero, margin {margin}, 10 seeds: 90 % intervals against the band",
        description="Three effects with 90 % intervals against a band around 0: "
        + "; ".join(row["label"] for row in rows)
        + ".",
        x_title="effect (grey: smaller than the margin)",
    )
)

# %% [markdown]
# How often does the test say "none" where it must not? Put the truth right *on* the margin, so that "smaller than the margin" is just
# false, and repeat the experiment: ten seeds, each with an effect of its own around the truth. At most 5 % may be wrong.

# %%
repeats = margin + margin * rng.normal(size=(1000, 10))  # [experiment, seed]
errors = repeats.std(axis=1, ddof=1) / np.sqrt(10)
tests = [
    agreement.tost_equivalence(mid, se, 10, margin)
    for mid, se in zip(repeats.mean(axis=1), errors, strict=True)
]
wrong = np.mean([test.equivalent for test in tests])

# %% tags=["hide-input"]
book.record(page, "wrongly_none", wrong, fmt=".1%")
book.text(page, "Wrongly said to be none: {wrongly_none} of 1,000 simulated experiments.")

# %% [markdown]
# ## Do the intervals cover?
#
# A 95 % interval is a promise: in 95 of 100 experiments it holds the truth. The promise can be tested where the truth is known. We
# simulate whole experiments, compute the interval in each as the pages do, and count. The rule, named beforehand: an
# interval *covers* if its share lies between 93 and 97 %, give or take two standard errors of the count; below it is *too narrow*, above *too
# wide*. Too wide is a waste; too narrow is a false claim.
#
# The worlds: images differ in their log rates (standard deviation 1 or a little more), and so do images from run to run (0.5). *Seeds alike*:
# seeds do not differ otherwise; *unlike*: their log rates differ by 0.5 or, *very unlike*, 1.5. Epochs are independent coins, or
# *serial* (neighbouring epochs alike), or *lapse and relearn* (lost and found, no decay). In *families*, 20 images at a time share
# their rate, like the letters of one typeface. "6 x 300" is 6 seeds and 300 images.


# %%
def worlds_in_words(row):
    """The regime of one row of the coverage table."""
    alike = {0: "seeds alike", 0.5: "seeds unlike"}.get(row["seed"], "seeds very unlike")
    words = f"{row['seeds']} x {row['samples']}, {alike}"
    words += {"independent": "", "serial": ", serial"}.get(row["process"], ", lapse and relearn")
    words += f", families of {row['family']}" if row["family"] > 1 else ""
    if row["interval"].startswith("decay rate"):
        process = "a new rate each run" if row["rest"] else row["process"].replace("_", " and ")
        words = f"runs: {row['seeds']}, epochs: {row['epochs']}, {process}"
    return words


def judged(row):
    """Covers, too narrow or too wide: 93 to 97 %, give or take two standard errors."""
    if row["coverage"] + 2 * row["error"] < 0.93:
        return "too narrow"
    return "too wide" if row["coverage"] - 2 * row["error"] > 0.97 else "covers"


# from benchmarks/interval_coverage.py
coverage = pd.read_csv(results / "coverage.csv", keep_default_na=False)
coverage = coverage[~coverage["part"].isin(["slow", "middle", "fast"])]
coverage["world"] = coverage.apply(worlds_in_words, axis=1)
coverage["judged"] = coverage.apply(judged, axis=1)
coverage["what"] = (coverage["interval"] + ": " + coverage["part"]).str.replace(": all", "")
coverage["what"] = coverage["what"].str.removesuffix(": ")

# %% tags=["hide-input"]
for word in ("covers", "too narrow", "too wide"):
    book.record(page, word.replace(" ", "_"), (coverage["judged"] == word).sum(), fmt=".0f")
book.record(page, "tried", len(coverage), fmt=".0f")
book.text(
    page,
    "Of {tried} intervals and worlds tried, {covers} cover, {too_narrow} are too narrow and {too_wide} too wide.",
)
view = coverage[["what", "world", "coverage", "error", "judged"]].copy()
view["coverage"] = [
    f"{c:.1%} ± {e:.1%}" for c, e in zip(view["coverage"], view["error"], strict=True)
]
view.drop(columns="error").set_index("what").rename_axis(None)

# %% [markdown]
# ### Where the intervals do not cover

# %% tags=["hide-input"]
narrow = coverage[coverage["judged"] == "too narrow"].sort_values("coverage")
charts.show(
    charts.interval_chart(
        [
            {
                "label": f"{row['what']}; {row['world']}",
                "estimate": row["coverage"],
                "low": row["coverage"] - 2 * row["error"],
                "high": min(row["coverage"] + 2 * row["error"], 1),
                "ceiling": (0.93, 0.97),
            }
            for _, row in narrow.iterrows()
        ],
        title="Intervals that are too narrow, and how often they hold the truth",
        description="; ".join(
            f"{row['what']}, {row['world']}: {row['coverage']:.0%}" for _, row in narrow.iterrows()
        ),
        x_title="share of experiments in which a 95 % interval holds the truth (green: 93 to 97 %)",
        fmt=".0%",
    )
)

# %% [markdown]
# Why they fail, and what to do:
#
# - **The likelihood interval of a rate** takes epochs for independent coins and runs for repetitions. In serial traces, neighbouring epochs
#   say the same thing twice; where the rate changes from run to run, ten runs are not ten looks at one rate. Use it for single runs with a
#   grain of salt, and intervals over seeds for everything that is averaged.
# - **Redrawing only images** takes the seeds for granted. The table shows what it costs.
# - **Families**: images that are alike are not independent. Redraw whole families (`groups=`); the finding pages do so where the
#   families are known. With 50 families even that falls a little short: 50 is not many.
# - **Very unlike seeds**: with few of them, no method knows how unlike the next one will be. More seeds help; more images do not.

# %% [markdown]
# ## Limits
#
# - Coverage was measured in worlds that we made up. Real runs depend on their past in ways that no world here has.
# - A wide interval from few seeds can be honest and useless at once.
# - Agreement is not validity: two runs may agree because both are wrong about the same images for the same reason. See
#   [glyphs](glyphs.ipynb) for images that no run can get right.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). Two sets of 10 % of the images are drawn at random. About how large is their Jaccard index?
# No computer is needed.
#
# ```{admonition} Solution
# :class: dropdown
# They share about 0.1 × 0.1 = 1 % of the images; together they name 10 + 10 - 1 = 19 %. So 1/19 = 0.053.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 0.1 * 0.1 / (0.1 + 0.1 - 0.1 * 0.1)

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    agreement.jaccard_null(6000, 0.1)[0],
    within=0.004,  # "about": 0.05 will do
    hint="of 100 images, count those in both sets, and those in at least one of them",
    traps={
        "that is the share of the images in both sets: divide by the share that either names": 0.01,
        "that is the share of *one* set that the other names too": 0.1,
    },
)

# %% [markdown]
# **Exercise 2** (level 1, read off). Two seeds agree at 0.25. Over how many seeds must each ranking be averaged, so that two such
# averages agree at 0.8?
#
# ```{admonition} Solution
# :class: dropdown
# Solve $\rho_k = 0.8$ for $k$: $k = \frac{0.8 \cdot (1 - 0.25)}{0.25 \cdot (1 - 0.8)} = 12$. Comparing two averages takes twice as many runs.
# ```

# %% tags=["solution", "hide-cell"]
answer_2 = 0.8 * (1 - 0.25) / (0.25 * (1 - 0.8))

# %% tags=["check"]
exercises.check(
    2,
    answer_2,
    agreement.seeds_needed(0.25),
    within=0.01,
    hint="put 0.25 for the agreement of single runs into the formula of Spearman and Brown, and solve for k",
    traps={
        "agreement does not grow in proportion to the seeds: each new one adds less": 0.8 / 0.25,
        "that is rounded up, but agreement does not grow in proportion to the seeds": 4,
        "the agreement of single runs also enters as 1 minus 0.25": 0.8 / (0.25 * (1 - 0.8)),
        "that is the total for both averages": 24,
        "that many seeds averaged would agree at 0.75, not at 0.8": 9,
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). Is one run odd? For each run of these traces compute the mean Spearman correlation with
# the *other* runs (`ranked` holds the scores, one row a run). Answer with one number for each run.
#
# ```{admonition} Solution
# :class: dropdown
# Take the matrix of `agreement.spearman_matrix(ranked)`, leave out its diagonal and average each row. The rows lie close
# together unless a run went wrong. Kendall's $W$ could not show it: it is one number for all runs.
# ```

# %% tags=["solution", "hide-cell"]
matrix = agreement.spearman_matrix(ranked)
answer_3 = (matrix.sum(axis=1) - 1) / (seeds - 1)

# %% tags=["check"]
correlations = pd.DataFrame(agreement.spearman_matrix(ranked))
apart = correlations.where(~np.eye(seeds, dtype=bool))
exercises.check(
    3,
    answer_3,
    apart.mean(axis=1),
    within=1e-6,
    hint="agreement.spearman_matrix(ranked) holds the correlation of every run with every run",
    traps={
        "every run agrees perfectly with itself: leave the diagonal out": correlations.mean(axis=1),
        "that sets the diagonal to 0, but still divides by the number of all runs": apart.sum(
            axis=1
        )
        / seeds,
        "that is one number for all runs: keep one for each": float(np.nanmean(apart)),
    },
)

# %% [markdown]
# **Exercise 4** (level 2, compute). How often does the equivalence test say "none" where it *should*? Repeat the 1,000
# experiments of *"No effect" in one picture* with a true effect of 0: seeds scatter as before, with a standard deviation of `margin`.
# Give the share of the experiments that are shown to be none.
#
# ```{admonition} Solution
# :class: dropdown
# Replace the first `margin` in `repeats` by 0. About four in five pass: with ten seeds that scatter as much as the margin is wide, one
# experiment in five fails to show that there is nothing. With fewer seeds it soon becomes hopeless. So a failed test of
# equivalence is no sign of an effect.
# ```

# %% tags=["solution", "hide-cell"]
nothing = margin * np.random.default_rng(random_seed).normal(size=(1000, 10))
spread_of_mean = nothing.std(axis=1, ddof=1) / np.sqrt(10)
answer_4 = np.mean(
    [
        agreement.tost_equivalence(mid, se, 10, margin).equivalent
        for mid, se in zip(nothing.mean(axis=1), spread_of_mean, strict=True)
    ]
)

# %% tags=["check"]
centred = repeats - margin  # the same dice, and no effect
scatter = centred.std(axis=1, ddof=1)


def passing(se):
    """Share of the experiments whose 90 % interval lies inside the margins."""
    return np.mean(abs(centred.mean(axis=1)) + stats.t(9).ppf(0.95) * se < margin)


exercises.check(
    4,
    answer_4,
    passing(scatter / np.sqrt(10)),
    within=0.06,
    hint="every experiment has the mean of ten seeds, its standard error, and one call of agreement.tost_equivalence",
    traps={
        "almost none pass: is the true effect 0, and the standard error that of a *mean* of ten seeds?": wrong,
        "the standard error is the standard deviation over the *root* of the number of seeds": passing(
            scatter / 10
        ),
        "these are the experiments that fail to show it": 1 - passing(scatter / np.sqrt(10)),
    },
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). Perfectly intrinsic, and yet? Simulate two runs in worlds where nothing but the dice
# differs between runs: `simulated(spread, 0, runs=2)`, for the spreads 0.1, 0.5, 1 and 2. What is the Spearman correlation of the two? Answer with a
# dictionary from the spread to the correlation. A study finds 0.1. What may it conclude?
#
# ```{admonition} Solution
# :class: dropdown
# At a spread of 0.1 it is about 0.1: there is almost nothing to agree on. The image decides everything that is decided, and the
# correlation is small. It rises with the spread and stays below 1. A study that finds 0.1 may conclude nothing about chance
# before it knows how much the images differ, or what two runs could reach at most. That is the ceiling of
# [Finding 3](finding_3_seed_stability.ipynb).
# ```

# %% tags=["solution", "hide-cell"]
answer_5 = {
    spread: agreement.spearman_matrix(simulated(spread, 0, runs=2))[0, 1]
    for spread in (0.1, 0.5, 1, 2)
}

# %% tags=["check"]
exercises.check_that(
    5,
    answer_5,
    lambda a: (
        set(a) == {0.1, 0.5, 1, 2}
        and abs(a[0.1]) < 0.3
        and a[0.1] < a[0.5] < a[1] < a[2] < 1
        and a[1] > 0.3
    ),
    kind=dict,
    hint="one correlation of two runs for each spread: the second number given to `simulated` is 0, so that nothing "
    "belongs to the run. It should rise with the spread",
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun how_agreement_works -p traces_a=cifar7-test_vit-quick -p score=forgetting_events
# python benchmarks/interval_coverage.py --quick    # the coverage table, a tenth of the experiments
# python benchmarks/intrinsic_grid.py      # the grid behind the sliders
# ```

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("rho_all", "rho_half", "jaccard_chance", "decay_rate_mid", "by_lot"):
    print(f"{key:16} {page.results[key]}")

# %% tags=["remove-input"]
book.finish(page)
