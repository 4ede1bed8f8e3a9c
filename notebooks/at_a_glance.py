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

from lethe import traces
from lethe.datasets.glyphs import load_glyphs
from lethe.pages import book, cards, charts, verdicts

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
# row, tap it, or move the slider. On the right (below, on a phone) you see the glyph, and what became of it in every run of both
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
    "Taken over all {runs} runs and all images, {lost} of the learned ones are lost at least once, and {gone} are wrong at the end.",
)

# %% [markdown]
# Glyphs at the top look alike in all runs: learned at once, never lost. Further down the runs disagree. The same
# glyph, the same network, another seed, another life. How much of that is the glyph, how much the network, how much
# the seed? That is what the five findings are about.
#
# ## What was found, and how sure we are
#
# Five questions, each answered on two data sets by a rule that was named before the numbers were seen. The words
# **upheld**, **not upheld** and **cannot tell** mean [exactly this](verdicts). The paper's figures come from other
# networks and other images; they stand here for comparison and are not reproduced.

# %% tags=["remove-cell"]
ASKED = [
    cards.Asked(
        page="finding_1_architecture_overlap",
        question="Do two architectures lose the same images?",
        claim="the two architectures forget",
        said=("Mostly not", "Mostly yes", "In part; whether it is less than half cannot be told"),
        key="between",
        what="overlap (Jaccard index) of their most forgotten tenths",
        paper="0.34 (OCTDL) and 0.15 (CUB-200)",
    ),
    cards.Asked(
        page="finding_2_curve_fit",
        question="Does a forgetting curve describe an image's life?",
        claim="an exponential describes",
        said=("Yes", "No, it explains less than half of a life", "Cannot be told"),
        key="headline",
        what="by how much it fits the transformer better, in R\u00b2",
        paper="0.74 - 0.52 = 0.22",
        also=(
            ("excluded_a", "mean R\u00b2 of the convolutional network"),
            ("excluded_b", "mean R\u00b2 of the transformer"),
        ),
    ),
    cards.Asked(
        page="finding_3_seed_stability",
        question="Is an image lost alike under two seeds?",
        claim="which images are forgotten is chance",
        said=("No, it is chance", "Yes, it is not chance", "Cannot be told"),
        key="rho",
        what="rank correlation over images",
        paper="about 0.01",
    ),
    cards.Asked(
        page="finding_4_classes",
        question="Are the same classes lost under two seeds?",
        claim="which classes are forgotten most repeats from seed",
        said=("Yes", "No", "Too wide an interval to tell"),
        key="headline",
        what="rank correlation over classes",
        paper="in words only",
    ),
    cards.Asked(
        page="finding_5_early_loss",
        question="Does an early loss tell what will be lost?",
        claim="the loss after warm-up predicts",
        said=("Yes", "Hardly", "Cannot be told"),
        key="headline",
        what="rank correlation of that loss with the decay rate",
        paper="0.30 to 0.50",
    ),
]
# page, question, how the deciding claim begins, answers if upheld, not upheld and open
OPEN = "Cannot be told"
FURTHER = [
    (
        "sampler_spaced_repetition",
        "Does reviewing what is about to be lost help?",
        "averaged over all cells",
        ("No", "Yes", OPEN),
    ),
    (
        "rehearsal",
        "Is it worth choosing which old images to rehearse?",
        "at equal target accuracy, the method keeps more than random",
        ("Yes", "No", OPEN),
    ),
    (
        "flow",
        "Does FLOW keep more because it prefers easy images?",
        "test_vit, at a goal that both reach (a later rule): what",
        ("Yes", "No, a control keeps as much", OPEN),
    ),
    (
        "factorial_seeds",
        "Which source of randomness decides who is lost?",
        "test_resnet: most of the variance",
        ("None alone", "One of them", OPEN),
    ),
    (
        "training_memory",
        "Does the next step remember earlier ones?",
        "A reset of the optimizer leaves",
        ("Yes", "No", OPEN),
    ),
    (
        "mass_or_drift",
        "Is old knowledge gone, or outvoted by new classes?",
        "without replay, most of the lost accuracy",
        ("Mostly outvoted", "Mostly gone", OPEN),
    ),
    (
        "ground_truth",
        "Do wrong labels hide from forgetting counts?",
        "forgetting events (never learned on top)",
        ("Yes", "No", OPEN),
    ),
]
FURTHER = [cards.Asked(*entry) for entry in FURTHER]
SCALE = "larger_networks"
found = book.read_results([asked.page for asked in [*ASKED, *FURTHER]] + [SCALE])
headlines = {asked.page: verdicts.headline(found[asked.page], asked.key) for asked in ASKED}

