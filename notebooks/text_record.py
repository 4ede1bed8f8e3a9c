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
# # A record of text: which descriptions are forgotten?
#
# **Claim under test.** What is lost during training is no affair of images alone. On one-line texts, too, two seeds agree
# beyond chance about what is lost, and two different networks agree less than two seeds of one.
#
# **You will learn** (1) how a log that another program wrote becomes a record of this book, (2) what the five findings
# say about a record without a single picture, (3) which texts are lost most, which are never learned, and why.
#
# **Time**: 12 minutes to read, under a minute to rerun. **You need**: what a forgetting event is
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
import json

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.findings.main_numbers import main_numbers
from lethe.pages import book, charts, dataset_facts, exercises, sample_gallery, stores

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
record: str = "debian_sections"  # the record of texts
models: list[str] = ["ngram_bag", "char_cnn"]  # its two networks
preset: str = "imported"  # how the record came here
images: str = "glyphs"  # a record of images to stand beside; empty for none
shown: int = 12  # texts in each list
bootstrap: int = 60  # resamples behind each interval
random_seed: int = 0  # seed of everything random on this page

# %% tags=["remove-cell"]
names = ("record", "models", "preset", "images", "shown", "bootstrap", "random_seed")
page = book.start("text_record", {name: globals()[name] for name in names})
rng = np.random.default_rng(random_seed)

# %% [markdown]
# ## The task: tell a package's section from one line
#
# Debian, a collection of free software, describes each of its packages in one line and files it under a section:
#
# | package | the one line | section |
# |---|---|---|
# | `molly-guard` | protects machines from accidental shutdowns/reboots | `admin` |
# | `vm` | mail user agent for Emacs | `mail` |
# | `aldo` | Morse code training program | `hamradio` |
#
# The networks read the line and have to name the section. Twenty sections take part, one package of each source, no
# documentation and no libraries for developers. The sections were chosen by people, one package at a time, so some lines
# would fit several: a mail reader for Emacs is `mail`, `editors`, or both. That is why something can be lost here.
#
# - `ngram_bag` knows words and pieces of words, and not their order. Each piece has a vector; a text is their mean.
# - `char_cnn` reads the line letter by letter, through convolutions over 3 and 5 letters.
#
# Both are small, begin with random numbers, and never saw another text.
#
# ## The road: from a foreign log to this page
#
# The training loop is a plain one and knows nothing of this book. After each epoch it writes one line of JSON for each
# text, in the format of Dataset Cartography {cite:p}`swayamdipta2020dataset`:
#
# ```text
# {"guid": "molly-guard", "logits_epoch_3": [0.3641, -1.168, ...], "gold": 0}
# ```
#
# One command makes a record of these files. `--samples` is a table of the texts, which then travel with the traces:
#
# ```bash
# lethe traces import logs/ngram_bag/seed-* --format cartography \
#     --view eval --dataset debian_sections --model ngram_bag \
#     --samples texts.csv --classes admin,database,devel,...
# ```
#
# From the logits follow the answer, the loss, the margin and the error of every text after every epoch. Nothing on this
# page asks what a sample is. Epoch 0 is after three passes in which only the last layer learned.

# %% tags=["remove-cell"]
pair = stores.open_pair(page, record, models, preset)
model = stores.model_names(pair)
label, classes = pair[0]["label"].values, traces.class_names(pair[0])
ids = pair[0]["sample"].values
correct = [traces.correct(ds).transpose("seed", "epoch", "sample").values for ds in pair]
events = [scores.forgetting_events(bits) for bits in correct]  # [seed, sample], NaN: never learned

# %% tags=["hide-input"]
origin = json.loads(pair[0].attrs["config"]).get("record", {})
book.record(page, "texts", len(label), fmt=",.0f")
book.record(page, "sections", len(classes), fmt=".0f")
told = f" The packages are those of Debian {origin['debian']}, as listed on {origin['date']}."
book.text(page, "{texts} texts for training, {sections} sections." + (told if origin else ""))
dataset_facts.overview(pair).T.set_axis(model, axis=1)

# %% [markdown]
# ## Did the networks learn the task?
#
# The test texts are packages of other sources, so none of their lines was trained on. The line is the mean over seeds,
# the band goes from the lowest to the highest.


# %%
accuracy = {
    "training": [dataset_facts.by_epoch(traces.correct(ds).mean("sample"), ds) for ds in pair],
    "test": [dataset_facts.by_epoch(ds["test_accuracy"], ds) for ds in pair],
}

