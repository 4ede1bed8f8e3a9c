"""What Python in a browser lacks, a page that only reads can do without: same numbers, no PNG."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from lethe.analysis.agreement import jaccard_on, spearman_on
from lethe.analysis.curves.least_squares import decay_rate

ROOT = Path(__file__).parents[1]
ABSENT = ("numba", "llvmlite", "vl_convert", "fcntl", "papermill", "nbconvert", "ipykernel")

WITHOUT = f"""
import json, sys, warnings
sys.modules.update(dict.fromkeys({ABSENT}))  # to import one of these now fails
warnings.simplefilter("error", RuntimeWarning)
"""

NUMBERS = """
import numpy as np
from lethe.analysis.agreement import jaccard_on, spearman_on
from lethe.analysis.curves.least_squares import decay_rate
scores, weights, traces = (np.array(part, float) for part in json.loads(sys.stdin.read()))
found = [matrix(weights) for matrix in (spearman_on(scores), jaccard_on(scores, 0.2))]
found.append(decay_rate(traces, np.ones_like(traces), np.arange(traces.shape[1]), 2.0))
print(json.dumps([part.tolist() for part in found]))
"""

CHART = """
import pandas as pd
from lethe.analysis import arms, findings, mixture, truth
from lethe.pages import book, charts, side_by_side, stores
rows = [{"label": "one", "estimate": 0.5, "low": 0.4, "high": 0.6}]
chart = charts.interval_chart(rows, title="t", description="d", x_title="x")
print(sorted(chart._repr_mimebundle_()))
"""


def run(script: str, given: str = "") -> str:
    command = [sys.executable, "-c", WITHOUT + script]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("missing", [0, 9])
def test_kernels_give_the_same_numbers_uncompiled(missing):
    rng = np.random.default_rng(missing)
    scores = rng.poisson(2.0, (4, 60)).astype(float)
    scores[rng.integers(0, 4, missing), rng.integers(0, 60, missing)] = np.nan  # never learned
    weights = np.bincount(rng.integers(0, 60, 60), minlength=60).astype(float)
    traces = (rng.random((5, 12)) < 0.7).astype(float)
    given = json.dumps([scores.tolist(), weights.tolist(), traces.tolist()])
    spearman, overlap, rates = map(np.array, json.loads(run(NUMBERS, given)))
    np.testing.assert_allclose(spearman, spearman_on(scores)(weights), atol=1e-12)
    np.testing.assert_allclose(overlap, jaccard_on(scores, 0.2)(weights), atol=1e-12)
    compiled = decay_rate(traces, np.ones_like(traces), np.arange(12), 2.0)
    np.testing.assert_allclose(rates, compiled, atol=1e-9)
    assert np.ptp(compiled) > 0  # the rows differ, so that agreeing says something


def test_a_chart_without_the_png_writer_keeps_picture_and_words():
    assert run(CHART) == "['text/html', 'text/plain']"


def test_what_has_no_build_for_a_browser_is_asked_for_elsewhere_only():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [Requirement(line) for line in project["dependencies"]]
    browser = {each.name for each in asked if _asked_on(each, "emscripten")}
    elsewhere = {each.name for each in asked if _asked_on(each, "linux")}
    assert elsewhere - browser == {
        "ipykernel",
        "nbconvert",
        "numba",
        "papermill",
        "vl-convert-python",
    }


def _asked_on(requirement: Requirement, platform: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"sys_platform": platform})
