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
# # Quickstart: train two networks and watch them forget
#
# **Claim.** Two runs that differ in nothing but the random seed lose different images. See it happen, in about a
# minute, on a laptop.
#
# **You will learn** (1) how to capture a trace, (2) what it looks like, (3) why one run says little.
#
# **Time**: 5 minutes to read, 1 to 2 minutes to rerun on two cores. **You need**: some Python. This is the only page
# that trains networks; it needs the extra `capture`, which `make book` installs.

# %% tags=["remove-cell", "install"]
from importlib.util import find_spec

if find_spec("lethe") is None:  # opened by itself, such as on Colab: fetch the book and its library
    import runpy
    import subprocess

    ADDRESS, BRANCH = "", "main"  # written by `lethe address`
    assert ADDRESS, "Lethe is not installed: run `pip install -e .` in a checkout of the book"
    print(subprocess.getoutput(f"git clone -q --depth=1 -b {BRANCH} {ADDRESS} lethe-book"))
    runpy.run_path("lethe-book/lib/lethe/pages/install.py", {"TRAINS": True}, "__main__")

# %% tags=["remove-cell"]
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import stats

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.capture import capture_run, plan_run
from lethe.datasets.glyphs import load_glyphs
from lethe.pages import book, charts, exercises

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
model: str = "test_resnet"  # test_resnet or test_vit
limit: int = 1500  # training images, of 6,200
epochs: int = 8  # of full fine-tuning, after the head warm-up
seed_a: int = 0  # the first run
seed_b: int = 1  # the second run

# %% tags=["remove-cell"]
names = ("model", "limit", "epochs", "seed_a", "seed_b")
page = book.start("quickstart", {name: globals()[name] for name in names})

# %% [markdown]
# ## Capture two runs
#
# A run is planned, then captured. The plan fixes everything: data, network, recipe, seeds. Both runs use the same
# images. What differs is the seed, and with it the first values of the last layer, the order of the images and their
# augmentation.

# %%
held = {"split": 0}  # both runs draw the same images
plans = [
    plan_run("glyphs", model, preset="quick", seed=s, limit=limit, held=held, epochs=epochs)
    for s in (seed_a, seed_b)
]
out = Path(tempfile.mkdtemp(prefix="lethe-quickstart-"))
with ProcessPoolExecutor(min(2, os.cpu_count()), mp_context=get_context("spawn")) as pool:
    folders = list(pool.map(capture_run, plans, [out, out]))
runs = [traces.read_run(folder) for folder in folders]

# %% [markdown]
# Each run is a folder with one small file per epoch. `read_run` checks them and returns an `xarray.Dataset`. Let us see
# what the networks have learned.

# %%
for s, run in zip((seed_a, seed_b), runs, strict=True):
    accuracy = run["test_accuracy"].values
    print(
        f"seed {s}: test accuracy {accuracy[0]:.0%} after the warm-up, {accuracy[-1]:.0%} at the end"
    )

# %% [markdown]
# ## The picture
#
# One row is one training image, one column one epoch. Both pictures show the same images in the same order, the
# order of the first run: images that it has right most often on top.

# %% tags=["hide-input"]
right = [traces.correct(run).transpose("sample", "epoch").values for run in runs]
rng = np.random.default_rng(0)
order = rng.choice(len(right[0]), min(200, len(right[0])), replace=False)
order = order[np.argsort(-right[0][order].sum(axis=1), kind="stable")]
for s, correct in zip((seed_a, seed_b), right, strict=True):
    charts.show(
        charts.raster(
            correct[order],
            sort=False,
            height=280,
            title=f"{model}, seed {s}",
            description=(
                f"Raster of {len(order)} training images over {correct.shape[1]} epochs, seed {s}. "
                f"Right in {correct[order].mean():.0%} of all cells."
            ),
        )
    )

# %% [markdown]
# ## The number
#
# A **forgetting event** is an image that is right at one epoch and wrong at the next. Take the images with at least one
# event in each run. How much do the two sets overlap? The Jaccard overlap is the size of what they share, divided by
# the size of both together.

# %%
lost = [scores.forgetting_events(correct.T) > 0 for correct in right]
overlap = agreement.jaccard(*lost)
sizes = [int(x.sum()) for x in lost]
shared = [np.sum(lost[0] & rng.permutation(lost[1])) for _ in range(1000)]
null = [k / (sum(sizes) - k) for k in np.percentile(shared, [2.5, 97.5])]

# %% tags=["hide-input"]
book.record(page, "overlap", overlap, null=null, ceiling=1, n_seeds=2)
book.record(page, "lost_a", lost[0].mean(), fmt=".0%")
book.record(page, "lost_b", lost[1].mean(), fmt=".0%")
charts.show(
    charts.interval_chart(
        [book.row(page, "overlap", "overlap of the two sets of lost images")],
        title="Are the same images lost?",
        description=f"Jaccard overlap {overlap:.2f}; chance {book.words(null)}; identical sets give 1.",
        x_title="Jaccard overlap",
        domain=(0, 1),
    )
)
book.text(
    page,
    "Of the images, {lost_a} are lost at least once in the first run and {lost_b} in the second. The overlap is "
    "{overlap}. If the second run had lost random images, it would be " + book.words(null) + ".",
)

# %% [markdown]
# There is no interval here. The unit is the run, and two runs are one pair. So the rule of this book gives:

# %%
verdict = book.verdict(page, "two seeds lose different images.", book.below(page, "overlap", 0.5))

