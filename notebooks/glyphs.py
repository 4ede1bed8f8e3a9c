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
from lethe.pages import book, charts

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
# **1.** A typeface draws `O`, `0` and `o` with the very same pixels. How many of the three can a network get right?
#
# ```{admonition} Solution
# :class: dropdown
# One. It gives one answer to one picture. The ceiling loses two images.
# ```
#
# **2.** Compute the same ceiling at 64 pixels. Can it be lower than at 32?
#
# ```{admonition} Solution
# :class: dropdown
# No. Images that agree at 64 pixels agree at 32; the reverse need not hold. So groups can only grow when pixels are
# merged, and the ceiling can only fall from 64 to 32.
# ```

# %% tags=["solution", "hide-cell"]
large = load_glyphs(split=split, pixels=64)
fine = pd.DataFrame({"pixels": [x.tobytes() for x in large.pixels], "label": large.labels})
answer_2 = fine.groupby("pixels")["label"].agg(lambda x: x.value_counts().iloc[0]).sum() / len(fine)

# %%
assert answer_2 >= page.results["best_accuracy"].value, "group by the bytes of the 64 pixel images"

# %% [markdown]
# ## Rerun this page
#
# ```bash
# lethe rerun glyphs -p split=test -p random_seed=1
# ```

# %% tags=["hide-input"]
book.finish(page)
