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
# # Traces: what is recorded, and what it shows
#
# **Claim under test.** Forgetting is common enough to study: more than one learned image in twenty is lost at least
# once.
#
# **You will learn** (1) what a trace holds and how to open it, (2) how to read a raster of training, (3) how many
# images are never learned, lost, or never lost, and how much that depends on the seed.
#
# **Time**: 15 minutes to read, half a minute to rerun. **You need**: the [definitions](../book/definitions.md).

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

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.pages import book, charts, dataset_facts, exercises, sample_gallery, stores

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
dataset: str = "glyphs"  # data set
models: list[str] = ["test_resnet", "test_vit"]  # the two networks
preset: str = "quick"  # preset that the traces were captured with
seed: int = 0  # the run shown where only one can be shown
rows: int = 250  # images in the raster
bootstrap: int = 300  # resamples behind each interval
random_seed: int = 1  # draws the images and the resamples

# %% tags=["remove-cell"]
names = ("dataset", "models", "preset", "seed", "rows", "bootstrap", "random_seed")
page = book.start("traces", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)

# %% [markdown]
# ## What the paper reports
#
# The paper records whether each training sample is right at every epoch. It reports no counts of learned, lost and
# never learned samples that we know of. So this page has no figure of the paper beside ours.
#
# ## Open a store
#
# One file holds all runs of one network. `traces.open_traces` returns an `xarray.Dataset`; values are read when they
# are needed. `stores.open_pair` opens two and matches their images.

# %%
a, b = stores.open_pair(page, dataset, models, preset)
print(dict(a.sizes))

# %% [markdown]
# | variable | dimensions | meaning |
# |---|---|---|
# | `prediction` | seed, epoch, sample | the class that the network names; -1 where missing |
# | `loss` | seed, epoch, sample | cross-entropy |
# | `margin` | seed, epoch, sample | logit of the label minus the largest other; positive means right |
# | `error_l2` | seed, epoch, sample | length of softmax minus one-hot |
# | `test_accuracy`, `train_loss`, `seconds` | seed, epoch | of the epoch |
# | `label`, `image_hash`, and what else is known (of glyphs: `family`, `identical_to`, ...) | sample | about the image |
#
# `correct` is not stored. It is derived: `prediction == label`. Epoch 0 is after the head warm-up, when only the last
# layer has been trained.

# %% [markdown]
# ## Did the networks learn the task?
#
# Test images are never trained on. Those of the glyphs even come from typefaces that no training image comes from.

# %% tags=["hide-input"]
curves = []
for ds in (a, b):
    accuracy = ds["test_accuracy"]
    frame = pd.DataFrame({"epoch": ds["epoch"].values, "mean": accuracy.mean("seed").values})
    frame["low"], frame["high"] = accuracy.min("seed").values, accuracy.max("seed").values
    curves.append(frame.assign(network=ds.attrs["model"]))
    last = accuracy.isel(epoch=-1).values
    ends = {"low": float(last.min()), "high": float(last.max()), "n_seeds": len(last)}
    book.record(page, f"accuracy_{ds.attrs['model']}", last.mean(), fmt=".1%", **ends)
said = {ds.attrs["model"]: str(page.results[f"accuracy_{ds.attrs['model']}"]) for ds in (a, b)}
charts.show(
    charts.lines(
        pd.concat(curves),
        "epoch",
        "mean",
        "network",
        ("low", "high"),
        title="Test accuracy; line: mean over seeds, band: lowest to highest seed",
        description="Test accuracy by epoch. At the last epoch, mean [lowest, highest]: "
        + "; ".join(f"{name} {words}" for name, words in said.items()),
        y_title="test accuracy",
    )
)

# %% tags=["hide-input"]
classes = traces.class_names(a)
display(
    Markdown(
        "At the last epoch, mean [lowest, highest seed]: "
        + "; ".join(f"{name} {words}" for name, words in said.items())
        + f". The task has {len(classes)} classes, so guessing gives {1 / len(classes):.1%}."
    )
)

# %% [markdown]
# ## The raster
#
# Draw some images at random. One row is one image, one column one epoch of one run. The rows are sorted: images that
# are right most often on top.

