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
# # The glyphs: images that everybody can judge
#
# **Claim.** Some of these images cannot be learned by any network, and we know which.
#
# **You will learn** (1) what the 6,200 training images are and how they were made, (2) why some of them
# have no right answer, (3) which accuracy no network can exceed.
#
# **Time**: 10 minutes to read, a few seconds to rerun. **You need**: nothing.

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

from lethe.datasets.glyphs import load_glyphs
from lethe.pages import book, charts, exercises

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
split: str = "train"  # which part: train or test
typefaces: int = 10  # typefaces shown in each row of the contact sheets
random_seed: int = 0  # draws the typefaces and the examples

# %% tags=["remove-cell"]
page = book.start("glyphs", {"split": split, "typefaces": typefaces, "random_seed": random_seed})

# %% [markdown]
# ## Why letters?
#
# Most studies of forgetting use photographs. Then a reader must trust a list of file names. Letters and
# digits are better to look at: anybody sees why `O`, `0` and `o` are confused. And they bring two sets of images
# whose difficulty is *known* before any network is trained: twins and symbols (below).
#
# The task has the size of a well-known data set of birds, CUB-200-2011, which the paper uses: about 6,000
# training images, many classes, about 100 images a class or fewer.

# %%
images = load_glyphs(split=split)
table = images.columns
print(
    f"{len(images.labels):,} images of {images.pixels.shape[1]} x {images.pixels.shape[2]} pixels"
)
print(f"{len(images.classes)} classes in {table['family'].nunique()} typefaces")

# %% [markdown]
# ## Contact sheet
#
# Each typeface gives one image of each of the 62 characters A-Z, a-z and 0-9. One style per typeface family. The
# families of the test images are *other* families, so the test asks for new typefaces, not for new copies.

# %% tags=["hide-input"]
rng = np.random.default_rng(random_seed)
shown = rng.choice(table["family"].unique(), typefaces, replace=False)


def sheet(characters, title):
    """One row of typefaces for each character."""
    rows = table[table["label"].isin(list(characters)) & table["family"].isin(shown)]
    rows = rows.sort_values(["label", "family"])
    alts = [f"{row.label} in {row.family}" for row in rows.itertuples()]
    return charts.image_grid(
        images.pixels[rows.index], rows["label"], title=title, alts=alts, size=40
    )


display(sheet("ARgn", "Four characters that are rarely confused"))  # noqa: F821

# %% tags=["hide-input"]
display(sheet("0Oo", "Three that are often confused: 0, O and o"))  # noqa: F821

# %% [markdown]
# ## Images without a right answer
#
# **Twins.** In some typefaces two characters are drawn exactly alike: capitals in the place of small letters,
# one ring for `O` and `0`, one stroke for `I` and `l`. Then the *same pixels* carry two labels. A network can be right
# about one of them at most. The column `identical_to` names the other labels.
#
# **Symbols.** Some typefaces hold pictures, or letters of another script, in the place of Latin letters. The label
# is then noise. The column `is_symbol_font` marks these images.

# %% tags=["hide-input"]
twins = table[table["identical_to"] != ""]
some = twins.sort_values(["family", "image_hash"]).iloc[: 2 * typefaces]
words = [f"{row.label} = {row.identical_to}" for row in some.itertuples()]
alts = [f"label {row.label}, also {row.identical_to}, in {row.family}" for row in some.itertuples()]
display(  # noqa: F821
    charts.image_grid(images.pixels[some.index], words, title="Twins", alts=alts, size=40)
)

# %% tags=["hide-input"]
symbols = table[table["is_symbol_font"]]
some = symbols.iloc[rng.choice(len(symbols), 2 * typefaces, replace=False)]
alts = [f"label {row.label} in {row.family}" for row in some.itertuples()]
display(  # noqa: F821
    charts.image_grid(
        images.pixels[some.index],
        some["label"],
        title="Symbols, with their labels",
        alts=alts,
        size=40,
    )
)

# %% [markdown]
# ## The number: the accuracy that nobody exceeds
#
# Group the images by their pixels. In each group a classifier gives one answer, so it is right at most as often
# as the most frequent label of the group. The sum over groups is a hard ceiling. It needs no interval: it is
# counted, not estimated.