# %% tags=["hide-input"]
for kind, tables in accuracy.items():
    for which, table in zip("ab", tables, strict=True):
        end = table.iloc[-1]
        limits = {"low": end["low"], "high": end["high"], "n_seeds": pair[0].sizes["seed"]}
        book.record(page, f"{kind}_{which}", end["mean"], fmt=".1%", **limits)
    words = [f"{name} {page.results[f'{kind}_{w}']}" for w, name in zip("ab", model, strict=True)]
    charts.show(
        charts.lines(
            pd.concat(tables),
            "epoch",
            "mean",
            "network",
            ("low", "high"),
            title=f"Accuracy on the {kind} texts",
            description=f"Accuracy on the {kind} texts by epoch. At the last: {'; '.join(words)}.",
            y_title=f"{kind} accuracy",
        )
    )
sizes = np.bincount(label, minlength=len(classes))
book.record(page, "largest", sizes.max() / len(label), fmt=".1%")
book.text(
    page,
    f"At the last epoch, mean [lowest, highest seed], of the test texts: {model[0]} {{test_a}}, {model[1]} {{test_b}}; of the "
    "training texts: {training_a} and {training_b}. Always naming one of the largest sections would be right on {largest} of "
    "the training texts.",
)

# %% [markdown]
# ## The picture: the texts that are lost most
#
# Mean number of forgetting events in a run, over those runs of both networks that learned the text. The strip below a text is its life: a row a
# seed, a column an epoch, the first network above the second; blue is right, orange lost again, grey not learned yet.

# %% tags=["hide-input"]
mean_events = agreement.mean_over_runs(np.concatenate(events))
lived = dict(zip(model, pair, strict=True))
most = np.argsort(-np.nan_to_num(mean_events), kind="stable")[:shown]
captions = [f"{mean_events[i]:.1f} events a run" for i in most]
display(dataset_facts.sheet(pair[0], most, captions, "Forgotten most", lived))

