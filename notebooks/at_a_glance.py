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
# # Lethe
#
# **Which images does a network learn, and then lose again?** Fine-tune a network on 6,200 pictures of letters and
# digits. After every epoch, ask it about each of them. Some are right from the first day on. Many are lost and come
# back, some of them again and again. A few do not come back.
#
# A paper of 2026 {cite:p}`daga2026forgetting` reports five findings on such losses. This book tests them with ten seeds on
# pictures that you can judge with your own eyes: [letters and digits](glyphs.ipynb), and
# [photographs](photographs.ipynb) in classes as unequal as those of the paper's retinal scans. Beside each number it puts
# what the number needs before it means anything: an **interval**, what **chance** gives, and the **ceiling** that the
# noise of training leaves.

# %% tags=["remove-cell"]
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from lethe import traces
from lethe.datasets.glyphs import load_glyphs
from lethe.pages import book, charts

# %% tags=["parameters", "remove-cell"]
traces_a: str = "glyphs-test_resnet-quick"  # trace store of the first network
traces_b: str = "glyphs-test_vit-quick"  # trace store of the second network
glyphs: int = 220  # glyphs in the picture

# %% tags=["remove-cell"]
page = book.start("at_a_glance", {"traces_a": traces_a, "traces_b": traces_b, "glyphs": glyphs})
a = book.use(page, traces.open_traces(traces_a))
b = book.use(page, traces.open_traces(traces_b, samples=a["sample"].values))
lives = {
    ds.attrs["model"]: traces.correct(ds).transpose("seed", "sample", "epoch") for ds in (a, b)
}
runs = " and ".join(f"{len(life)} runs of {name}" for name, life in lives.items())
book.record(page, "runs", sum(map(len, lives.values())), fmt=".0f")

# %% [markdown]
# ## Pick a glyph and see its lives
#
# Each thin row on the left is one glyph in one run, from the easiest on top to the hardest at the bottom. Point at a
# row, or tap it. On the right (below, on a phone) you see the glyph, and what became of it in every run of both
# networks. `test_resnet` is a small convolutional network, `test_vit` a small transformer.

# %% tags=["remove-input"]
share = np.mean([life.mean(("seed", "epoch")) for life in lives.values()], axis=0)
by_ease = np.argsort(-share, kind="stable")
chosen = by_ease[np.linspace(0, len(by_ease) - 1, glyphs).round().astype(int)]
images = load_glyphs()
place = pd.Series(np.arange(len(images.labels)), index=images.sample_ids)
place = place[a["sample"].values[chosen]].to_numpy()
labels = [images.classes[k] for k in images.labels[place]]
names = [f"{x} in {family}" for x, family in zip(labels, a["family"].values[chosen], strict=True)]
charts.show(
    charts.life_picker(
        {name: life.values[:, chosen] for name, life in lives.items()},
        [charts.data_uri(image) for image in images.pixels[place]],
        names,
        title="One glyph, every run",
        description=(
            f"Left: {glyphs} glyphs over the epochs of one run; blue where the network is right, orange where it "
            f"has lost a glyph again, grey before it is learned. Right: the picked glyph in {runs}."
        ),
    )
)

# %% tags=["remove-input"]
events = np.concatenate(
    [(life[..., :-1].values & ~life[..., 1:].values).any(-1) for life in lives.values()]
)
learned = np.concatenate([life.any("epoch").values for life in lives.values()])
at_end = np.concatenate([life[..., -1].values for life in lives.values()])
book.record(page, "lost", events[learned].mean(), fmt=".0%")
book.record(page, "gone", 1 - at_end[learned].mean(), fmt=".0%")
book.text(
    page,
    "Taken over all {runs} runs, {lost} of the learned images are lost at least once, and {gone} are wrong at the end.",
)

# %% [markdown]
# Glyphs at the top look alike in all runs: learned at once, never lost. Further down the runs disagree. The same
# glyph, the same network, another seed, another life. How much of that is the glyph, how much the network, how much
# the seed? That is what the five findings are about.
#
# ## Five findings at a glance

# %% tags=["remove-cell"]
# page, what its headline number is, its key on that page, what the paper's abstract reports
FINDINGS = [
    (
        "finding_1_architecture_overlap",
        "Two networks lose the same images",
        "between",
        "0.34 (OCTDL), 0.15 (CUB-200)",
    ),
    (
        "finding_2_curve_fit",
        "A curve fits the transformer better (gap in R\u00b2)",
        "headline",
        "0.74 - 0.52 = 0.22",
    ),
    ("finding_3_seed_stability", "An image is lost alike in two seeds", "rho", "about 0.01"),
    ("finding_4_classes", "A class is lost alike in two seeds", "headline", "in words only"),
    ("finding_5_early_loss", "The early loss tells what is lost", "headline", "0.30 to 0.50"),
]
found = book.read_results([name for name, *_ in FINDINGS])


