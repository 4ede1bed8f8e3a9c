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
# # Finding 5: does the loss after warm-up tell what will be forgotten?
#
# **Claim under test.** The loss of an image right after the head warm-up, before the network itself is
# fine-tuned, predicts how fast the image will be forgotten.
#
# **You will learn** (1) why ten runs of the same images are not ten times as many images, (2) how high such a
# correlation could be at best, (3) how to ask whether a predictor knows the image or only its class, (4) whether the
# answer is the same on a second data set.
#
# **Time**: 12 minutes to read, under a minute to rerun. **You need**: rank correlation; the page
# [Forgetting curves](forgetting_curves.ipynb) for the decay rate.

# %% tags=["remove-cell"]
import numpy as np
import pandas as pd

from lethe import traces
from lethe.analysis import agreement, prediction, scores
from lethe.pages import book, charts, stores

# %% [markdown]
# ## Parameters
#
# Change them here, or from the command line (end of the page).

# %% tags=["parameters"]
dataset: str = "glyphs"  # data set of the main analysis
beside: str = "cifar7"  # second data set, shown beside it; empty for none
models: list[str] = ["test_resnet", "test_vit"]  # the two networks
preset: str = "quick"  # preset that the traces were captured with
target: str = "decay_rate"  # the score that is to be predicted
top_fraction: float = 0.1  # share of the images in the most-forgotten set
draws: int = 200  # resamples behind each interval
null_draws: int = 99  # permutations behind each null
ceiling_draws: int = 2  # simulated copies of all traces behind each ceiling
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("dataset", "beside", "models", "preset", "target", "top_fraction", "draws", "null_draws")
names = (*names, "ceiling_draws", "random_seed")
page = book.start("finding_5_early_loss", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)


# %% [markdown]
# ## What the paper reports
#
# A rank correlation between the loss after warm-up and the decay rate of **0.30 to 0.50** over its networks and
# data sets, all with $p < 10^{-45}$ (arXiv 2604.11508, abstract; as reported there, not reproduced here). Two
# things to keep in mind:
#
# - With 6,000 images a correlation of 0.2 already has $p < 10^{-50}$, *if* images and runs are independent.
#   So small a $p$ says that there are many images. How much the loss knows is said by the correlation.
# - If the runs of several seeds are written one under the other, every image counts several times. Here each
#   run is correlated by itself, and the interval redraws seeds **and** images.
#
# ## The traces


# %%
def hard(ds, name):
    """A score of one network, [seed, sample], higher = harder."""
    return scores.harder(scores.score(ds, name)).values


pair = dict(zip("ab", stores.open_pair(page, dataset, models, preset), strict=True))
model = dict(zip("ab", stores.model_names(list(pair.values())), strict=True))
main, label = pair["a"].attrs["dataset"], pair["a"]["label"].values
early = {which: hard(ds, "warmup_loss") for which, ds in pair.items()}
later = {which: hard(ds, target) for which, ds in pair.items()}
correct = {which: traces.correct(ds).values for which, ds in pair.items()}

# %% [markdown]
# ## The picture
#
# Sort the images of each run by their loss after warm-up, cut them into ten equal groups, and look at what
# became of each group.


# %%
def by_decile(which, values):
    """Mean of values [seed, sample] in each tenth of the images by warm-up loss."""
    rank = np.argsort(np.argsort(early[which], axis=1), axis=1)
    tenth = 10 * rank // rank.shape[1]
    means = [np.nanmean(values[tenth == k]) for k in range(10)]
    return pd.DataFrame({"tenth": np.arange(1, 11), "value": means, "network": model[which]})


events = {w: scores.forgetting_events(correct[w]) for w in "ab"}  # NaN where never learned
lost = {w: np.where(np.isnan(counts), np.nan, counts > 0) for w, counts in events.items()}
table = pd.concat(by_decile(w, lost[w]) for w in "ab")

# %% tags=["hide-input"]
charts.show(
    charts.lines(
        table,
        "tenth",
        "value",
        "network",
        x_title="tenth of the images, by loss after warm-up (10 = highest loss)",
        y_title="share forgotten at least once",
        title="What became of the images with low and high loss after warm-up",
        description="Share of images forgotten at least once, by tenth of the warm-up loss: "
        + "; ".join(
            f"{model[w]} from {table[table.network == model[w]].value.iloc[0]:.2f} in the lowest to "
            f"{table[table.network == model[w]].value.iloc[-1]:.2f} in the highest tenth"
            for w in "ab"
        )
        + ".",
    )
)