# %% tags=["hide-input"]
right = {ds.attrs["model"]: traces.correct(ds) for ds in (a, b)}
chosen = np.sort(rng.choice(a.sizes["sample"], min(rows, a.sizes["sample"]), replace=False))
shown = dataset_facts.names(a, chosen)
for name, correct in right.items():
    life = correct.sel(seed=seed).isel(sample=chosen).transpose("sample", "epoch").values
    charts.show(
        charts.raster(
            life,
            names=shown,
            title=f"{name}, seed {seed}: {len(chosen)} images",
            description=(
                f"Raster of {len(chosen)} training images over {life.shape[1]} epochs of {name}. "
                f"Right in {life.mean():.0%} of all cells, in {life[:, 0].mean():.0%} at epoch 0 and in "
                f"{life[:, -1].mean():.0%} at the last."
            ),
        )
    )

# %% [markdown]
# Three kinds of life are easy to see. Blue from an early epoch to the end: learned and kept. Orange dashes: lost and
# relearned, sometimes many times. Grey to the right edge: never learned.
#
# ## The number: how many are lost?
#
# Count over all images and runs. An image that is **never learned** has nothing to lose, so it is a category of its
# own and not part of the shares of learned images. The intervals redraw seeds and images.


# %%
def share(marked, among):
    """Share of the marked cells [seed, sample] among others, with its interval."""

    def statistic(seeds, samples):
        weight = seeds[0][:, None] * samples * among
        return [(weight * marked).sum() / weight.sum()]

    shape = marked.shape
    return agreement.pigeonhole_bootstrap(statistic, shape[:1], shape[1], rng, bootstrap)[0]


def shares(correct):
    """Never learned, of all; lost at least once, of the learned."""
    never = scores.never_learned(correct)
    return share(never, True), share(scores.forgetting_events(correct) > 0, ~never)


found = {name: shares(correct.values) for name, correct in right.items()}

# %% tags=["hide-input"]
said = []
for name, (never, lost) in found.items():
    for key, interval in (("never", never), ("lost", lost)):
        book.keep(page, f"{key}_{name}", interval, fmt=".1%")
    said.append(book.row(page, f"lost_{name}", f"{name}: lost at least once, of the learned"))
    said.append(book.row(page, f"never_{name}", f"{name}: never learned, of all"))
charts.show(
    charts.interval_chart(
        said,
        title="Learned and lost, or never learned",
        description="; ".join(f"{row['label']} {row['estimate']:.1%}" for row in said),
        x_title="share of images",
        fmt=".1%",
    )
)

# %% [markdown]
# There is no null in this chart: nothing would count as chance. (A network that is right at random would lose
# almost every image that it ever gets right.) Where it matters whether an image is lost *again and again*, look at the
# counts.

# %% tags=["hide-input"]
events = {name: scores.forgetting_events(correct.values) for name, correct in right.items()}
top = 6
steps = [*map(str, range(top)), f"{top} or more"]
table = []
for name, counted in events.items():
    known = np.minimum(counted[np.isfinite(counted)], top).astype(int)
    height = np.bincount(known, minlength=top + 1) / len(known)
    table.append(pd.Series(height, index=steps, name=name))
table = pd.DataFrame(table)
charts.show(
    charts.heatmap(
        table.to_numpy(),
        rows=list(table.index),
        columns=steps,
        title="Share of learned images by their number of forgetting events in one run",
        description="; ".join(
            f"{name}: " + ", ".join(f"{step} events {x:.1%}" for step, x in row.items())
            for name, row in table.iterrows()
        ),
        scale_title="share",
        domain=(0, 1),
    )
)

# %% [markdown]
# ## Verdict
#
# The limit of 5 % was named at the top of the page. Both networks must pass it.

# %%
verdict = book.verdict(
    page,
    "more than one learned image in twenty is lost at least once, in both networks.",
    *[book.above(page, f"lost_{name}", 0.05) for name in right],
)

# %% tags=["remove-cell", "nbval-check-output"]
for key, result in page.results.items():
    print(f"{key:24} {result}")

# %% [markdown]
# ## One image in all runs
#
# The same image, ten seeds. The seed changes the order of the images, their augmentation and the first values of the
# last layer, nothing else.

# %% tags=["hide-input"]
x, y = (
    sample_gallery.mean_score(a, name, a.attrs["model"])
    for name in ("first_learned", "forgetting_events")
)
sample_gallery.show(
    page,
    (a, b),
    x,
    y,
    title="Pick an image and see it in all runs",
    random_seed=random_seed,
)

