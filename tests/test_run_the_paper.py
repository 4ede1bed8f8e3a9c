"""The page on OCTDL and CUB-200: its commands are commands, its numbers follow from one another."""

import math
import re
import shlex
from pathlib import Path

import pytest
import typer

from lethe.capture.recipes import find_recipe
from lethe.cli import app
from lethe.datasets import LOADERS
from lethe.datasets.octdl import CLASSES
from lethe.datasets.sources import SOURCES
from lethe.pages.findings import GROUP
from lethe.pages.rerun import list_pages

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "run_the_paper.md").read_text("utf-8")
COMMANDS = re.findall(r"^lethe .*$", PAGE, re.MULTILINE)
MODELS = ("resnet18", "deit_small_patch16_224")
# training and test images; OCTDL's fifth is the rule's aim
SETS = {"OCTDL": (1651, 413), "CUB-200": (5994, 5794)}


def parsed(line: str) -> tuple[str, dict]:
    """A command line as typer would hand it over; nothing is run."""
    words = shlex.split(line)[1:]
    group = typer.main.get_command(app)
    with group.make_context("lethe", list(words)) as context:
        name, command, rest = group.resolve_command(context, list(words))
        return name, command.make_context(name, rest, parent=context).params


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_accepted(line):
    name, given = parsed(line)
    if name == "fetch":
        assert given["name"] in SOURCES
    elif name == "capture":
        assert given["dataset"] in LOADERS
        assert tuple(given["model"]) == MODELS
        assert (given["preset"], given["weights"], given["pack"]) == ("paper", "timm", True)
    else:
        assert name == "rerun"
        assert given["name"] in (*list_pages(), GROUP)


def test_a_wrong_command_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        parsed("lethe capture octdl --modle resnet18")
    with pytest.raises(Exception, match="No such command"):
        parsed("lethe fetsch octdl")


def test_every_step_is_there_for_both_sets():
    assert len(COMMANDS) == 5
    for name in ("octdl", "cub200"):
        assert f"lethe fetch {name}" in COMMANDS
        assert any(line.startswith(f"lethe capture {name} ") for line in COMMANDS)


def rows(start: str) -> dict[str, list[str]]:
    """The rows of the first table behind these words, by their first cell."""
    table = PAGE.split(start, 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0].splitlines()
    table = [row for row in table if row.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("| ").split("|")] for row in table]
    return {first: rest for first, *rest in cells}


def seconds(card: str, column: int, images: str) -> float:
    """30 epochs of training, 32 clean passes over the training and 31 over the test images."""
    speeds = rows("speeds at 224 pixels")[card][column]
    train, clean = (
        float(word.replace(",", "")) for word in re.findall(r"[\d,]+(?= |$)", speeds)[:2]
    )
    n_train, n_test = SETS[images]
    return 30 * n_train / train + (32 * n_train + 31 * n_test) / clean


@pytest.mark.parametrize("card", ["RTX 3090", "H200"])
def test_hours_follow_from_the_speeds(card):
    *runs, total = rows("One run is 30 epochs")[card]
    expected = [seconds(card, column, images) for images in SETS for column in (0, 1)]
    assert runs == [f"{value:.0f} s" for value in expected]
    assert total == f"{10 * sum(expected) / 3600:.1f} hours"


def test_recipe_and_steps_are_those_of_the_preset():
    steps = 0
    for model in MODELS:
        recipe = find_recipe("paper", model, "photos")
        assert (recipe.epochs, recipe.warmup_epochs, recipe.pixels) == (30, 10, 224)
        assert f"batch is {recipe.batch_size} images" in PAGE
        steps += sum(30 * math.ceil(n / recipe.batch_size) for n, _ in SETS.values())
    assert f"{10 * steps:,} steps" in PAGE
    assert f"{10 * steps * 0.025 / 3600:.1f} hours" in PAGE


def test_disk_follows_from_the_counts():
    decoded = next(cells for name, cells in disk().items() if name.startswith("decoded"))
    assert decoded == [f"{n * 224**2 * 3 / 1e9:.2f} GB" for n in (2064, 11788)]
    cub = SOURCES["cub200"].parts[0]
    assert disk()["archives"][1] == f"{cub.size / 1e9:.2f} GB"
    weights = [11.2e6 * 4, 21.7e6 * 4]  # of ResNet-18 and DeiT-Small
    assert set(disk()["final weights, twenty runs"]) == {f"{10 * sum(weights) / 1e9:.1f} GB"}


def disk() -> dict[str, list[str]]:
    return rows("## Disk")


def test_traces_follow_from_the_shipped_stores():
    store = ROOT / "data" / "traces" / "glyphs-test_resnet-quick.zarr.zip"
    cell = store.stat().st_size / (6200 * 10 * 31)
    assert 4.5 < cell < 6
    for text, (n_train, _) in zip(disk()["traces, two stores of ten seeds"], SETS.values()):
        expected = 2 * cell * n_train * 10 * 31 / 1e6
        assert abs(float(re.search(r"[\d.]+", text)[0]) / expected - 1) < 0.15


def test_sets_are_described_as_they_are():
    assert f"| classes | {len(CLASSES)} | 200 |" in PAGE
    for name in ("octdl", "cub200"):
        assert SOURCES[name].page in PAGE
