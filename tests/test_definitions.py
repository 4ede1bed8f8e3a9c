"""What the prose pages state in numbers agrees with the library and the stores."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from lethe.analysis import curves, scores
from lethe.traces import open_traces

BOOK = Path(__file__).parents[1] / "book"
PAGE = (BOOK / "definitions.md").read_text(encoding="utf-8")
RECIPE = (BOOK / "recipe.md").read_text(encoding="utf-8")


def rows(first_cell: str) -> list[list[str]]:
    """Cells of the table rows whose first cell matches the pattern."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [line[1:] for line in lines if re.fullmatch(first_cell, line[0])]


CORRECT = np.array([[cell == "1" for cell in row] for row in rows(r"\d")])  # [epoch, sample]


def told(what: str) -> list[float]:
    """A row of the second table as numbers, NaN for none."""
    return [np.nan if cell == "none" else float(cell) for cell in rows(what)[0]]


def test_the_example_has_five_epochs_and_four_samples():
    assert CORRECT.shape == (5, 4)


@pytest.mark.parametrize(
    ("what", "score"),
    [
        ("first_learned", scores.first_learned),
        ("forgetting events", scores.forgetting_events),
        ("mean retention", scores.mean_retention),
    ],
)
def test_each_row_is_what_the_library_says(what, score):
    np.testing.assert_array_equal(score(CORRECT), told(what))


def test_the_categories_are_what_the_library_says():
    names = rows("category")[0]
    assert [name.strip("*") == "never learned" for name in names] == list(
        scores.never_learned(CORRECT)
    )
    assert [name == "never forgotten" for name in names] == list(scores.never_forgotten(CORRECT))


@pytest.mark.parametrize(("sample", "rate"), [(1, 0.549), (3, 0.202)])
def test_the_fitted_rates_are_what_the_library_says(sample, rate):
    traces, _ = curves.retention_traces(CORRECT)
    fitted = curves.fit_exponential(traces)
    assert fitted.rate[sample] == pytest.approx(rate, abs=0.0006)
    assert f"{rate:.3f}" in PAGE


def card(model: str, task: str) -> dict:
    """The model card in the header of a file of weights."""
    with open(BOOK.parent / "data" / "weights" / f"{model}-32px-{task}.safetensors", "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        told = json.loads(file.read(size))["__metadata__"]
    return json.loads(told["card"]) if "card" in told else told


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_the_recipe_page_states_the_accuracies_of_the_weights(model):
    line = re.search(rf"^\| `{model}` \| \d+ \| (\S+) % \| \d+ \| (\S+) % \|", RECIPE, re.M)
    cards = [card(model, task) for task in ("glyphs", "tiny-imagenet-200")]
    assert line
    assert line.groups() == tuple(f"{100 * float(c['test_accuracy']):.1f}" for c in cards)
    assert cards[1]["images"] == 50_000
    assert cards[1]["unseen_images"] == 5_000


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "resnet18"])
def test_the_recipe_page_states_the_accuracies_of_the_stores(model):
    with open_traces(f"glyphs-{model}-quick") as ds:
        mean = float(ds["test_accuracy"].isel(epoch=-1).mean())
    line = re.search(rf"^\| `{model}`.*?(\d\d\.\d) % \| about", RECIPE, re.M)
    assert line
    assert line[1] == f"{100 * mean:.1f}"
