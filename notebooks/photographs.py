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
# # The photographs: seven classes of very different sizes
#
# **Claim under test.** Images of rare classes are lost more often than images of the common one.
#
# **You will learn** (1) what `cifar7` is and why its classes have such odd sizes, (2) how well the networks learn it,
# (3) which photographs are lost most, and which never.
#
# **Time**: 10 minutes to read, a few seconds to rerun. **You need**: what a forgetting event is
# ([definitions](../book/definitions.md)).

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
from IPython.display import Markdown, display
from scipy import stats

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.datasets.cifar import OCTDL_COUNTS
from lethe.pages import book, charts, dataset_facts, exercises, sample_gallery, stores
from lethe.pages.thumbnails import lives, read_thumbnails

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
models: list[str] = ["test_resnet", "test_vit"]  # the two networks
preset: str = "quick"  # preset that the traces were captured with
shown: int = 24  # photographs in each of the two sheets
bootstrap: int = 300  # resamples behind each interval
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("models", "preset", "shown", "bootstrap", "random_seed")
page = book.start("photographs", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)

# %% [markdown]
# ## Why photographs, and why these sizes?
#
# Letters are clean, and their classes are equally large. Real data sets are neither. One of the two data sets of the
# paper, **OCTDL**, holds 2,064 scans of retinas in seven classes, the largest 56 times the smallest {cite:p}`kulyabin2024octdl`.
# Such an imbalance alone may decide which images are lost. To study it without the scans, `cifar7` gives OCTDL's
# *class sizes* to photographs that everybody can judge: the first seven classes of CIFAR-10 {cite:p}`krizhevsky2009learning`,
# each cut to the size of one class of OCTDL. Which photographs stay is decided by a hash of their names, so it is the
# same set for everybody. Nothing else of OCTDL is in it.

# %% tags=["remove-cell"]
pair = stores.open_pair(page, "cifar7", models, preset)
every = stores.captured().query("dataset == 'cifar7' and preset == @preset")["model"]
others = [traces.open_traces(f"cifar7-{name}-{preset}") for name in every if name not in models]
networks = [*pair, *(book.use(page, ds) for ds in others)]
model = stores.model_names(pair)
label = pair[0]["label"].values
classes = traces.class_names(pair[0])
sizes = np.bincount(label, minlength=len(classes))

# %% tags=["hide-input"]
octdl = ("AMD", "DME", "ERM", "NO (healthy)", "RAO", "RVO", "VID")
book.record(page, "images", len(label), fmt=",.0f")
book.record(page, "imbalance", sizes.max() / sizes.min(), fmt=".0f")
book.record(page, "largest_share", sizes.max() / len(label), fmt=".0%")
charts.show(
    charts.bars(
        [f"{name}, as {scans}" for name, scans in zip(classes, octdl, strict=True)],
        sizes,
        x_title="training images",
        title="Class sizes of cifar7, and the class of OCTDL that each is cut to",
        description="; ".join(f"{name} {size}" for name, size in zip(classes, sizes, strict=True)),
        fmt=",.0f",
    )
)
book.text(
    page,
    "{images} training images, {imbalance} to 1. "
    + ("" if tuple(sizes) == OCTDL_COUNTS else "These traces hold only a part of `cifar7`. ")
    + "Always answering with the largest class would be right on {largest_share} of them. The test images are 200 of "
    "each class, so there that answer is right on 1 in 7.",
)

# %% [markdown]
# ## Did the networks learn the task?
#
# *Training*: right answers on the training images in a clean pass after each epoch. *Test*: on the balanced test
# images. Epoch 0 is after the head warm-up. The line is the mean over seeds, the band goes from the lowest to the
# highest.


# %%
accuracy = {
    "training": [dataset_facts.by_epoch(traces.correct(ds).mean("sample"), ds) for ds in networks],
    "test": [dataset_facts.by_epoch(ds["test_accuracy"], ds) for ds in networks],
}

# %% tags=["hide-input"]
for kind, tables in accuracy.items():
    for ds, table in zip(networks, tables, strict=True):
        end, seeds = table.iloc[-1], ds.sizes["seed"]
        limits = {"low": end["low"], "high": end["high"], "n_seeds": seeds}
        book.record(page, f"{kind}_{ds.attrs['model']}", end["mean"], fmt=".1%", **limits)