# %% [markdown]
# That is the honest answer to one pair of runs, however many images each has. [Finding 3](finding_3_seed_stability.ipynb)
# asks the same question of ten.

# %% tags=["remove-cell", "nbval-check-output"]
print(len(runs), [dict(run.sizes) for run in runs] == [dict(runs[0].sizes)] * 2, verdict)

# %% [markdown]
# ## Look at them
#
# Images that both runs lost, and images that only one of them lost.

# %% tags=["hide-input"]
images = load_glyphs()
where = {sample: k for k, sample in enumerate(images.sample_ids)}
place = np.array([where[sample] for sample in runs[0]["sample"].values])
groups = {"Lost in both": lost[0] & lost[1], "Lost in one only": lost[0] ^ lost[1]}
for title, group in groups.items():
    some = place[np.flatnonzero(group)[:20]]
    labels = [images.classes[k] for k in images.labels[some]]
    alts = [f"{x} in {f}" for x, f in zip(labels, images.columns["family"][some], strict=True)]
    display(  # noqa: F821
        charts.image_grid(
            images.pixels[some], labels, title=f"{title}: {group.sum()}", alts=alts, size=44
        )
    )

# %% [markdown]
# ## Does it survive other choices?
#
# Try it: `model`, `limit` and `epochs` are parameters. With more epochs more images are lost at least once, so the sets
# grow and the overlap changes for that reason alone. Comparing against chance takes care of it.
#
# ## Limits
#
# - 1,500 images and 8 epochs are a demonstration. The other pages use all images, 30 epochs and ten seeds.
# - Training rounds differently on another processor. Your two runs need not lose the very images shown here.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). Both runs lose 20 % of the images, at random. What Jaccard overlap do you expect?
#
# ```{admonition} Solution
# :class: dropdown
# They share 0.2 x 0.2 = 4 % and cover 20 + 20 - 4 = 36 %, so 0.04 / 0.36 = 0.11.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 0.2 * 0.2 / (0.2 + 0.2 - 0.2 * 0.2)

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    agreement.jaccard_null(6000, 0.2)[0],
    within=0.002,
    hint="of 100 images, count those that both lose, and those that at least one of them loses",
    traps={
        "that is the share that both lose: divide by the share that at least one of them loses": 0.04,
        "that divides by the sum of the two sets: images that both lose count once": 0.2 / 2,
        "that is the share of *one* run's lost images that the other loses too": 0.2,
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). How many images would *both* runs lose if the second one lost as many as it did, but drawn
# at random? Use `sizes` and the number of images, and do not round.
#
# ```{admonition} Solution
# :class: dropdown
# Each of the images lost by the first run is lost by the second with probability `sizes[1] / n`, so the product of both sizes
# over `n`. Compare with `(lost[0] & lost[1]).sum()`: what the two runs share beyond chance belongs to the images.
# ```

# %% tags=["solution", "hide-cell"]
answer_2 = sizes[0] * sizes[1] / len(lost[0])

# %% tags=["check"]
exercises.check(
    2,
    answer_2,
    stats.hypergeom(len(lost[0]), *sizes).mean(),
    within=0.01,
    hint="take one image that the first run loses, and ask how likely the second is to lose it too",
    traps={
        "that is how many they did share": np.sum(lost[0] & lost[1]),
        "that is a share: how many images are that": sizes[0] * sizes[1] / len(lost[0]) ** 2,
        "that is the most they could share": min(sizes),
    },
)

# %% [markdown]
# **Exercise 3** (level 2, compute). At the last epoch the two runs have nearly the same accuracy on the training images. On
# which share of these images is one of them right and the other wrong?
#
# ```{admonition} Solution
# :class: dropdown
# `np.mean(right[0][:, -1] != right[1][:, -1])`. It is at least as large as the difference of the two accuracies, and usually much
# larger: the mistakes fall on different images and cancel in the averages. The same number on test images is known as churn.
# ```

# %% tags=["solution", "hide-cell"]
answer_3 = np.mean(right[0][:, -1] != right[1][:, -1])

# %% tags=["check"]
ends = np.array([correct[:, -1] for correct in right])  # [run, sample]
exercises.check(
    3,
    answer_3,
    np.mean(ends.sum(axis=0) == 1),
    within=1e-6,
    hint="`right` holds the answers of both runs, [sample, epoch]; compare their last columns image by image",
    traps={
        "that is the difference of the two accuracies, in which opposite mistakes cancel": abs(
            np.diff(ends.mean(axis=1))[0]
        ),
        "that is over all epochs, and the last one is asked for": np.mean(right[0] != right[1]),
        "on these images they agree": np.mean(ends.sum(axis=0) != 1),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). Capture the same seed twice. What must the overlap be? Then find out *what* in a
# seed makes two runs differ: `held={"split": 0, "order": 0, "augment": 0, "dropout": 0}` holds everything but the first
# values of the last layer, and so on. Which stream alone moves the most images?
#
# ```{admonition} Solution
# :class: dropdown
# With the same seed the overlap is one. The same seeds on the same machine give the same run, bit for bit: compare the
# hashes of the final weights in the two manifests.
#
# A good answer changes one stream at a time, repeats each comparison with several seeds, and compares with runs in which all
# streams change: two runs are one pair, and one pair says little. Do not take it for granted that the parts add up. If each stream alone moves
# nearly as many images as all of them together, training amplifies *any* small change. The page on
# [sources of randomness](factorial_seeds.ipynb) does this experiment in full.
# ```

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun quickstart -p model=test_vit -p epochs=12
# ```

# %% tags=["hide-input"]
book.finish(page)