# %%
pixels = [image.tobytes() for image in images.pixels]
groups = pd.DataFrame({"pixels": pixels, "label": images.labels}).groupby("pixels")["label"]
right_at_best = groups.agg(lambda labels: labels.value_counts().iloc[0]).sum()
best = book.record(page, "best_accuracy", right_at_best / len(images.labels), fmt=".2%")
book.record(page, "twins", len(twins), fmt=",.0f")
book.record(page, "symbols", len(symbols), fmt=",.0f")
book.record(page, "symbol_fonts", symbols["family"].nunique(), fmt=",.0f")
print(f"no classifier is right on more than {best} of these images")

# %% tags=["remove-cell", "nbval-check-output"]
print(len(images.labels), len(twins), len(symbols), f"{right_at_best / len(images.labels):.4f}")

# %% tags=["hide-input"]
book.text(
    page,
    "{twins} images have a twin under another label, and {symbols} are symbols, from {symbol_fonts} "
    "typefaces. A network that is right on 100 % of the training images has memorised nothing here: it cannot "
    "exist. The ceiling is {best_accuracy}. That is the ceiling of *eval-view* accuracy, where an image "
    "always looks the same.",
)

# %% [markdown]
# Which characters have twins?

# %% tags=["hide-input"]
counts = twins["label"].value_counts().head(20)
charts.show(
    charts.bars(
        counts.index,
        counts.to_numpy(),
        x_title="images that are identical to an image with another label",
        title="The characters with the most twins",
        description="Number of images with a twin: "
        + ", ".join(f"{label} {count}" for label, count in counts.items()),
        fmt=".0f",
    )
)

# %% [markdown]
# ## The pretraining task: other scripts
#
# The networks are not trained from nothing. They are first trained on the letters of other scripts, from
# typefaces of families that the Latin task does not use. So fine-tuning starts from a network that knows
# strokes, but not a single Latin letter or digit.

# %% tags=["hide-input"]
other = load_glyphs(split="pretrain")
scripts = other.columns["script"].value_counts()
picks = [
    rng.choice(other.columns.index[other.columns["script"] == name], 4) for name in scripts.index
]
captions = [name for name in scripts.index for _ in range(4)]
alts = [f"a letter of the script {name}" for name in captions]
display(  # noqa: F821
    charts.image_grid(
        other.pixels[np.concatenate(picks)], captions, title="Other scripts", alts=alts, size=40
    )
)

# %% tags=["hide-input"]
charts.show(
    charts.bars(
        scripts.index,
        scripts.to_numpy(),
        x_title="images",
        title=f"{len(other.labels):,} images of {len(other.classes)} letters pretrain the networks",
        description="Images by script: "
        + ", ".join(f"{name} {count}" for name, count in scripts.items()),
        fmt=".0f",
    )
)

# %% [markdown]
# ## How they were made
#
# `lethe data build-glyphs` draws them from the typefaces of free Debian packages, at 64 pixels: white ink on
# black, 16 greys, centred, the one scale for a whole typeface. The list of typefaces, with package,
# version, licence and the reason where one was left out, is `data/glyphs/fonts.csv`. The same packages give the same bytes.
# The 32 pixel images are the means of 2 x 2 blocks.
#
# | column | meaning |
# |---|---|
# | `sample_id` | typeface / style / code point: stable, never a position |
# | `label` | the character |
# | `family`, `style`, `script` | of the typeface |
# | `image_hash` | first 16 digits of the SHA-256 of the 64 x 64 pixels |
# | `identical_to` | other labels under which the very same pixels occur, here or in another typeface |
# | `is_symbol_font` | the image is a picture or a letter of another script |
# | `package`, `package_version`, `licence` | where the typeface comes from |

# %% [markdown]
# ## Limits
#
# - Clean, centred letters are easier than photographs. Findings on them need not hold for photographs.
# - Whether two images are twins is decided at 32 pixels here and at 64 in the column; a pair may differ by a
#   pixel and still be hopeless in practice. So the ceiling is an upper bound.
# - Which typefaces hold symbols was judged by eye, once.
# - `v` and `V`, `o` and `O`, `s` and `S` of a typeface often differ in size only. They are no twins, but hard.

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). A typeface draws `O`, `0` and `o` with the very same pixels. On how many of these three
# images is a network right, at most?
#
# ```{admonition} Solution
# :class: dropdown
# One. It gives one answer to one picture, whichever label it chooses. The ceiling loses the other two images.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = 1

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    pd.Series(["O", "0", "o"]).value_counts().max(),
    hint="the same pixels go in, so the same answer comes out. Count the labels that it agrees with",
    traps={
        "that is how many it gets wrong": 2,
        "to be right on all of them it would have to give three answers to one picture": 3,
        "one answer always agrees with one of the labels": 0,
        "that is a share, and a number of images is asked for": 1 / 3,
    },
)