# %% tags=["hide-input"]
steady = np.flatnonzero(np.all([bits[:, 1:].all(axis=(0, 1)) for bits in correct], axis=0))
kept = rng.permutation(steady)[: shown // 2]
display(
    dataset_facts.sheet(pair[0], kept, ["never wrong"] * len(kept), "Right from the first epoch on")
)
book.record(page, "steady", len(steady) / len(label), fmt=".1%")
book.text(
    page,
    "{steady} of the texts are right after every epoch from the first on, in every run of both networks. Their words give "
    "the section away.",
)

# %% tags=["hide-input"]
x, y = (sample_gallery.mean_score(*each) for each in zip(pair, ["forgetting_events"] * 2, model))
sample_gallery.show(
    page,
    pair,
    x,
    y,
    title="Pick a text: forgetting events a run in two networks",
    random_seed=random_seed,
)

# %% [markdown]
# ## The number: five findings, texts beside images
#
# The first number of each finding, from the same functions as on its own page, for this record and for one of images:
#
# 1. the *gap*: overlap of the most forgotten tenth between two seeds, minus that between the two networks;
# 2. the mean $R^2$ of an exponential fitted to the trace of each sample that is lost at least once;
# 3. the rank correlation of the decay rates of two seeds;
# 4. that of two seeds' mean forgetting of each class;
# 5. that of the loss after warm-up with the decay rate of the same run.
#
# Numbers 2 to 5 are about the first network. Beside each stand what it would be without any effect (*null*) and the most
# that it could be (*ceiling*).

# %%
beside = stores.open_beside(page, images, record, ["test_resnet", "test_vit"], "quick")
found = {"text": main_numbers(pair, rng, bootstrap)}
if beside:
    found["image"] = main_numbers(beside, rng, bootstrap)

# %% tags=["hide-input"]
for end, numbers in found.items():
    for key, one in numbers.items():
        book.keep(page, f"{key}_{end}", one.interval, null=one.null, ceiling=one.ceiling)
heads = {"text": record, "image": images}
rows = [
    book.row(page, f"{key}_{end}", f"{one.words}: {heads[end]}")
    for key, one in found["text"].items()
    for end in found
]
charts.show(
    charts.interval_chart(
        rows,
        title="The first number of each finding",
        description="; ".join(f"{row['label']} {row['estimate']:.2f}" for row in rows)
        + ". Each with its interval, null and ceiling.",
        x_title="gap, R² or rank correlation",
    )
)
table = {
    heads[end]: {one.words: str(page.results[f"{key}_{end}"]) for key, one in numbers.items()}
    for end, numbers in found.items()
}
display(pd.DataFrame(table))

# %% tags=["hide-input"]
words = "On texts: the gap is {one_text}, the exponential's $R^2$ {two_text}, two seeds agree at {three_text} about texts and at "
words += "{four_text} about sections, and the loss after warm-up goes with the decay rate at {five_text}."
if beside:
    words += " On images: {one_image}, {two_image}, {three_image}, {four_image} and {five_image}."
if beside:
    warm = {"a": correct[0][:, 0].mean(), "image": traces.correct(beside[0])[:, 0].values.mean()}
    words += f" After the warm-up, {model[0]} knows {warm['a']:.0%} of the texts, {beside[0].attrs['model']}, which was "
    words += f"pretrained, {warm['image']:.0%} of the images: what it does not know yet, its loss cannot tell."
display(Markdown(words.format_map({k: str(v) for k, v in page.results.items()})))

# %% [markdown]
# A difference between the two columns has more than one cause. The networks differ, so do the number of classes, the
# length of training and the share that is lost at all. What the columns can show is whether a finding *needs* images.
#
# ## Verdict
#
# The rule, named with the claim: the interval of the agreement of two seeds (3) lies above 0, and so does that of the gap
# (1). Fewer than 6 seeds: no verdict.

# %%
verdict = book.verdict(
    page,
    f"on {record}, two seeds agree about which texts are lost, and two networks agree less.",
    book.above(page, "three_text", 0.0),
    book.above(page, "one_text", 0.0),
)

# %% tags=["remove-cell", "nbval-check-output"]
for key in ("texts", "test_a", "test_b", *(f"{n}_text" for n in found["text"])):
    print(f"{key:12} {page.results[key]}")
print(verdict)

# %% [markdown]
# ## Which sections are taken for which?
#
# The share of a section's answers, after the warm-up and over all runs of both networks, that name another section:

# %%
answers = np.concatenate([ds["prediction"].values[:, 1:].reshape(-1, len(label)) for ds in pair])
taken = np.zeros((len(classes), len(classes)))
for row in answers:
    np.add.at(taken, (label, row), 1 / len(answers) / sizes[label])  # [section, named]

# %% tags=["hide-input"]
off = np.where(np.eye(len(classes), dtype=bool), 0, taken)
order = np.argsort(-off.ravel())[:10]
pairs = [divmod(int(k), len(classes)) for k in order]
confused = pd.DataFrame(
    {
        "section": [classes[i] for i, _ in pairs],
        "taken for": [classes[j] for _, j in pairs],
        "share": [f"{off[i, j]:.1%}" for i, j in pairs],
        "the other way": [f"{off[j, i]:.1%}" for i, j in pairs],
    }
)
display(confused.set_index("section"))
first = pairs[0]
book.record(page, "confused", off[first], fmt=".1%")
book.text(
    page,
    f"Most often, *{classes[first[0]]}* is taken for *{classes[first[1]]}*: {{confused}} of its answers.",
)

# %% [markdown]
# ## What is never learned
#
# A text that a run never gets right has nothing to lose: it is counted here and nowhere else. Below are the texts that
# most runs never learn, with the section that is named most often instead.

# %% tags=["hide-input"]
unlearned = np.isnan(np.concatenate(events))  # [run, sample]
runs_without = unlearned.sum(0)
hardest = np.argsort(-runs_without, kind="stable")[:shown]
hardest = hardest[runs_without[hardest] > 0]
named = [np.bincount(answers[:, i], minlength=len(classes)).argmax() for i in hardest]
captions = [
    f"never learned in {runs_without[i]} of {len(unlearned)} runs, most often taken for {classes[k]}"
    for i, k in zip(hardest, named, strict=True)
]
display(dataset_facts.sheet(pair[0], hardest, captions, "Never learned", lived))

# %% tags=["hide-input"]
for which, counted in zip("ab", events, strict=True):
    book.record(page, f"never_{which}", np.isnan(counted).mean(), fmt=".1%")
    book.record(page, f"lost_{which}", (counted > 0).sum() / (~np.isnan(counted)).sum(), fmt=".1%")
book.text(
    page,
    f"{model[0]} never learns {{never_a}} of the texts in a run, and loses {{lost_a}} of those that it learns at least once; "
    f"{model[1]} {{never_b}} and {{lost_b}}.",
)

# %% [markdown]
# Read them: some are filed in a way that one line cannot tell, and for some another section would do as well. A list like
# this is where to look for wrong labels; [Ground truth](ground_truth.ipynb) tests how well that works.
#
# ## Limits
#
# - One line a text, English, two small networks without pretraining. Large language models are another matter.
# - A section has no right answer beyond what a maintainer chose: an error of the network may be one of the label.
# - Packages of one family have like descriptions, so texts are not fully independent, although each source gives one.
# - Rates and dropout of the networks were chosen by the test accuracy of seeds that are not in the record. The size of the
#   first network's table (2,048 entries, shared by all n-grams) was not: a table of 32,768 had a better test accuracy, about
#   63 %, but forgot almost nothing. So how much `ngram_bag` forgets is partly our choice.
# - Sections differ in size, up to a limit: the largest were cut.
#
# The descriptions are those of Debian's package lists, by the maintainers of its packages ([licences](../book/licences.md)).

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). A network names one and the same section for every text. Which training accuracy can
# it reach at best? Answer with a share between 0 and 1.
#
# ```{admonition} Solution
# :class: dropdown
# It names a section of the largest size: `sizes.max() / sizes.sum()`. It stands in the sentence below the accuracies.
# ```