# %% [markdown]
# ## The number, with its null and its ceiling
#
# - **Number**: Spearman's correlation of the loss after warm-up with the decay rate of the *same run*, mean over
#   runs.
# - **Null**: the same with the decay rates shuffled over the images. Its $p$-value is (1 + shuffles at least as
#   large) / (1 + shuffles), so it is never 0.
# - **Ceiling**: suppose the loss told each image's true decay rate exactly. One run's *fitted* rate is
#   still noisy, so even this perfect predictor would not reach 1. We simulate it.

# %%
goal = scores.score(pair["a"], target).attrs["title"]  # "decay rate, least squares" by default
# the ceiling is simulated from answers; a target that needs losses gets that of the decay rate
ruler = scores.SCORES[target if scores.SCORES[target].needs == "correct" else "decay_rate"]


def harder_later(bits):
    """The target, computed from simulated answers."""
    return ruler.direction * ruler.compute(bits)


def measured(early, later, correct, rng):
    """Correlation with its interval, null and ceiling for one network on one data set."""
    rho = prediction.correlation_interval(early, later, rng, draws)
    null = prediction.correlation_null(early, later, rng, null_draws)
    return rho, null, prediction.perfect_knowledge(correct, rng, ceiling_draws, harder_later)


rho, null, ceiling = {}, {}, {}
for which in "ab":
    found = measured(early[which], later[which], correct[which], rng)
    rho[which], null[which], ceiling[which] = found


# %% tags=["hide-input"]
def keep_rho(which, rho, null, ceiling, end=""):
    """Record what `measured` found; the first network's is the headline. Keys end in `end`."""
    bands = {"null": (null.low, null.high), "ceiling": (ceiling.low, ceiling.high)}
    for key in (f"rho_{which}", *(["headline"] if which == "a" else [])):
        book.keep(page, key + end, rho, paper=(0.30, 0.50), **bands)
    book.record(page, f"p_{which}{end}", null.p_value, fmt=".3f")


for which in "ab":
    keep_rho(which, rho[which], null[which], ceiling[which])

# %% tags=["hide-input"]
charts.show(
    charts.interval_chart(
        [book.row(page, f"rho_{which}", model[which]) for which in "ab"],
        title=f"Loss after warm-up against {goal}, run by run",
        description=(
            "For each network the mean rank correlation with its interval, the band that shuffled images "
            "give around 0, the ceiling that perfect knowledge of the decay rate would reach, and the "
            "ends of the range reported in the paper, 0.30 and 0.50."
        ),
        x_title="Spearman correlation",
    )
)
book.text(
    page,
    f"{model['a']}: {{rho_a}} (permutation p = {{p_a}}, the smallest that {null_draws} shuffles can give is "
    f"{1 / (1 + null_draws):.3f}). {model['b']}: {{rho_b}} (p = {{p_b}}). A perfect predictor would reach "
    f"{ceiling['a'].mean:.2f} and {ceiling['b'].mean:.2f}. The diamonds mark the paper's "
    "range from 0.30 to 0.50.",
)

# %% [markdown]
# Run by run, so that nothing hides in the mean:

# %% tags=["hide-input"]
runs = {w: prediction.run_correlations(early[w], later[w]) for w in "ab"}
pd.DataFrame(
    {model[w]: pd.Series(runs[w], index=pair[w]["seed"].values) for w in "ab"}
).rename_axis("seed").round(3).T

# %% [markdown]
# ## Verdict
#
# The rules were fixed before the numbers were seen. *Predicts* means: the whole interval lies above 0.30, the
# lower end of the paper's range, in both networks. *Beyond the class* means: the partial correlation given the
# class lies above 0.10. Fewer than 6 seeds: no verdict.


# %%
def predicts(name, end=""):
    """The verdict on a data set: does the loss predict?"""
    claim = f"on {name}, the loss after warm-up predicts the {goal} (Spearman above 0.30)."
    return book.verdict(page, claim, *(book.above(page, f"rho_{w}{end}", 0.3) for w in "ab"))


word = predicts(main)

# %% [markdown]
# ## Does the loss know the image, or only its class?
#
# Some classes are hard, and their images share both a high loss and fast forgetting. The *partial* correlation
# removes each class's mean from the ranks. The *class null* shuffles decay rates only within each class:
# what is left is what the class alone explains.