# %% [markdown]
# **Exercise 2** (level 1, read off). The label of a symbol is noise. Why does the ceiling not count every symbol as lost? And
# can the ceiling at 64 pixels be lower than the one at 32?
#
# ```{admonition} Solution
# :class: dropdown
# A little picture that occurs only once can be learned by heart, label and all, however senseless the label is. The ceiling
# counts identical pixels, not good sense. It would be lower on *test* images, where learning by heart does not help, but
# that cannot be counted from pixels.
#
# It cannot be lower at 64. Images that agree at 64 pixels also agree at 32, so going from 64 to 32 can only merge groups,
# and a merged group has at most as many right answers as its parts.
# ```

# %% [markdown]
# **Exercise 3** (level 2, compute). Leave out the symbols (`table["is_symbol_font"]`). What is the ceiling of the images that
# remain, as a share?
#
# ```{admonition} Solution
# :class: dropdown
# Group the remaining images by `pixels` and add up the most frequent label of each group. Then divide by the number of
# images that remain. The ceiling hardly moves: most twins are ordinary letters that a typeface draws alike.
# ```

# %% tags=["solution", "hide-cell"]
plain = pd.DataFrame({"pixels": pixels, "label": images.labels})[~table["is_symbol_font"].values]
answer_3 = plain.value_counts().groupby("pixels").max().sum() / len(plain)

# %% tags=["check"]
kept = ~table["is_symbol_font"].to_numpy()
counted = pd.crosstab(pd.factorize(np.array(pixels, object)[kept])[0], images.labels[kept])
exercises.check(
    3,
    answer_3,
    counted.max(axis=1).sum() / kept.sum(),
    within=5e-5,
    hint="the same three lines as above, on the rows that are no symbols",
    traps={
        "that is the ceiling with the symbols": page.results["best_accuracy"].value,
        "divide by the number of images that remain, not by all": counted.max(axis=1).sum()
        / len(images.labels),
        "that counts every twin as lost, but of a group of twins one label is right": (
            table["identical_to"][kept] == ""
        ).mean(),
    },
)

# %% [markdown]
# **Exercise 4** (level 3, investigate). How coarse must a network's view be before more letters look exactly alike? Replace
# each image by the means of its blocks, so that 16 x 16, 8 x 8, 4 x 4 or 2 x 2 values are left, and compute the ceiling
# of each. Answer with a dictionary from the side (16, 8, 4, 2) to the ceiling. What does this say about the ceiling of
# this page?
#
# ```{admonition} Solution
# :class: dropdown
# Reshape to `(n, side, 32 // side, side, 32 // side)` and average over the third and the last axis. A mean of blocks is a
# function of the image, so twins stay twins and the ceiling can only fall. It falls surprisingly little: even four grey
# values tell nearly all images apart, because two letters seldom hold exactly the same amount of ink. Nobody could *read* such an
# image. So the ceiling counts only what is impossible, not what is hard: real networks stay below it for other reasons.
# ```

# %% tags=["solution", "hide-cell"]
answer_4 = {}
for side in (16, 8, 4, 2):
    blocks = images.pixels.reshape(-1, side, 32 // side, side, 32 // side).mean((2, 4))
    coarse = pd.DataFrame({"seen": [x.tobytes() for x in blocks], "label": images.labels})
    answer_4[side] = coarse.value_counts().groupby("seen").max().sum() / len(coarse)

# %% tags=["check"]
exercises.check_that(
    4,
    answer_4,
    lambda a: (
        set(a) == {16, 8, 4, 2}
        and 1 / len(images.classes) < a[2] <= a[4] <= a[8] <= a[16]
        and a[16] <= page.results["best_accuracy"].value + 1e-9
    ),
    kind=dict,
    hint="one ceiling for each of 16, 8, 4 and 2, all as shares of all images. Averaging never tells apart what was alike "
    "before: none of them may exceed the ceiling of the page, nor that of a finer view",
)

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun glyphs -p split=test -p random_seed=1
# ```

# %% tags=["hide-input"]
book.finish(page)
