"""What goes back from the GPU machine: results when done, else the state in pieces.

At most eight files of at most 15 MiB. The state that must travel is small: finished runs without
their final weights, stores, tables, and the pretrained weights of models that still have captures
to make, those with their matrices in half precision. Cost: reading these files once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pieces

BOOK = ("resnet18", "deit_small_patch16_224")
SMALL = ("test_resnet", "test_vit")
STATE_PIECES = 4
TOTAL_PIECES = 4  # of weights: with three small files beside them 60 MiB in all


def write(work: Path, out: Path, left: list[str]) -> None:
    """Results into `out`, and the state beside them while steps are left."""
    (out / "table.md").write_text(table(work, left))
    if (work / "environment.json").is_file():
        shutil.copy(work / "environment.json", out / "environment.json")
    write_log(work, out / "log.txt")
    pieces.discard(out)
    if left:
        left_out = pieces.pack(work, state_files(work, left), out, STATE_PIECES)
        for file in left_out:
            print(f"too large to carry, will be made again: {file.relative_to(work)}")
        return
    for file in [*sorted((work / "stores").glob("*.zarr.zip")), work / "bench" / "capture.json"]:
        if file.stat().st_size > 16 * 2**20:
            print(f"larger than 16 MiB: {file.name}")
        shutil.copy(file, out / file.name)


def state_files(work: Path, left: list[str]) -> Iterator[Path]:
    """The files that must travel, the most important first."""
    if (work / "environment.json").is_file():
        yield work / "environment.json"
    for folder in ("done", "logs", "stores", "bench", "exact"):
        yield from sorted(path for path in (work / folder).rglob("*") if path.is_file())
    units = [step.split()[1:] for step in left if step.startswith("unit ")]
    for done in sorted((work / "runs").glob("*/done.json")):
        if any(done.parent.name.startswith(f"{dataset}-{model}-") for model, dataset in units):
            yield from run_files(done.parent)
    for model, dataset in units:
        task = "glyphs" if dataset == "glyphs" else "tiny-imagenet-200"
        yield from sorted((work / "runs" / "weights").glob(f"{model}-*px-{task}.*"))


def write_log(work: Path, file: Path) -> None:
    """What every step said, one after the other."""
    logs = sorted((work / "logs").glob("*.txt"))
    file.write_text("\n".join(f"== {log.stem}\n{log.read_text()}" for log in logs))


def run_files(folder: Path) -> Iterator[Path]:
    """A finished run without its final weights (their hash is in done.json)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".safetensors", ".tmp") and path.name != "lock":
            yield path


def write_weights(work: Path, out: Path) -> None:
    """The pretrained weights as pieces, smallest first, as many as fit."""
    files = sorted((work / "runs" / "weights").iterdir(), key=lambda file: file.stat().st_size)
    for file in pieces.pack(work, files, out, TOTAL_PIECES):
        print(f"left out: {file.name}, {file.stat().st_size / 2**20:.0f} MiB")


def table(work: Path, left: list[str]) -> str:
    """What was checked, pretrained, captured and measured, as Markdown."""
    lines = ["# Captures on a GPU", ""]
    lines += [f"Left to do: {', '.join(left)}.", ""] if left else []
    for file in sorted((work / "exact").glob("*.json")):
        about = json.loads(file.read_text())
        lines += [f"- {name}: {value}" for name, value in about.items()]
    lines += ["", "| run | epochs | test accuracy | seconds |", "|---|---:|---:|---:|"]
    for file in sorted((work / "done").glob("*.json")):
        about = json.loads(file.read_text())
        row = (
            about["name"],
            about["epochs"],
            f"{about['accuracy']:.3f}",
            f"{about['seconds']:.0f}",
        )
        lines.append("| " + " | ".join(map(str, row)) + " |")
    bench = work / "bench" / "capture.md"
    return "\n".join([*lines, "", bench.read_text() if bench.is_file() else ""])
