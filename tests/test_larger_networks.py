"""The page of the larger networks says of the small ones what the findings' own pages say."""

import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
HEADLINES = {"between": 1, "excluded_gap": 2, "rho_a": 3, "class_a": 4, "early_a": 5}
NUMBER = re.compile(r"(-?\d\.\d+) \[")


def printed(name: str) -> list[str]:
    """The lines that a page's twin keeps."""
    cells = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
    return [line for c in cells for out in c.get("outputs", []) for line in out.text.splitlines()]


@pytest.mark.parametrize(("key", "finding"), HEADLINES.items())
def test_the_small_networks_have_the_numbers_of_the_front_page(key, finding):
    (ours,) = [line for line in printed("larger_networks") if line.split()[0] == key]
    front = [
        line
        for line in printed("at_a_glance")
        if line.startswith(f"finding_{finding}_") and line.split()[1] == "glyphs"
    ]
    small, there = (float(NUMBER.search(line)[1]) for line in (ours, front[0]))
    assert small == pytest.approx(there, abs=0.0051)


def test_claims_are_those_of_the_findings():
    page = (FOLDER / "larger_networks.py").read_text("utf-8")
    findings = "".join(path.read_text("utf-8") for path in FOLDER.glob("finding_*.py"))
    claims = dict(re.findall(r'^([A-Z_]+) = "(.+\.)"$', page, re.M))
    assert len(claims) == 13
    named = {"FITS", "FAIRLY", "PREDICTS"}  # there these claims name the networks or the target
    for name, claim in claims.items():
        same = claim.replace("\\u00b2", "\N{SUPERSCRIPT TWO}") in findings
        assert same or name in named, claim