said = [
    f"{ds.attrs['model']} ({ds.sizes['seed']} seeds): training "
    f"{page.results['training_' + ds.attrs['model']]}, "
    f"test {page.results['test_' + ds.attrs['model']]}"
    for ds in networks
]
for kind, tables in accuracy.items():
    charts.show(
        charts.lines(
            pd.concat(tables),
            "epoch",
            "mean",
            "network",
            ("low", "high"),
            title=f"Accuracy on the {kind} images",
            description=f"Accuracy on the {kind} images by epoch. At the last one: "
            + "; ".join(said),
            y_title=f"{kind} accuracy",
        )
    )
display(Markdown("At the last epoch, mean [lowest, highest seed]: " + "; ".join(said) + "."))

# %% [markdown]
# Where the training accuracy ends near 100 % and the test accuracy far below, the images were learned by heart.
# Forgetting, on all pages of this book, is about the *training* images.
#
# ## The number: are rare classes lost more often?
#
# Share of the learned images that are lost at least once, by class. An image that is *never learned* has nothing to
# lose: it is counted beside, not inside.

# %%
correct = [traces.correct(ds).values for ds in pair]
events = [scores.forgetting_events(bits) for bits in correct]  # [seed, sample], NaN: never learned


def by_class(marked):
    """Mean of `marked` [seed, sample] in every class, NaN left out."""
    return [np.nanmean(marked[:, label == k]) for k in range(len(classes))]


wide = pd.DataFrame(index=classes)
for name, counted in zip(model, events, strict=True):
    unknown = np.isnan(counted)
    wide[f"{name}: lost"] = by_class(np.where(unknown, np.nan, counted > 0))
    wide[f"{name}: never learned"] = by_class(unknown)

# %% tags=["hide-input"]
wide = wide.iloc[np.argsort(-sizes, kind="stable")]
charts.show(
    charts.heatmap(
        wide.to_numpy(),
        rows=[f"{name}, {sizes[classes.index(name)]:,} images" for name in wide.index],
        columns=list(wide.columns),
        title="Lost at least once (of the learned), and never learned (of all), by class",
        description="; ".join(
            f"{name}: " + ", ".join(f"{what} {x:.0%}" for what, x in row.items())
            for name, row in wide.iterrows()
        ),
        scale_title="share",
        domain=(0, 1),
        fmt=".0%",
    )
)

# %% [markdown]
# *Gap*: the share lost at least once among the images of all smaller classes, minus that of the largest class. The
# interval draws seeds and images again. *Chance*: the gap when the class labels are dealt to the images at random.


# %%
def gap_of(counted, rare):
    """The gap for weighted seeds and samples: share lost in rare classes minus in the largest."""
    known, lost = ~np.isnan(counted), np.nan_to_num(counted) > 0

    def statistic(seeds, samples):
        weight = np.outer(seeds[0], samples)
        return [(weight * lost)[:, g].sum() / (weight * known)[:, g].sum() for g in (rare, ~rare)]

    return lambda seeds, samples: [np.subtract(*statistic(seeds, samples))]


rare = label != np.argmax(sizes)
found, chance = [], []
for counted in events:
    runs, ones = counted.shape[:1], np.ones(len(label))
    one = agreement.pigeonhole_bootstrap(gap_of(counted, rare), runs, len(label), rng, bootstrap)
    dealt = [gap_of(counted, rng.permutation(rare))([np.ones(runs)], ones)[0] for _ in range(99)]
    found.append(one[0])
    chance.append(tuple(np.quantile(dealt, [0.025, 0.975])))

# %% tags=["hide-input"]
for name, one, null in zip("ab", found, chance, strict=True):
    book.keep(page, f"gap_{name}", one, null=null)
rows = [book.row(page, f"gap_{which}", name) for which, name in zip("ab", model, strict=True)]
charts.show(
    charts.interval_chart(
        rows,
        title="Lost at least once: smaller classes minus the largest",
        description="; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
        + ". The grey band is the gap of shuffled labels.",
        x_title="difference of shares",
    )
)

# %% [markdown]
# ## Verdict
#
# The rule, named with the claim: the whole interval of the gap lies above 0, in both networks. Fewer than 6 seeds: no
# verdict.

# %%
verdict = book.verdict(
    page,
    "on cifar7, images of rare classes are lost more often than images of the largest.",
    *(book.above(page, f"gap_{which}", 0.0) for which in "ab"),
)

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("images", "imbalance", "gap_a", "gap_b"):
    print(f"{key:12} {page.results[key]}")
print(verdict)

# %% [markdown]
# A gap is not yet an effect of the *size*: airplanes and frogs differ in more than their number. The experiment that
# could tell gives the large size to another class in turn. [Finding 4](finding_4_classes.ipynb) asks more: does
# forgetting rise class by class as the size falls? Seven classes can hardly say.
#
# ## Look at them
#
# Photographs that were forgotten most over all runs of all networks, and some that no run ever forgot.

