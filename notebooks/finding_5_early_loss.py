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
# correlation could be at best, (3) how to ask whether a predictor knows the image or only its class, and what happens
# if you also hold the *outcome* fixed, (4) what the loss is worth for picking images, (5) whether another early score is
# better, (6) whether the answers are the same on a second data set.
#
# **Time**: 15 minutes to read, under a minute to rerun. **You need**: rank correlation; the page
# [Forgetting curves](forgetting_curves.ipynb) for the decay rate.

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
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.findings import picking, prediction
from lethe.pages import book, charts, exercises, sample_gallery, side_by_side, stores

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
early_epochs: int = 5  # epochs that early scores may see; they are tested on the epochs after
draws: int = 200  # resamples behind each interval
null_draws: int = 99  # permutations behind each null
ceiling_draws: int = 2  # simulated copies of all traces behind each ceiling
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("dataset", "beside", "models", "preset", "target", "top_fraction", "draws", "null_draws")
names = (*names, "early_epochs", "ceiling_draws", "random_seed")
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


pair = stores.open_pair(page, dataset, models, preset)
second = stores.open_beside(page, beside, dataset, models, preset)
model = dict(zip("ab", stores.model_names(pair), strict=True))
main = pair[0].attrs["dataset"]
heads = {"": main} | ({"_beside": second[0].attrs["dataset"]} if second else {})
keys = [
    w + end for end in heads for w in "ab"
]  # a, b and, on the second data set, a_beside, b_beside
traced = dict(zip(keys, [*pair, *second], strict=True))
label = {key: ds["label"].values for key, ds in traced.items()}
early = {key: hard(ds, "warmup_loss") for key, ds in traced.items()}
later = {key: hard(ds, target) for key, ds in traced.items()}
correct = {
    key: traces.correct(ds).transpose("seed", "epoch", "sample").values
    for key, ds in traced.items()
}

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
    means = [pd.Series(values[tenth == k]).mean() for k in range(10)]
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
        x_title=f"tenth of the {book.unit(page)}s, by loss after warm-up (10 = highest loss)",
        y_title="share forgotten at least once",
        title=f"What became of the {book.unit(page)}s with low and high loss after warm-up",
        description=f"Share of {book.unit(page)}s forgotten at least once, by tenth of the warm-up loss: "
        + "; ".join(
            f"{model[w]} from {table[table.network == model[w]].value.iloc[0]:.2f} in the lowest to "
            f"{table[table.network == model[w]].value.iloc[-1]:.2f} in the highest tenth"
            for w in "ab"
        )
        + ".",
    )
)

# %% [markdown]
# The same, image by image: its loss after warm-up and its forgetting events, both means over the seeds.