# %%
partial, within = {}, {}
for which in "ab":
    partial[which] = prediction.correlation_interval(early[which], later[which], rng, draws, label)
    within[which] = prediction.correlation_null(early[which], later[which], rng, null_draws, label)

# %% tags=["hide-input"]
for which in "ab":
    book.keep(page, f"partial_{which}", partial[which], null=0.0, ceiling=ceiling[which].mean)
    book.record(
        page, f"class_only_{which}", within[which].mean, within[which].low, within[which].high
    )
book.text(
    page,
    f"Given the class: {{partial_a}} ({model['a']}), {{partial_b}} ({model['b']}). The class alone gives "
    "{class_only_a} and {class_only_b}.",
)


# %%
def knows_more(name, end=""):
    """The verdict on a data set: does the loss know more than the class?"""
    claim = f"on {name}, the loss knows more than the class (partial correlation above 0.10)."
    return book.verdict(page, claim, *(book.above(page, f"partial_{w}{end}", 0.1) for w in "ab"))


beyond = knows_more(main)

# %% [markdown]
# ## The image, or the run?
#
# Correlate the warm-up loss of one run with the decay rates of *another*. If nothing is lost, the
# loss speaks of the image. How well two runs agree with each other limits this:
#
# - reliability of the loss: correlation of warm-up losses of two runs;
# - reliability of the rate: correlation of decay rates of two runs.
#
# These numbers bound each other. A correlation $\rho$ across runs can only come through the image, so two runs must
# agree in the rate at least at $\rho^2 /$ (reliability of the loss). (Derived here, for linear correlations.)

# %%
across = {w: prediction.other_seed_correlation(early[w], later[w]) for w in "ab"}
samples = len(label)
reliability = {
    (w, kind): agreement.cross_seed(
        agreement.spearman_on(values[w]), len(values[w]), samples, rng, 60
    )
    for kind, values in (("loss", early), ("rate", later))
    for w in "ab"
}

# %% tags=["hide-input"]
for which in "ab":
    book.keep(page, f"loss_reliability_{which}", reliability[which, "loss"], null=0.0, ceiling=1.0)
    book.keep(page, f"rate_reliability_{which}", reliability[which, "rate"], null=0.0)
    book.record(page, f"across_{which}", across[which], null=0.0, n_seeds=rho[which].n_seeds)
    implied = across[which] ** 2 / reliability[which, "loss"].estimate
    book.record(page, f"implied_{which}", implied, n_seeds=rho[which].n_seeds)
rows = [
    book.row(page, f"{key}_{which}", f"{model[which]}, {words}")
    for which in "ab"
    for key, words in (
        ("rho", "loss and rate of the same run"),
        ("across", "loss of one run, rate of another"),
        ("loss_reliability", "losses of two runs"),
        ("rate_reliability", "rates of two runs"),
    )
]
charts.show(
    charts.interval_chart(
        rows,
        title="Same run, other run",
        description=(
            "For each network: correlation of loss and rate within a run and across runs, and of losses and "
            "of rates between runs, with intervals."
        ),
        x_title="Spearman correlation",
    )
)
book.text(
    page,
    "Within a run {rho_a} and {rho_b}; across runs {across_a} and {across_b}. Warm-up losses of two runs "
    "agree at {loss_reliability_a} and {loss_reliability_b}, decay rates at {rate_reliability_a} and "
    "{rate_reliability_b}. From the prediction alone the rates should agree at {implied_a} and {implied_b} at "
    "least. The paper's 0.30 to 0.50, if it held across runs, would call for rates that agree at 0.09 to 0.25 or "
    "more; it reports about 0.01. Either the loss speaks of the run there and not of the image, or the "
    "agreement was measured in another way.",
)

# %% [markdown]
# ## Does it hold on a second data set?
#
# The same code, the same rules, other images. Beside them the range that the paper reports over OCTDL and CUB-200 and
# its two networks; the abstract does not say which end belongs to which.

# %%
second = stores.open_beside(page, beside, dataset, models, preset)
apart = np.random.default_rng(random_seed)  # draws of its own, so that no other number moves
for which, ds in zip("ab", second, strict=False):
    x, y, bits = hard(ds, "warmup_loss"), hard(ds, target), traces.correct(ds).values
    found = measured(x, y, bits, apart)
    keep_rho(which, *found, "_beside")
    given = prediction.correlation_interval(x, y, apart, draws, ds["label"].values)
    book.keep(page, f"partial_{which}_beside", given, null=0.0, ceiling=found[2].mean)