def numbers(name, key):
    """The headline number of a page by data set, the main one first."""
    given, results = found[name]["parameters"], found[name]["results"]
    places = [(given["dataset"], key), (given["beside"], f"{key}_beside")]
    kept = {data: dict(results[k]) for data, k in places if k in results}
    for result in kept.values():
        result.pop("text")
    return {data: book.Result(**result) for data, result in kept.items()}


def verdicts(name):
    """The verdicts of a page: claim to data set to word. Claims begin with `on DATASET, `."""
    words = {}
    for verdict in found[name]["verdicts"]:
        where, _, claim = verdict["claim"].partition(", ")
        words.setdefault(claim, {})[where.removeprefix("on ")] = verdict["word"]
    return words


headlines = {name: numbers(name, key) for name, _, key, _ in FINDINGS}
sets = list(dict.fromkeys(data for results in headlines.values() for data in results))

# %% tags=["remove-input"]
rows = [
    {"label": f"{what}: {data}", "estimate": r.value, **vars(r)}
    for name, what, *_ in FINDINGS
    for data, r in headlines[name].items()
]
charts.show(
    charts.interval_chart(
        rows,
        title="Our numbers, with interval, chance and ceiling, and the figures that the paper reports",
        description=". ".join(
            f"{what}: " + ", ".join(f"{data} {r}" for data, r in headlines[name].items())
            for name, what, *_ in FINDINGS
        ),
        x_title="overlap, R\u00b2 or correlation",
    )
)


# %% tags=["remove-input"]
def cell(result):
    """A number with its interval, chance and ceiling, for a cell of the table."""
    if result is None:
        return "not run"
    null, ceiling = (book.words(band, result.fmt) for band in (result.null, result.ceiling))
    return f"{result}<br>chance {null}<br>ceiling {ceiling}".replace(" ", "&nbsp;")


table = ["| finding, and the claims under test | " + " | ".join(sets) + " |"]
table += ["|---|" + "---|" * len(sets)]
for number, (name, what, _, paper) in enumerate(FINDINGS, start=1):
    cells = [cell(headlines[name].get(data)) for data in sets]
    said = f"**{number}. [{what}]({name}.ipynb)**<br>the paper: {paper}"
    table.append(f"| {said} | " + " | ".join(cells) + " |")
    for claim, words in verdicts(name).items():
        cells = [f"**{words[data]}**" if data in words else "not tested" for data in sets]
        table.append(f"| claim: {claim} | " + " | ".join(cells) + " |")
display(Markdown("\n".join(table)))

# %% tags=["remove-cell", "nbval-check-output"]
for name, results in headlines.items():
    for data, r in results.items():
        word = next(iter(verdicts(name).values())).get(data, "no verdict")
        print(f"{name:32s} {data:8s} {r}  {word}")

# %% [markdown]
# The verdicts are computed from the numbers by a rule named beforehand, the same for every data set; the words mean
# [exactly this](../book/how_to_read.md). The paper's figures come from other networks, other images and a recipe of
# which we know only the abstract. They stand here for comparison, and are not reproduced. A verdict says whether the
# claim holds for *our* networks and *our* images.
#
# ## Where to go from here
#
# - New to the subject? [How to read the numbers](../book/how_to_read.md), then the [quickstart](quickstart.ipynb),
#   which trains two small networks in a minute.
# - Want the evidence? Start with [finding 3](finding_3_seed_stability.ipynb): if nothing repeated over seeds, nothing
#   else would matter.
# - Want to know how it is measured, and when the measure fails? [Forgetting curves](forgetting_curves.ipynb), [time to
#   forgetting](time_to_forgetting.ipynb) and [how agreement works](how_agreement_works.ipynb), each with sliders to play with.
# - Only small networks? [Larger networks](larger_networks.ipynb) puts ResNet-18 and DeiT-Small beside them.
# - Looking for wrong labels? [Ground truth](ground_truth.ipynb) tells which scores find them.
# - Want to change something? Every page has parameters and a line that [runs it again](../book/run_it.md).
# - Have images of your own? Three commands take a folder through [training, findings and book](../book/run_it.md).
# - Teaching? Each page stands alone and ends in exercises with folded solutions.

# %% tags=["remove-input"]
book.finish(page)