# %% tags=["hide-input"]
seen = ("warmup_loss", "forgetting_events")
x, y = (sample_gallery.mean_score(pair[0], name, model["a"]) for name in seen)
sample_gallery.show(
    page,
    pair,
    x,
    y,
    title=book.called(page, f"Pick an image: loss after warm-up against forgetting, {model['a']}"),
    random_seed=random_seed,
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
goal = scores.score(pair[0], target).attrs["title"]  # "decay rate, least squares" by default
# the ceiling is simulated from answers; a target that needs losses gets that of the decay rate
ruler = scores.SCORES[target if scores.SCORES[target].needs == "correct" else "decay_rate"]


def harder_later(bits):
    """The target, computed from simulated answers."""
    return ruler.direction * ruler.compute(bits)


rho, null, ceiling = {}, {}, {}
for key in keys:
    pairing = early[key], later[key]
    rho[key] = prediction.correlation_interval(*pairing, rng, draws)
    null[key] = prediction.correlation_null(*pairing, rng, null_draws)
    ceiling[key] = prediction.perfect_knowledge(correct[key], rng, ceiling_draws, harder_later)

# %% tags=["hide-input"]
for key in keys:
    more = {"null": (null[key].low, null[key].high), "ceiling": ceiling[key].mean}
    book.keep(page, f"rho_{key}", rho[key], paper=(0.30, 0.50), **more)
    book.record(page, f"p_{key}", null[key].p_value, fmt=".3f")
for end in heads:  # the first network's is the headline
    more = {"null": (null["a" + end].low, null["a" + end].high), "ceiling": ceiling["a" + end].mean}
    book.keep(page, f"headline{end}", rho["a" + end], paper=(0.30, 0.50), **more)
side_by_side.chart(
    page,
    heads,
    {f"rho_{w}": model[w] for w in "ab"},
    title=f"Loss after warm-up against {goal}, run by run",
    x_title="Spearman correlation",
    more="Beside them the band of shuffled images, the ceiling of perfect knowledge and the paper's 0.30 to 0.50.",
)
book.text(
    page,
    f"On {main}, {model['a']}: {{rho_a}} (permutation p = {{p_a}}, the smallest that {null_draws} shuffles can give is "
    f"{1 / (1 + null_draws):.3f}). {model['b']}: {{rho_b}} (p = {{p_b}}). A perfect predictor would reach "
    f"{ceiling['a'].mean:.2f} and {ceiling['b'].mean:.2f}.",
)

# %% [markdown]
# Run by run, so that nothing hides in the mean:

# %% tags=["hide-input"]
table = {
    f"{heads[key[1:]]}, {model[key[0]]}": pd.Series(
        prediction.run_correlations(early[key], later[key]), index=traced[key]["seed"].values
    )
    for key in keys
}
pd.DataFrame(table).rename_axis("seed").round(3).T

# %% [markdown]
# ## Does the loss know the image, or only its class?
#
# Some classes are hard, and their images share both a high loss and fast forgetting. The *partial* correlation
# removes each class's mean from the ranks. The *class null* shuffles decay rates only within each class:
# what is left is what the class alone explains.
#
# Two more rows hold the end of training fixed too: whether the image is right at the last epoch, or its final loss.
# Read them with care: the end is an *outcome*. It is made by the difficulty of the image and by the forgetting alike,
# and the last epoch is itself part of the trace. Holding a common effect fixed ties its causes together (a *collider*)
# and holding fixed what lies on the way from cause to effect takes away part of the effect. So these rows can be
# too low, or even change sign (exercise 3); they are shown, and no verdict rests on them.

# %%
partials = {}
for key in keys:
    wrong_at_end = 1.0 - correct[key][:, -1]
    held = {
        "partial": None,
        "ends_right": wrong_at_end,
        "ends_loss": hard(traced[key], "final_loss"),
    }
    for name, given in held.items():
        partials[name, key] = prediction.correlation_interval(
            early[key], later[key], rng, draws, label[key], given
        )
    partials["class_only", key] = prediction.correlation_null(
        early[key], later[key], rng, null_draws, label[key]
    )

# %% tags=["hide-input"]
for (name, key), found in partials.items():
    if name == "class_only":
        book.record(page, f"{name}_{key}", found.mean, found.low, found.high)
    else:
        book.keep(page, f"{name}_{key}", found, null=0.0, ceiling=ceiling[key].mean)
given = {
    "rho": "as it is",
    "partial": "given the class",
    "ends_right": "given class and last answer",
    "ends_loss": "given class and final loss",
}
side_by_side.chart(
    page,
    heads,
    {f"{name}_{w}": f"{model[w]}, {words}" for w in "ab" for name, words in given.items()},
    title=f"Loss after warm-up against {goal}, other things held fixed",
    x_title="(partial) Spearman correlation",
)
for end, name in heads.items():
    book.text(
        page,
        f"{name}, given the class: {{partial_a{end}}} ({model['a']}), {{partial_b{end}}} ({model['b']}). The class alone "
        f"gives {{class_only_a{end}}} and {{class_only_b{end}}}. With the last answer held fixed too: "
        f"{{ends_right_a{end}}} and {{ends_right_b{end}}}; with the final loss: {{ends_loss_a{end}}} and "
        f"{{ends_loss_b{end}}}.",
    )

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
across = {key: prediction.other_seed_correlation(early[key], later[key]) for key in keys}
reliability = {
    (key, kind): agreement.cross_seed(
        agreement.spearman_on(values[key]), *values[key].shape, rng, min(draws, 60)
    )
    for kind, values in (("loss", early), ("rate", later))
    for key in keys
}

# %% tags=["hide-input"]
for key in keys:
    book.keep(page, f"loss_reliability_{key}", reliability[key, "loss"], null=0.0, ceiling=1.0)
    book.keep(page, f"rate_reliability_{key}", reliability[key, "rate"], null=0.0)
    book.record(page, f"across_{key}", across[key], null=0.0, n_seeds=rho[key].n_seeds)
    implied = across[key] ** 2 / reliability[key, "loss"].estimate
    book.record(page, f"implied_{key}", implied, n_seeds=rho[key].n_seeds)
words = {
    "rho": "loss and rate of the same run",
    "across": "loss of one run, rate of another",
    "loss_reliability": "losses of two runs",
    "rate_reliability": "rates of two runs",
}
side_by_side.chart(
    page,
    heads,
    {f"{key}_{w}": f"{model[w]}, {told}" for w in "ab" for key, told in words.items()},
    title="Same run, other run",
    x_title="Spearman correlation",
)
for end, name in heads.items():
    book.text(
        page,
        f"{name}: within a run {{rho_a{end}}} and {{rho_b{end}}}; across runs {{across_a{end}}} and {{across_b{end}}}. "
        f"Warm-up losses of two runs agree at {{loss_reliability_a{end}}} and {{loss_reliability_b{end}}}, decay rates at "
        f"{{rate_reliability_a{end}}} and {{rate_reliability_b{end}}}. From the prediction alone the rates should agree "
        f"at {{implied_a{end}}} and {{implied_b{end}}} at least.",
    )

# %% [markdown]
# The paper's 0.30 to 0.50, if it held across runs, would call for rates that agree at 0.09 to 0.25 or more; it reports
# about 0.01. Either the loss speaks of the run there and not of the image, or the agreement was measured in another way.
#
# ## What is it worth for picking images?
#
# A curriculum would use the loss to *pick* images. How many of the most-forgotten images are among those with the
# highest loss after warm-up? Both sets are of one size, ties are broken at random. **Chance** finds as large a share as
# the set is of all images. **Ceiling**: picks by each image's true decay rate, in simulated traces.

# %%
share_found = partial(picking.top_found, fraction=top_fraction)
top, best = {}, {}
for key in keys:
    top[key] = picking.top_found_interval(
        early[key], later[key], top_fraction, rng, min(draws, 100)
    )
    best[key] = prediction.perfect_knowledge(
        correct[key], rng, ceiling_draws, harder_later, share_found
    ).mean

# %% tags=["hide-input"]
for key in keys:
    more = {"null": top_fraction, "ceiling": best[key], "fmt": ".0%"}
    book.keep(page, f"top_{key}", top[key], **more)
    part = [x / best[key] for x in (top[key].estimate, top[key].low, top[key].high)]
    more = {"null": top_fraction / best[key], "ceiling": 1.0, "n_seeds": top[key].n_seeds}
    limits = part[1:] if np.isfinite(part[1]) else (None, None)
    book.record(page, f"of_best_{key}", part[0], *limits, fmt=".0%", **more)
side_by_side.chart(
    page,
    heads,
    {f"top_{w}": model[w] for w in "ab"},
    title=f"Share of the most-forgotten {top_fraction:.0%} found by the highest warm-up loss",
    x_title="share found",
)
for end, name in heads.items():
    lift = {w: top[w + end].estimate / top_fraction for w in "ab"}
    book.text(
        page,
        f"{name}: {{top_a{end}}} ({model['a']}) and {{top_b{end}}} ({model['b']}) are found, {lift['a']:.1f} and "
        f"{lift['b']:.1f} times as many as by chance. True rates would find {best['a' + end]:.0%} and "
        f"{best['b' + end]:.0%}.",
    )

# %% [markdown]
# ## Is another early score better?
#
# Every score below is made of the first epochs only, and is tested on the epochs *after* them: the target is
# computed again from there, so that nothing that a score has seen is in it. The margin after warm-up knows the strongest
# rival; the class mean of the loss knows the class alone. (The confidence after warm-up, $e^{-\text{loss}}$, ranks the
# images as the loss does.) The gain is the correlation less that of the warm-up loss on the same images. As this is
# a family of tests, the share of false discoveries is held at 5 % (Benjamini and Hochberg).


# %%
def class_mean(values, groups):
    """The mean of values [seed, sample] over each image's class, in the same run."""
    sizes = np.bincount(groups)
    return np.stack([(np.bincount(groups, row) / sizes)[groups] for row in values])


def of_all_logits(ds):
    """Early scores from margin and error_l2, which traces from elsewhere may not have."""
    known, found = scores.available(ds), {}
    if "aum" in known:
        margin = ds["margin"].isel(epoch=0).transpose("seed", "sample")
        found["margin after warm-up"] = -margin.values
    if "el2n_epoch_1" in known:
        found["EL2N at epoch 1"] = hard(ds, "el2n_epoch_1")
    return found


def candidates(key, epochs):
    """Early scores of one network by name, [seed, sample], higher = harder."""
    ds, right = traced[key], correct[key][:, :epochs]
    loss = ds["loss"].isel(epoch=slice(epochs)).transpose(*scores.DIMS).values
    found = {"class mean of the warm-up loss": class_mean(early[key], label[key])}
    found["wrong after warm-up"] = 1.0 - right[:, 0]
    found |= of_all_logits(ds)
    found["mean confidence, first epochs"] = -scores.confidence(loss)
    found["wrong epochs, first epochs"] = (1.0 - right).sum(1)
    return found | {"forgetting events, first epochs": scores.forgetting_events(right)}


rivals = {}
for key in keys:
    seen = min(early_epochs, correct[key].shape[1] // 2)
    after = harder_later(correct[key][:, seen:])
    for name, values in candidates(key, seen).items():
        compared = prediction.compare_predictors(values, early[key], after, rng, min(draws, 60))
        rivals[key, name] = compared
    rivals[key, "warm-up loss"] = (
        prediction.correlation_interval(early[key], after, rng, min(draws, 60)),
        None,
    )
tested = {cell: gain for cell, (_, gain) in rivals.items() if gain is not None}
differs, _ = agreement.benjamini_hochberg(
    np.array([agreement.p_value(gain) for gain in tested.values()])
)
differs = dict(zip(tested, differs, strict=True))

# %% tags=["hide-input"]
columns = {}
for key in keys:
    rows = {}
    for name in ["warm-up loss", *candidates(key, 1)]:
        value, gain = rivals[key, name]
        short = name.replace(",", "").replace(" ", "_").lower()
        book.keep(page, f"early_{short}_{key}", value, null=0.0, ceiling=ceiling[key].mean)
        rows[name] = str(page.results[f"early_{short}_{key}"])
        if gain is not None:
            book.keep(page, f"gain_{short}_{key}", gain, null=0.0)
            star = " *" if differs[key, name] else ""
            rows[name] += f"; gain {page.results[f'gain_{short}_{key}']}{star}"
    columns[f"{heads[key[1:]]}, {model[key[0]]}"] = rows
better = [
    name
    for name in candidates("a", 1)
    if all(differs.get((key, name)) and tested[key, name].estimate > 0 for key in keys)
]
book.text(
    page, f"Correlation with the {ruler.title} from epoch {seen} on; \\* = the gain differs from 0."
)
pd.DataFrame(columns).fillna("not in these traces")

# %% tags=["hide-input"]
book.text(
    page,
    f"Better than the warm-up loss in every column: {', '.join(better) or 'none'}. All of these are made before most of "
    "the training; those of the first epochs cost those epochs.",
)

# %% [markdown]
# ## Verdict
#
# Two rules were fixed before the numbers were seen. *Predicts* means: the whole interval lies above 0.30, the
# lower end of the paper's range, in both networks. *Beyond the class* means: the partial correlation given the
# class lies above 0.10. A third was added after the share found had been seen on these traces, and before its ceiling
# was computed. *Picks* means: the loss finds more than half of what the true rates would find, in both networks.
# Fewer than 6 seeds: no verdict.

# %%
PREDICTS = f"the loss after warm-up predicts the {goal} (Spearman above 0.30)."
BEYOND = "the loss knows more than the class (partial correlation above 0.10)."
PICKS = "the loss picks the most forgotten half as well as true rates would."


def verdicts(end):
    """The three verdicts on a data set, in words; keys end in `end`."""
    rules = {PREDICTS: ("rho", 0.3), BEYOND: ("partial", 0.1), PICKS: ("of_best", 0.5)}
    return [
        book.verdict(
            page, f"on {heads[end]}, {c}", *(book.above(page, f"{k}_{w}{end}", x) for w in "ab")
        )
        for c, (k, x) in rules.items()
    ]


judged = verdicts("")

# %% [markdown]
# ## Does it hold on a second data set?
#
# The same code, the same rules, other images. Beside them the range that the paper reports over OCTDL and CUB-200 and
# its two networks; the abstract does not say which end belongs to which.

# %%
if second:
    judged_beside = verdicts("_beside")

# %% tags=["hide-input"]
parts = {f"{name}_{w}": f"{model[w]}, {words}" for name, words in given.items() for w in "ab"}
parts |= {f"top_{w}": f"{model[w]}, share found in the top {top_fraction:.0%}" for w in "ab"}
book.text(page, side_by_side.compared(pair[0], second, judged, judged_beside if second else []))
side_by_side.table(page, heads, parts, {f"rho_{w}": "0.30 to 0.50" for w in "ab"})

# %% [markdown]
# A small class has few images, and a rare class can be hard for that reason alone: compare the correlation with the one
# given the class before blaming the image.

# %% [markdown]
# ## Does it survive other choices?
#
# **Other targets** for the same predictor. First learned and warm-up loss share epoch 0, so that row is partly true by
# construction. The last rows keep only images that were right after the warm-up: the others have a high loss *and* a
# shorter trace.

# %%
choices = {
    "target: forgetting events": ("warmup_loss", "forgetting_events"),
    "target: mean retention": ("warmup_loss", "mean_retention"),
    "target: first learned": ("warmup_loss", "first_learned"),
    "target: rate by likelihood": ("warmup_loss", "decay_rate_bernoulli"),
    "target: final loss": ("warmup_loss", "final_loss"),
}
survey = {
    (words, w): prediction.correlation_interval(hard(traced[w], x), hard(traced[w], y), rng, draws)
    for words, (x, y) in choices.items()
    for w in "ab"
}
for which in "ab":  # does the link survive where epoch 0 is right for all?
    known = np.where(scores.first_learned(correct[which]) == 0, later[which], np.nan)
    survey[f"only {book.unit(page)}s right after warm-up", which] = prediction.correlation_interval(
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
        title=f"Other targets, on {main}",
        description="Rank correlations with intervals for both networks: "
        + "; ".join(f"{w}, {model[m]} {one.estimate:.2f}" for (w, m), one in survey.items())
        + ".",
        x_title="Spearman correlation, both scores with higher = harder",
    )
)

# %% [markdown]
# ## The claim, what it needs, what we see

# %% tags=["hide-input"]
side_by_side.claims(
    page,
    heads,
    [
        (
            "The loss after warm-up predicts the decay constant (0.30 to 0.50).",
            "A correlation run by run, beside the ceiling of perfect knowledge.",
            "{rho_a} and {rho_b}",
            PREDICTS,
        ),
        (
            "All $p < 10^{-45}$.",
            "Nothing: with thousands of images any such correlation has a tiny p. It must not count runs as images.",
            "permutation p {p_a} and {p_b}, the smallest possible",
            "",
        ),
        (
            "It tells something about the image.",
            "A correlation given the class, and across runs.",
            "given the class {partial_a} and {partial_b}; across runs {across_a} and {across_b}",
            BEYOND,
        ),
        (
            "Decay constants hardly agree over seeds (about 0.01).",
            "No correlation of one run's loss with another's rate, or an unreliable loss.",
            "rates agree at {rate_reliability_a} and {rate_reliability_b}, losses at {loss_reliability_a} and "
            "{loss_reliability_b}",
            "",
        ),
        (
            "So it can be used before training.",
            "It finds many of the most forgotten, next to what true rates would find.",
            "{top_a} and {top_b} found: {of_best_a} and {of_best_b} of the possible",
            PICKS,
        ),
    ],
)

# %% [markdown]
# ## Limits
#
# - Never-learned images have no decay rate and are left out, run by run. They are likely to have a high loss, so
#   the correlation speaks of the learned images only.
# - A correlation is not a mechanism. A mislabelled image is hard at every epoch.
# - The ceiling assumes independent epochs and rates that belong to the image.
# - Small networks, small images, and our own pretrained weights: the claim is tested in another place than the paper's.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). The loss of one run correlates at 0.3 with the decay rates of *another* run. Losses
# of two runs agree at 0.9. At what must the rates of two runs agree at least?
#
# ```{admonition} Solution
# :class: dropdown
# At $0.3^2 / 0.9 = 0.1$. A correlation across runs can only come through the image, so the rate must hold something of
# the image too: "rates agree at 0.01" and "the loss of another run predicts them at 0.3" cannot both be true.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 0.3**2 / 0.9

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    0.3**2 / 0.9,
    within=0.004,
    hint="the bound is in the section *The image, or the run?*",
    traps={
        "the correlation enters squared": 0.3 / 0.9,
        "that would do if the losses agreed perfectly; they agree at 0.9": 0.3**2,
        "divide by the reliability of the loss: the less it agrees, the *more* the rate must": (
            0.3**2 * 0.9
        ),
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Compute the mean over runs of the correlation between `early["a"]` and `later["a"]`
# (both [seed, image]) with `scipy.stats.spearmanr`, run by run. Then write all runs one under the other and correlate
# once. Answer with the mean over runs. Why is the second number no replacement?
#
# ```{admonition} Solution
# :class: dropdown
# Never-learned images have no rate: `nan_policy="omit"`. The correlation of the long list need not be far off. Its
# $p$-value is, and so is an interval made from it: every image is in the list once for each seed, and ten
# rows of one image do not tell as much as ten images.
# ```

# %% tags=["solution", "hide-cell"]
by_run = [
    stats.spearmanr(x, y, nan_policy="omit").statistic for x, y in zip(early["a"], later["a"])
]
answer_2 = np.mean(by_run)

# %% tags=["check"]
long_list = [values["a"].reshape(1, -1) for values in (early, later)]
exercises.check(
    2,
    answer_2,
    rho["a"].estimate,
    within=1e-4,
    hint="one correlation for every seed, over the images known there; then their mean",
    traps={
        "that is the correlation of all runs written one under the other": (
            prediction.run_correlations(*long_list)[0]
        ),
        "that is the other network": rho["b"].estimate,
        "that gives the never-learned images a rate of 0": np.mean(
            prediction.run_correlations(early["a"], np.nan_to_num(later["a"]))
        ),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). How large must a sample be? For a rank correlation $\rho$ over $n$ independent images,
# $t = \rho \sqrt{(n-2)/(1-\rho^2)}$ follows Student's law with $n - 2$ degrees of freedom if there is none. What is the
# power of ten of the two-sided $p$, $\log_{10} p$, for $\rho = 0.30$ and 1,651 images (80 % of OCTDL)? Can it be below
# $10^{-45}$?
#
# ```{admonition} Solution
# :class: dropdown
# No: $p$ is about $10^{-35}$. With $\rho = 0.30$ it takes over 2,100 images, or several seeds written under one
# another, which are not independent.
# ```

# %% tags=["solution", "hide-cell"]
p_octdl = 2 * stats.t.sf(0.3 * np.sqrt(1649 / (1 - 0.3**2)), 1649)
answer_3 = np.log10(p_octdl)

# %% tags=["check"]
shape = 1651 / 2 - 1  # of the beta law that a chance correlation of so many images follows
exact = 2 * stats.beta.sf(0.3, shape, shape, loc=-1, scale=2)
exercises.check(
    3,
    answer_3,
    np.log10(exact),
    within=0.1,
    hint="scipy.stats.t.sf(t, n - 2) is the chance to be above t by luck; both sides count",
    traps={
        "that is p itself; its power of ten is asked for": exact,
        "that is one side only": np.log10(exact / 2),
        "that is the natural logarithm; np.log10 counts the zeros": np.log(exact),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Make two unrelated scores of 300 images, repeat each of them 10 times (ten
# "seeds" that agree perfectly), and correlate the 3,000 rows. In which share of 200 tries is $p < 0.05$? And if the seeds
# agree less well?
#
# ```{admonition} Solution
# :class: dropdown
# In about half of the tries instead of one in twenty: $p$ takes 300 images for 3,000. With independent noise added to
# each repetition the share falls towards one in twenty, as there is less and less in the rows that repeats.
# ```

# %% tags=["solution", "hide-cell"]
dice = np.random.default_rng(0)
tries = [np.tile(dice.normal(size=(2, 300)), 10) for _ in range(200)]
answer_4 = np.mean([stats.spearmanr(x, y).pvalue < 0.05 for x, y in tries])

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda a: 0.4 < a < 0.75,
    hint=(
        "np.tile(score, 10) repeats a score ten times, and both scores are repeated alike; the answer is a share of the "
        "tries, and near 0.05 nothing was repeated"
    ),
)

# %% [markdown]
# **Exercise 5** (level 3, investigate). Make two unrelated scores of 4,000 images (one run, shape `(1, 4000)`), and an
# outcome that is their sum plus noise with the spread of each of them. Correlate the two with `prediction.run_correlations`, without and
# with `given=outcome`. Why is the second one negative? Answer with the pair.
#
# ```{admonition} Solution
# :class: dropdown
# Among images with the same outcome, one that has a low first score must have a high second one. The outcome is a
# *collider*. The partial correlation is about $-0.5$, although neither score knows the other. The last two rows of the
# chart *other things held fixed* can be too low for this reason.
# ```

# %% tags=["solution", "hide-cell"]
draw = np.random.default_rng(0)
one_score, other_score = draw.normal(size=(2, 1, 4000))
outcome = one_score + other_score + draw.normal(size=(1, 4000))
answer_5 = (
    prediction.run_correlations(one_score, other_score)[0],
    prediction.run_correlations(one_score, other_score, given=outcome)[0],
)

# %% tags=["check"]
exercises.check_that(
    5,
    answer_5,
    lambda a: abs(a[0]) < 0.1 and -0.6 < a[1] < -0.35,
    hint=(
        "two independent draws of rng.normal give a first number near 0; outcome = one + other + noise, each with the same "
        "spread, and given=outcome, a second one near -0.5"
    ),
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun finding_5_early_loss -p target=forgetting_events -p top_fraction=0.2
# lethe rerun finding_5_early_loss -p dataset=cifar7 -p beside=glyphs
# ```

# %% tags=["remove-cell", "nbval-check-output"]
shown = ("rho_a", "rho_b", "partial_a", "partial_b", "top_a", "top_b")
for end, name in heads.items():
    print(name, {key: str(page.results[key + end]) for key in shown})

# %% tags=["remove-input"]
book.finish(page)
