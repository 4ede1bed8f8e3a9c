"""A small checkout of the book for tests: two pages, two trace stores, no git."""

from pathlib import Path

from trace_runs import capture

from lethe import traces

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""
PAGE = (
    HEADER
    + """
# %% [markdown]
# # How large is $x^2$?
#
# **Claim under test.** The fraction is [small](there.md).
#
# **Time**: 3 minutes to read, a second to rerun. **You need**: nothing.
#
# ```{admonition} Solution
# :class: dropdown
# It is **four**: see {ref}`elsewhere <there>`.
# ```

# %% tags=["remove-cell"]
import altair as alt
import pandas as pd
from lethe import traces
from lethe.pages import book, charts
hidden = "set-up"

# %% tags=["parameters"]
traces_a: str = "zoo-tiny-quick"  # trace store
top_fraction: float = 0.1  # share of the images in the top set
bootstrap: int = 20  # resamples
random_seed: int = 0  # for the resamples
method: str = "exact"  # how; one of: exact | sampled
score: str = "aum"  # what is compared
log_scale: bool = False  # axis
cuts: list[float] = [0.1, 0.2]  # further shares
fail: bool = False  # stop on the way

# %% tags=["hide-input"]
page = book.start("tiny", dict(traces_a=traces_a, top_fraction=top_fraction, cuts=cuts))
ds = book.use(page, traces.open_traces(traces_a))
book.record(page, "fraction", top_fraction, top_fraction - 0.1, top_fraction + 0.1, n_seeds=6)
book.verdict(page, "it is small.", book.below(page, "fraction", 0.3))
frame = pd.DataFrame({"x": [0, 1], "y": [0, top_fraction]})
charts.show(charts.lines(frame, "x", "y", title="A line", description="A line from 0 to 1."))
book.text(page, "The fraction is {fraction}.")

# %%
if fail:
    raise ValueError("first line\\nsecond line")

# %% tags=["hide-input"]
book.finish(page)
"""
)

FINDING = (
    HEADER
    + """
# %% tags=["parameters"]
dataset: str = "zoo"  # data set
beside: str = ""  # second data set; empty for none
models: list[str] = ["tiny", "small"]  # two networks
preset: str = "quick"  # preset

# %%
from lethe.pages import book, stores
page = book.start("finding", dict(dataset=dataset, beside=beside, models=models, preset=preset))
pair = stores.open_pair(page, dataset, models, preset)
second = stores.open_beside(page, beside, dataset, models, preset)
book.finish(page)
"""
)


def make(root: Path) -> Path:
    """Write the two pages and the stores of two networks on one data set; returns `root`."""
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks" / "tiny.py").write_text(PAGE)
    (root / "notebooks" / "finding.py").write_text(FINDING)
    for model in ("tiny", "small"):
        run = capture(root / f"run-{model}", model=model)
        traces.compact([run], root / "data" / "traces" / f"zoo-{model}-quick.zarr.zip")
    return root