# %% tags=["solution", "hide-cell"]
answer_1 = sizes.max() / sizes.sum()

# %% tags=["check"]
exercises.check(
    1,
    answer_1,
    np.bincount(label).max() / len(label),
    within=0.001,
    hint="it is right on every text of the section it names, so name a large one",
    traps={
        "the sections are not equally large, so it can do better than that": 1 / len(classes),
        "that is what the smallest section would give": sizes.min() / len(label),
    },
)

# %% [markdown]
# **Exercise 2** (level 2, compute). Are long descriptions lost more often? Count the words of each text
# (`pair[0]["text"]`) and take the Spearman correlation with `mean_events`, over the texts that have both.
#
# ```{admonition} Solution
# :class: dropdown
# Split each text at spaces. `mean_events` is NaN where no run ever learned the text: leave those out before ranking.
# ```

# %% tags=["solution", "hide-cell"]
lengths = pd.Series([len(str(text).split()) for text in pair[0]["text"].values])
answer_2 = lengths.corr(pd.Series(mean_events), method="spearman")

# %% tags=["check"]
counted = pd.DataFrame({"events": mean_events, "never": runs_without})
counted["words"] = [len(str(text).split()) for text in pair[0]["text"].values]
counted["letters"] = [len(str(text)) for text in pair[0]["text"].values]
exercises.check(
    2,
    answer_2,
    counted["words"].corr(counted["events"], method="spearman"),
    within=0.002,
    hint="one number of words and one mean number of events for each text, then `method='spearman'`",
    traps={
        "those are letters; count words": counted["letters"].corr(
            counted["events"], method="spearman"
        ),
        "that is Pearson's correlation, of the values and not of the ranks": counted["words"].corr(
            counted["events"]
        ),
        "that counts runs in which the text was never learned": counted["words"].corr(
            counted["never"], method="spearman"
        ),
    },
)

# %% [markdown]
# **Exercise 3** (level 3, investigate). Do the two networks lose the same *sections*? Take the mean number of forgetting
# events of each section and network (`events`, over all its texts and runs, NaN left out) and the Spearman correlation of the
# two networks over the sections. Then compare it with number 4 above: does the section, or the network, decide?
#
# ```{admonition} Solution
# :class: dropdown
# `np.nanmean(events[0][:, label == k])` for every section `k`, and the same for the other network. Number 4 is about two
# seeds of one network, so it is the ceiling: as far as the correlation of two networks stays below it, the networks differ
# in what is hard for them.
# ```

# %% tags=["solution", "hide-cell"]
by_section = pd.DataFrame(
    {w: [np.nanmean(x[:, label == k]) for k in range(len(classes))] for w, x in zip("ab", events)}
)
answer_3 = by_section["a"].corr(by_section["b"], method="spearman")

# %% tags=["check"]
section = pd.DataFrame({w: pd.DataFrame(x).mean() for w, x in zip("ab", events)})
pooled = pd.DataFrame(
    {w: [np.nanmean(x[:, label == k]) for k in range(len(classes))] for w, x in zip("ab", events)}
)
exercises.check(
    3,
    answer_3,
    pooled["a"].corr(pooled["b"], method="spearman"),
    within=0.01,
    hint="one mean for each section and network, then the rank correlation over the sections",
    traps={
        "that is over the texts; average within the sections first": section["a"].corr(
            section["b"], method="spearman"
        ),
        "that is number 4: two seeds of one network": page.results["four_text"].value,
    },
)

# %% [markdown]
# ## Rerun this page
#
# The five findings run on this record, too, and this page beside other images:
#
# ```bash
# lethe rerun text_record -p shown=24
# lethe rerun finding_1_architecture_overlap -p dataset=debian_sections -p models=ngram_bag,char_cnn -p preset=imported -p beside=
# lethe rerun finding_3_seed_stability -p dataset=debian_sections -p models=char_cnn,ngram_bag -p preset=imported -p beside=
# ```

# %% tags=["remove-input"]
book.finish(page)