# %% tags=["hide-input"]
ends = {main: ""} | ({beside: "_beside"} if second else {})
quantities = {f"rho_{w}": model[w] for w in "ab"}
quantities |= {f"partial_{w}": f"{model[w]}, given the class" for w in "ab"}
rows = [
    book.row(page, key + end, f"{name}: {words}")
    for key, words in quantities.items()
    for name, end in ends.items()
]
charts.show(
    charts.interval_chart(
        rows,
        title=f"{' and '.join(ends)}: loss after warm-up against {goal}",
        description="Rank correlations with interval, null and ceiling: "
        + "; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
        + ". The paper reports 0.30 to 0.50 over OCTDL and CUB-200.",
        x_title="Spearman correlation",
    )
)

# %% tags=["hide-input"]
table = pd.DataFrame(
    {name: [str(page.results[key + end]) for key in quantities] for name, end in ends.items()},
    index=list(quantities.values()),
)
table["OCTDL and CUB-200, as reported"] = [
    "0.30 to 0.50" if key.startswith("rho") else "not reported" for key in quantities
]
table

# %%
if second:
    words_beside = predicts(beside, "_beside"), knows_more(beside, "_beside")

# %% tags=["hide-input"]
book.text(
    page,
    f"Of the two verdicts {sum(map(str.__eq__, (word, beyond), words_beside))} are the same on {main} and on "
    f"{beside}. A small class has few images, and a rare class can be hard for that reason alone: compare the "
    "correlation with the one given the class before blaming the image."
    if second
    else f"No second data set was asked for: all of this is about {main} alone.",
)

# %% [markdown]
# ## Does it survive other choices?
#
# **Other targets** for the same predictor, and **other predictors** for the same target. First learned and
# warm-up loss share epoch 0, so that row is partly true by construction. EL2N at epoch 1 and the warm-up loss are
# both available before most of the training. The last rows keep only images that were right after the warm-up:
# the others have a high loss *and* a shorter trace.

# %%
choices = {
    "target: forgetting events": ("warmup_loss", "forgetting_events"),
    "target: mean retention": ("warmup_loss", "mean_retention"),
    "target: first learned": ("warmup_loss", "first_learned"),
    "target: rate by likelihood": ("warmup_loss", "decay_rate_bernoulli"),
    "target: final loss": ("warmup_loss", "final_loss"),
    "predictor: EL2N at epoch 1": ("el2n_epoch_1", target),
}
survey = {
    (words, w): prediction.correlation_interval(hard(pair[w], x), hard(pair[w], y), rng, draws)
    for words, (x, y) in choices.items()
    for w in "ab"
}
for which in "ab":  # does the link survive where epoch 0 is right for all?
    known = np.where(scores.first_learned(correct[which]) == 0, later[which], np.nan)
    survey["only images right after warm-up", which] = prediction.correlation_interval(
        early[which], known, rng, draws
    )

# %% tags=["hide-input"]
rows = [book.row(page, f"rho_{which}", f"{model[which]}: as above") for which in "ab"]
for (words, which), interval in survey.items():
    key = "_".join(choices.get(words, ["right_after_warmup"])) + f"_{which}"
    book.keep(page, key, interval, null=0.0)
    rows.append(book.row(page, key, f"{model[which]}, {words}"))
charts.show(
    charts.interval_chart(
        rows,
        title="Other targets and another predictor",
        description="Rank correlations with intervals for both networks: "
        + "; ".join(f"{w}, {model[m]} {one.estimate:.2f}" for (w, m), one in survey.items())
        + ".",
        x_title="Spearman correlation, both scores with higher = harder",
    )
)

# %% [markdown]
# **Picking the most forgotten.** A curriculum would use the loss to *pick* images. How much of the true top set
# does it find? The Jaccard index of two random sets is the floor.