# %% tags=["hide-input"]
pictures = read_thumbnails("cifar7")
life = lives(networks)
life["kind"] = np.array(classes)[label]
at_hand = life.loc[[name for name in pictures if name in life.index]]
most = at_hand[at_hand["events"] > 0].sort_values("events", ascending=False).head(shown)
never = at_hand[at_hand["never_forgotten"]].head(shown)


def sheet(rows, title, words):
    """Photographs with a caption each, made of their row by `words`."""
    tiles = [pictures[name] for name in rows.index]
    captions = [words(row) for row in rows.itertuples()]
    alts = [f"a photograph of class {kind}" for kind in rows["kind"]]
    display(charts.image_grid(tiles, captions, title=title, alts=alts, size=64))


if len(at_hand):
    sheet(most, "Forgotten most", lambda row: f"{row.kind}, {row.events:.1f}")
    sheet(never, "Never forgotten", lambda row: row.kind)

# %% tags=["hide-input"]
total = int(life["never_forgotten"].sum())
book.text(
    page,
    "The number below a photograph is its mean number of forgetting events in a run. "
    f"In all, {total:,} of {{images}} images were learned in every run of all {len(networks)} networks and never "
    "forgotten by any."
    if len(at_hand)
    else "The sheet of thumbnails is not on this computer, so there is nothing to show here. In all, "
    f"{total:,} of {{images}} images were learned in every run and never forgotten by any.",
)

# %% tags=["hide-input"]
x, y = (sample_gallery.mean_score(*each) for each in zip(pair, ["forgetting_events"] * 2, model))
common = classes[sizes.argmax()]
sample_gallery.show(
    page,
    pair,
    x,
    y,
    title="Pick a photograph: forgetting events a run in two networks",
    groups=np.where(label == sizes.argmax(), f"{common} (most common)", "another class"),
    random_seed=random_seed,
)

# %% [markdown]
# CIFAR-10 is not part of this book; it keeps thumbnails of these few. `lethe fetch cifar10` gets the rest, and
# `lethe capture cifar7` makes such traces again.
#
# ## Limits
#
# - 32 x 32 pixels, small networks. Seven classes, so "rare" and "which class" cannot be told apart.
# - OCTDL's class *sizes* are copied, and nothing else of it: photographs may be harder or easier than scans.
# - The class with the fewest images has so few that its shares move in steps.
# - CIFAR-10 holds near-duplicates, so its images are not fully independent.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). A network always answers with the largest class. What is its accuracy on the training
# images, and on the test images? Answer with `{"training": ..., "test": ...}`, both as shares between 0 and 1.
#
# ```{admonition} Solution
# :class: dropdown
# In the full `cifar7` it is 1231 / 2064 = 60 % and 1 / 7 = 14 %. The training images are imbalanced, the test images are not.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = {"training": sizes.max() / sizes.sum(), "test": 1 / 7}