# %% [markdown]
# ## Does it survive other choices?
#
# **The first epochs.** Early losses may only mean that training has just begun. Count only what is lost after epoch 10 (in
# runs of fewer than 20 epochs: in the second half).
# **Images without a right answer.** Where some images are hard for a known reason, leave them out. Of the
# [glyphs](glyphs.ipynb) these are the twins and the symbols.

# %% tags=["hide-input"]
hard = dataset_facts.known_hard(a)
plain = ~np.any([np.zeros(a.sizes["sample"], bool), *hard.values()], axis=0)
variants, settled = [], min(10, a.sizes["epoch"] // 2)
for name, correct in right.items():
    kinds = {f"after epoch {settled}": correct.isel(epoch=slice(settled, None)).values}
    kinds |= {f"without {' and '.join(hard)} images": correct.values[..., plain]} if hard else {}
    for number, (what, part) in enumerate(kinds.items()):
        lost = shares(part)[1]
        limits = (lost.estimate, lost.low, lost.high)
        book.record(page, f"variant_{number}_{name}", *limits, n_seeds=lost.n_seeds, fmt=".1%")
        variants.append(book.row(page, f"variant_{number}_{name}", f"{name}, {what}"))
charts.show(
    charts.interval_chart(
        variants,
        title="Lost at least once, counted in other ways",
        description="; ".join(f"{row['label']} {row['estimate']:.1%}" for row in variants),
        x_title="share of learned images",
        fmt=".1%",
    )
)

# %% [markdown]
# ## Two views of the same training
#
# These traces hold the **eval view**: after each epoch the network is put in evaluation mode and answers every image
# once, clean. The **train view** takes the answers of the training pass itself. It costs next to nothing, but it
# differs in three ways: the image is augmented, batch statistics are used, and the weights change during the pass, so
# the first image of an epoch meets another network than the last. An image can be lost in one view and kept in the
# other. So a store names its view, and pages never mix the two. `lethe capture --views eval,train` records both.

# %%
print({ds.attrs["model"]: ds.attrs["view"] for ds in (a, b)})

# %% [markdown]
# ## Limits
#
# - An event needs two epochs in a row. What is lost and relearned within an epoch is not seen.
# - Right or wrong is a coarse scale: an image just above and just below the threshold count as different. The margin
#   is recorded too, and some scores use it.
# - Counts depend on the recipe. A longer training or a larger learning rate would give others.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). A run of epochs 0 to 9 is right on an image at epochs 3, 4, 7 and 9. How many forgetting
# events are there, when is it first learned, and what is its mean retention? Answer with
# `{"events": ..., "first_learned": ..., "mean_retention": ...}`.
#
# ```{admonition} Solution
# :class: dropdown
# Two events: 4 to 5 and 7 to 8. It is first learned at epoch 3. From epoch 3 on there are 7 epochs, 4 of them right: 4/7 = 0.57.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = {"events": 2, "first_learned": 3, "mean_retention": 4 / 7}

# %% tags=["check"]
bits = np.isin(np.arange(10), [3, 4, 7, 9])[:, None]
expected = {
    "events": scores.forgetting_events(bits)[0],
    "first_learned": scores.first_learned(bits)[0],
    "mean_retention": scores.mean_retention(bits)[0],
}
exercises.check(
    1,
    answer_1,
    expected,
    within=0.005,
    hint="an event needs a right epoch and then a wrong one; retention is counted from the first right epoch on, which counts too",
    traps={
        "the last epoch is right, and nothing is seen after it: that spell does not end in an event": expected
        | {"events": 3},
        "mean retention starts at the first right epoch, not at epoch 0": expected
        | {"mean_retention": bits.mean()},
        "the epoch of first learning belongs to the retention trace": expected
        | {"mean_retention": bits[4:].mean()},
        "epochs are counted from 0": expected | {"first_learned": 4},
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). How many images does the first network never learn in *any* of its runs, and how many of
# these are hard for a known reason (`~plain`)? Answer with `{"never": ..., "known hard": ...}`.
#
# ```{admonition} Solution
# :class: dropdown
# `scores.never_learned(right[a.attrs["model"]].values).all(axis=0)` marks them; combine it with `~plain`. An image that no
# run learns although nothing is known against it deserves a look: it may be a wrong label or a drawing nobody can read.
# ```

# %% tags=["solution", "hide-cell"]
hopeless = scores.never_learned(right[a.attrs["model"]].values).all(axis=0)
answer_2 = {"never": int(hopeless.sum()), "known hard": int((hopeless & ~plain).sum())}

# %% tags=["check"]
ever = right[a.attrs["model"]].any("epoch").values  # [seed, sample]


def counted(which):
    """How many images are marked, and how many of these are hard for a known reason."""
    return {"never": which.sum(), "known hard": (which & ~plain).sum()}


exercises.check(
    2,
    answer_2,
    counted(~ever.any(axis=0)),
    hint="`scores.never_learned` gives one row a seed. Look for the images that are marked in all rows, and "
    "then for those among them that `plain` does not mark",
    traps={
        "these images are missed by at least one run: all runs must miss them": counted(
            ~ever.all(axis=0)
        ),
        "that is one run only": counted(~ever[0]),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). Of the images that the first network learns in at least one run, which share is lost at
# least once in at least one run? Compare with the share in a single run, above.
#
# ```{admonition} Solution
# :class: dropdown
# `events[a.attrs["model"]]` holds the counts [seed, sample], NaN where never learned. An image counts if any of its counts is above 0.
# The share is much larger than in a single run: every run adds losses of its own. If the same images were lost in all runs, it
# would not grow at all. [Finding 3](finding_3_seed_stability.ipynb) asks how much is shared.
# ```

# %% tags=["solution", "hide-cell"]
table_3 = events[a.attrs["model"]]
answer_3 = (np.nan_to_num(table_3) > 0).any(axis=0).sum() / (~np.isnan(table_3)).any(axis=0).sum()

# %% tags=["check"]
bits = right[a.attrs["model"]].values  # [seed, epoch, sample]
falls = (bits[:, :-1] & ~bits[:, 1:]).any(axis=1)
exercises.check(
    3,
    answer_3,
    falls.any(axis=0).sum() / bits.any(axis=(0, 1)).sum(),
    within=1e-6,
    hint="one yes or no for each image: is it lost in any row of `events`? NaN is not a loss. Divide by the images that "
    "some run learns",
    traps={
        "that is the share in a single run, averaged over the runs": page.results[
            f"lost_{a.attrs['model']}"
        ].value,
        "these are lost in *every* run": falls.all(axis=0).sum() / bits.any(axis=(0, 1)).sum(),
        "count images, not pairs of image and run": falls.mean(),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). An event needs two epochs in a row, so the count depends on how often one looks. Keep only
# every second, fourth and eighth epoch (from epoch 0) of the first network, and count all events of all images and runs.
# Answer with a dictionary from the step (1, 2, 4, 8) to the total. Does the total halve when the step doubles? What follows for
# comparing counts between two papers?
#
# ```{admonition} Solution
# :class: dropdown
# Take `bits[:, ::step]`, and `np.nansum` of `scores.forgetting_events`. The total can only fall: a loss seen with the coarse clock must
# have happened at some epoch in between. A coarse clock also has fewer pairs of looks (30, 15, 7 and 3 of them), so it falls by more than
# half each time; per pair of looks it hardly changes. How fast it falls tells how long losses last. If every loss lasted, it would hardly
# fall, because the coarse clock would still see it. If images flickered at random, each about a share of its own, it would halve
# with every doubling. With the default parameters it is nearer to the second. Toneva et al. look at an image each time it comes
# in a batch, this book once after each epoch: only counts of the same clock can be compared.
# ```

# %% tags=["solution", "hide-cell"]
every = right[a.attrs["model"]].values
answer_4 = {
    step: np.nansum(scores.forgetting_events(every[:, ::step])).item() for step in (1, 2, 4, 8)
}

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda x: (
        set(x) == {1, 2, 4, 8}
        and x[1] == np.nansum(events[a.attrs["model"]])
        and all(
            np.nansum(scores.forgetting_events(right[a.attrs["model"]].values[:, ::s])) == x[s]
            for s in x
        )
    ),
    kind=dict,
    hint="totals over all images and runs for the steps 1, 2, 4 and 8. Step 1 is the total of the page, and no step may "
    "find more than a finer one. Slice the epochs of the bits, not the counts",
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun traces -p seed=3 -p rows=100
# lethe rerun traces -p dataset=cifar7
# lethe rerun traces -p models=test_resnet,resnet18
# ```

# %% tags=["hide-input"]
book.finish(page)