# %% tags=["remove-input"]
cards.cards(found, ASKED)

# %% tags=["remove-input"]
rows = [
    {"label": f"{asked.question} {verdicts.spoken(data)}", "estimate": r.value, **vars(r)}
    for asked in ASKED
    for data, r in headlines[asked.page].items()
]
charts.show(
    charts.interval_chart(
        rows,
        title="Our numbers, with interval, chance and ceiling, and the figures that the paper reports",
        description=". ".join(
            f"{asked.question} {asked.what}: "
            + ", ".join(f"{verdicts.spoken(data)} {r}" for data, r in headlines[asked.page].items())
            for asked in ASKED
        ),
        x_title="overlap, R\u00b2 or correlation",
    )
)

# %% tags=["remove-input"]
table = verdicts.tally({name: found[name] for name in [asked.page for asked in ASKED]})
book.record(page, "claims", int(table.to_numpy().sum()), fmt=".0f")
for word in table:
    book.record(page, word.replace(" ", "_"), int(table[word].sum()), fmt=".0f")
seeds = sorted({r.n_seeds for r in (r for rs in headlines.values() for r in rs.values())})
larger = found[SCALE]["results"]["same_verdicts"]
same = f"{larger['text']} of {larger['ceiling']:.0f}"
book.text(
    page,
    f"**How sure?** Each number rests on {' or '.join(map(str, seeds))} runs of each network, and its interval allows for "
    "other seeds and other images. Of the {claims} verdicts on the five finding pages, {upheld} are *upheld*, "
    "{not_upheld} are *not upheld* and {cannot_tell} *cannot tell*. "
    f"With [networks of the paper's size](larger_networks.ipynb) on the same letters, {same} verdicts that were "
    "asked of both stay the same. "
    "What we cannot say: how the paper's own networks behave on the paper's own images. "
    "[Claim by claim: the paper, ours, the verdict](claims.ipynb).",
)

# %% [markdown]
# ## Beyond the five
#
# What can be done about forgetting, and where it comes from, each with the claim that decides.

# %% tags=["remove-input"]
cards.lines(found, FURTHER)

# %% tags=["remove-cell", "nbval-check-output"]
for name, results in headlines.items():
    first = next(iter(verdicts.by_claim(found[name]).values()))
    for data, r in results.items():
        word = first[data]["word"] if data in first else "no verdict"
        print(f"{name:32s} {data:8s} {r}  {word}")

# %% [markdown]
# ## Where to go from here
#
# - New to the subject? [How to read the numbers](../book/how_to_read.md), then the [quickstart](quickstart.ipynb),
#   which trains two small networks in a minute.
# - Want the evidence? Start with [finding 3](finding_3_seed_stability.ipynb): if nothing repeated over seeds, nothing
#   else would matter.
# - Want to know how it is measured, and when the measure fails? [Forgetting curves](forgetting_curves.ipynb), [time to
#   forgetting](time_to_forgetting.ipynb) and [how agreement works](how_agreement_works.ipynb), each with sliders to play with.
# - Only small networks? [Larger networks](larger_networks.ipynb) puts ResNet-18 and DeiT-Small beside them.
# - Want to change something? Every page has parameters and a line that [runs it again](../book/run_it.md).
# - Have images of your own? Three commands take a folder through [training, findings and book](../book/run_it.md).
# - Teaching? [Plans for a lecture, two labs and a module](../book/teach.md), exercises with hidden solutions, and a project.

# %% tags=["remove-input"]
book.finish(page)