# %% tags=["check"]
expected = {"training": (label == np.argmax(sizes)).mean(), "test": 1 / len(classes)}
exercises.check(
    1,
    answer_1,
    expected,
    within=0.005,
    hint="which part of each set is of that class? The chart of class sizes and the sentence below it tell",
    traps={
        "the test images are balanced, so the largest class is no larger there than the others": {
            "training": expected["training"],
            "test": expected["training"],
        },
        "that holds where all classes are equally large, and in training they are not": {
            "training": expected["test"],
            "test": expected["test"],
        },
        "the two are the other way round": {
            "training": expected["test"],
            "test": expected["training"],
        },
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Call an image *most forgotten* if its `life["events"]` reach the 95 % quantile of that
# column. How over-represented is each class among these? Give the class's share of the most forgotten, divided by its share
# of all images, in the order of `classes`.
#
# ```{admonition} Solution
# :class: dropdown
# Mark the images with `>=`, count `kind` among them and divide twice. A ratio above 1 means that the class is
# over-represented. The smallest class has so few images that its ratio moves in big steps: one image more or less changes it a lot.
# ```

# %% tags=["solution", "hide-cell"]
most_forgotten = life[life["events"] >= life["events"].quantile(0.95)]
counts = most_forgotten["kind"].value_counts().reindex(classes, fill_value=0)
answer_2 = (counts / counts.sum()) / (sizes / sizes.sum())

# %% tags=["check"]
most = life["events"] >= life["events"].quantile(0.95)
within_class = most.groupby(life["kind"]).mean().reindex(classes).to_numpy()
among_most = life["kind"][most].value_counts(normalize=True).reindex(classes, fill_value=0)
exercises.check(
    2,
    answer_2,
    within_class / most.mean(),
    within=0.01,
    hint="two shares for each class, one among the most forgotten and one among all images, and their ratio",
    traps={
        "that is the share among the most forgotten: a large class has more of everything, so divide by its share of all "
        "images": among_most.to_numpy(),
        "that is the share of each class that is most forgotten: compare it with the share among all images": within_class,
        "these are numbers of images, not shares": (among_most * most.sum()).to_numpy(),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). The gap of this page leaves the never-learned images out. Count them as lost instead: what is
# the gap of the first network then (the images of all smaller classes minus those of the largest, over all its runs)?
#
# ```{admonition} Solution
# :class: dropdown
# Mark what is never learned or lost at least once, then take the mean inside and outside of `rare`. Nearly every image of
# these photographs is learned, so the choice changes little here. On the [glyphs](glyphs.ipynb) it would matter more: there some
# images have no right answer.
# ```

# %% tags=["solution", "hide-cell"]
lost_or_never = np.isnan(events[0]) | (events[0] > 0)
answer_3 = lost_or_never[:, rare].mean() - lost_or_never[:, ~rare].mean()

# %% tags=["check"]
steady = scores.never_forgotten(correct[0])
as_kept = np.nan_to_num(events[0]) > 0
exercises.check(
    3,
    answer_3,
    steady[:, ~rare].mean() - steady[:, rare].mean(),
    within=1e-6,
    hint="`events[0]` is NaN where an image was never learned; every image of every run counts once",
    traps={
        "that is the gap of the page, which leaves the never-learned out": page.results[
            "gap_a"
        ].value,
        "that counts the never-learned as kept: NaN > 0 is False": as_kept[:, rare].mean()
        - as_kept[:, ~rare].mean(),
        "that is the gap in never learned alone": np.isnan(events[0])[:, rare].mean()
        - np.isnan(events[0])[:, ~rare].mean(),
        "that is the other network": (~scores.never_forgotten(correct[1]))[:, rare].mean()
        - (~scores.never_forgotten(correct[1]))[:, ~rare].mean(),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Does the share lost fall with the class size, class by class? Take the first
# network's share lost of each class (`by_class`), and its Spearman correlation with `sizes`. Under chance all orders of the
# seven classes are equally likely. Go through all of them: in which share of the orders is the correlation at least as low?
# Then say whether seven classes can settle the question.
#
# ```{admonition} Solution
# :class: dropdown
# `itertools.permutations` of the ranks, or `scipy.stats.permutation_test` with pairings. There are 5,040 orders, the observed
# one among them, so the share is at least 1 / 5,040. Seven classes are seven data points, however many images they hold:
# a middling correlation is common by chance, and even a perfect order would not say *why*, because the small classes are also
# other animals and vehicles. The experiment that could tell gives the large size to each class in turn.
# ```

# %% tags=["solution", "hide-cell"]
from itertools import permutations

lost = by_class(np.where(np.isnan(events[0]), np.nan, events[0] > 0))
by_size, by_loss = pd.Series(sizes).rank().to_numpy(), pd.Series(lost).rank().to_numpy()
products = np.array(list(permutations(by_size))) @ by_loss  # the correlation, but for its scale
answer_4 = np.mean(products <= by_size @ by_loss + 1e-9)

# %% tags=["check"]
share_lost = by_class(np.where(np.isnan(events[0]), np.nan, events[0] > 0))
in_order = stats.rankdata(sizes)
tested = {
    tail: stats.permutation_test(
        [stats.rankdata(share_lost)],
        lambda x, axis: np.sum(x * in_order, axis=axis),
        vectorized=True,
        permutation_type="pairings",
        alternative=tail,
    ).pvalue
    for tail in ("less", "greater", "two-sided")
}
exercises.check(
    4,
    answer_4,
    tested["less"],
    within=0.0005,
    hint="shuffle the ranks of one side in all possible ways, count the observed order too, and look at the low tail",
    traps={
        "that is the other tail: the claim is that large classes are lost less": tested["greater"],
        "that counts both tails, and the question asks for correlations as low as this": tested[
            "two-sided"
        ],
        "that is the correlation itself": stats.spearmanr(share_lost, sizes).statistic,
        "that p-value comes from a formula for many points and for both tails; go through the orders": stats.spearmanr(
            share_lost, sizes
        ).pvalue,
    },
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun photographs -p shown=48
# lethe rerun photographs -p models=test_resnet,resnet18
# ```

# %% tags=["remove-input"]
book.finish(page)