# %%
chance, chance_low, chance_high = agreement.jaccard_null(samples, top_fraction)
top = {w: prediction.top_overlap(early[w], later[w], top_fraction, rng, draws // 2) for w in "ab"}
own = {w: agreement.mean_pairwise(agreement.jaccard_matrix(later[w], top_fraction)) for w in "ab"}

# %% tags=["hide-input"]
for which in "ab":
    band = {
        "null": (chance_low, chance_high),
        "ceiling": own[which] if np.isfinite(own[which]) else None,
    }
    book.keep(page, f"top_{which}", top[which], **band)
charts.show(
    charts.interval_chart(
        [book.row(page, f"top_{which}", model[which]) for which in "ab"],
        title=f"Top {top_fraction:.0%} by warm-up loss and by {goal}: overlap",
        description=(
            "Jaccard index of the sets with the highest warm-up loss and with the highest decay rate in the "
            "same run, with interval; the band of chance; and, as ceiling, the overlap of the most-forgotten "
            "sets of two runs."
        ),
        x_title="Jaccard index",
    )
)
share = {w: 2 * top[w].estimate / (1 + top[w].estimate) for w in "ab"}
book.text(
    page,
    f"The loss finds {share['a']:.0%} ({model['a']}) and {share['b']:.0%} ({model['b']}) of the "
    f"most-forgotten {top_fraction:.0%} in its own top {top_fraction:.0%}; chance finds {top_fraction:.0%}.",
)

# %% [markdown]
# ## Limits
#
# - Never-learned images have no decay rate and are left out, run by run. They are likely to have a high loss, so
#   the correlation speaks of the learned images only.
# - A correlation is not a mechanism. A mislabelled image is hard at every epoch.
# - The ceiling assumes independent epochs and rates that belong to the image.
# - Small networks, small images, and our own pretrained weights: the claim is tested in another place than the paper's.
#
# ## Exercises
#
# ````{admonition} Exercise 1: how large must a sample be?
# :class: tip
# For a rank correlation $\rho$ over $n$ independent images, $t = \rho \sqrt{(n-2)/(1-\rho^2)}$. With $\rho = 0.30$, is
# $p < 10^{-45}$ possible with 1,651 images (80 % of OCTDL)?
# ```{admonition} Solution
# :class: dropdown
# No: $p$ is about $10^{-35}$. With $\rho = 0.30$ it takes over 2,100 images, or several seeds written under one
# another, which are not independent.
# ```
# ````

# %% tags=["solution", "hide-input"]
from scipy import stats

p_octdl = 2 * stats.t.sf(0.3 * np.sqrt(1649 / (1 - 0.09)), 1649)

# %% tags=["check"]
assert 1e-37 < p_octdl < 1e-33, "two-sided: 2 * stats.t.sf(t, n - 2)"

# %% [markdown]
# ````{admonition} Exercise 2: pooling
# :class: tip
# Make two unrelated scores of 300 images, repeat each of them 10 times (ten "seeds" that agree perfectly), and
# correlate the 3,000 rows. How often is $p < 0.05$ in 200 tries?
# ```{admonition} Solution
# :class: dropdown
# In more than half of the tries instead of one in twenty: $p$ takes 300 images for 3,000.
# ```
# ````

# %% tags=["solution", "hide-input"]
tries = [np.tile(rng.normal(size=(2, 300)), 10) for _ in range(200)]
false_alarms = np.mean([stats.spearmanr(x, y).pvalue < 0.05 for x, y in tries])

# %% tags=["check"]
assert false_alarms > 0.4, "np.tile(score, 10) repeats a score ten times"

# %% [markdown]
# ````{admonition} Exercise 3: a noisier target
# :class: tip
# Keep only the first third of the epochs of `correct["a"]`, compute the decay rate again with `scores.decay_rate`, and
# correlate. Why does the correlation change although the warm-up loss is the same?
# ```{admonition} Solution
# :class: dropdown
# Shorter traces give noisier rates and more ties at 0, which lowers every correlation with them; and what is
# forgotten early may differ from what is forgotten late. Simulated ceilings separate the two.
# ```
# ````

# %% tags=["solution", "hide-input"]
third = correct["a"].shape[1] // 3 + 1
short = scores.decay_rate(correct["a"][:, :third])
rho_short = prediction.run_correlations(early["a"], short).mean()

# %% tags=["check"]
assert short.shape == early["a"].shape, "slice the epoch axis: correct['a'][:, :third]"
assert -1 <= rho_short <= 1 or np.isnan(rho_short)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun finding_5_early_loss -p target=forgetting_events -p top_fraction=0.2
# lethe rerun finding_5_early_loss -p dataset=cifar7 -p beside=glyphs
# ```

# %% tags=["remove-cell", "nbval-check-output"]
keys = ("rho_a", "rho_b", "partial_a", "partial_b")
for name, end in ends.items():
    print(name, {key: str(page.results[key + end]) for key in keys})
print({key: str(page.results[key]) for key in ("top_a", "top_b")})

# %% tags=["remove-input"]
book.finish(page)
