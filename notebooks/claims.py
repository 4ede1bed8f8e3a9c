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
# # Claim by claim: the paper, ours, the verdict
#
# **In one sentence.** Every claim that this book tests, what was reported, what we see, and the verdict that follows.
#
# **You will learn** (1) what each paper claims and how well we know it, (2) which of these claims hold for our networks
# and images, (3) where each is tested and what is put beside it.
#
# **Time**: 10 minutes to read, a few seconds to rerun. **You need**: [how to read the numbers](../book/how_to_read.md).

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
from lethe.pages import book, charts, claims, exercises, verdicts

# %% [markdown]
# ## Parameters

# %% tags=["parameters"]
about: str = ""  # show only claims that hold this word, such as cifar7 or sampler; empty for all

# %% tags=["remove-cell"]
page = book.start("claims", {"about": about})
found = book.read_results(claims.pages())

# %% [markdown]
# ## The paper's claims
#
# The claims are in our words; the [tags](evidence-tags) say how well we know them. Each is tested on letters and digits
# (`glyphs`) and on photographs (`cifar7`), by the same code and the same rules. *Why* gives our numbers with their 95 % intervals
# and the rule; chance and ceiling stand on the pages. The figures reported come from other networks and images and are
# not reproduced here.

# %% tags=["remove-input"]
claims.table(found, claims.OF_THE_PAPER, about)

# %% [markdown]
# What the paper concludes from its findings is: architectures are complementary in an ensemble; curricula
# or pruning by per-sample difficulty may not carry over between runs; a static schedule cannot use a signal
# that does not repeat [A]. Whether these follow depends on findings 1 and 3, so read those first.
#
# ## The neighbours' claims
#
# Claims of the [neighbours](../book/neighbours.md) are tested on narrower ground: one pair of tasks, or formulas of our own.
# Some verdicts are about the reconstruction that we could build from an abstract, not about the paper's own system.

# %% tags=["remove-input"]
claims.table(found, claims.OF_NEIGHBOURS, about)

# %% [markdown]
# ## Claims of our own
#
# Some questions nobody had claimed an answer to. These claims were written down before the numbers were seen.

# %% tags=["remove-input"]
claims.table_of_others(found, about)

# %% [markdown]
# ## How the verdicts fall

# %% tags=["remove-input"]
counts = verdicts.tally(found)
counts = counts[counts.sum(axis=1) > 0].rename(index=claims.titles())
charts.show(
    charts.tally_chart(
        counts,
        title="Verdicts on each page",
        description="Number of verdicts by page. "
        + " ".join(f"{name}: {dict(row)}." for name, row in counts.iterrows()),
    )
)
for word in counts:
    book.record(page, word.replace(" ", "_"), int(counts[word].sum()), fmt=".0f")
book.text(
    page,
    "In all, {upheld} claims are upheld, {not_upheld} are not upheld, and {cannot_tell} cannot be told. The claims of one page "
    "are not independent, so these counts are a table of contents and not a score.",
)

# %% tags=["remove-cell", "nbval-check-output"]
print(counts.sum().to_dict(), len(counts))

# %% [markdown]
# ## Limits
#
# - A verdict is about our networks and images, or about our reconstruction of a method, never about a paper.
# - Claims are counted as they were written. One page cuts its question into more claims than another.
# - With this many verdicts at a 95 % interval, a few will be wrong by chance. Read each with its interval.
#
# ## Exercises
#
# **Exercise 1** (level 1, read off). Which of the paper's six claims is upheld on both data sets in all its parts?
#
# ```{admonition} Solution
# :class: dropdown
# With the default parameters, the early loss: both of its claims are upheld on both. The sampler comes close; one of its
# four, that it does not raise final retention, is not upheld.
# ```
#
# **Exercise 2** (level 2, compute). What share of all verdicts on these pages is *cannot tell*?
#
# ```{admonition} Solution
# :class: dropdown
# `found` holds the pages' results. Count the verdicts with that word and divide by all.
# ```

# %% tags=["solution", "hide-cell"]
every = [verdict["word"] for record in found.values() for verdict in record["verdicts"]]
answer_2 = every.count("cannot tell") / len(every)

# %% tags=["check"]
whole = verdicts.tally(found).sum()
exercises.check(
    2,
    answer_2,
    whole["cannot tell"] / whole.sum(),
    hint="every record in `found` has a list of `verdicts`, each with its `word`",
    traps={
        "that leaves the open ones out of the whole": whole["cannot tell"]
        / (whole["upheld"] + whole["not upheld"]),
        "that is their number, not their share": whole["cannot tell"],
    },
)

# %% [markdown]
# **Exercise 3** (level 3, investigate). Choose a claim that is *cannot tell*. What would have to be added so that it could be told:
# seeds, images, classes, or another measure? Open its page and look at the interval before you answer.
#
# ```{admonition} Solution
# :class: dropdown
# It depends on what makes the interval wide. Fewer than six seeds: more seeds. An interval over seven classes: more classes,
# since more seeds of the same seven would not help. An interval that straddles the limit although it is narrow: the truth lies near
# the limit, and no amount of data makes that a clear case.
# ```
#
# ## Rerun this page
#
# ```bash
# lethe rerun claims -p about=cifar7
# ```

# %% tags=["hide-input"]
book.finish(page)
