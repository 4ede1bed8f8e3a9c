"""Captures of a second for the tests of exactness: a few glyphs, few epochs, untrained backbone."""

import json
from pathlib import Path

import numpy as np

from lethe.capture import capture_run, finetune, plan_run

CHOICES = {"limit": 124, "epochs": 3, "warmup_epochs": 2, "weights": "none"}
CLOCKS = ("seconds", "record_seconds")
load_whole_split = finetune.load_split


def plan(seed=0, **choices):
    return plan_run("glyphs", "test_resnet", seed=seed, **{**CHOICES, **choices})


def load_few(dataset, split, pixels, root):
    """62 test images, one a class, are enough here."""
    images = load_whole_split(dataset, split, pixels, root)
    return images if split == "train" else images.take(np.arange(0, len(images), 100))


def capture(out, every=0.0, **choices) -> Path:
    """The folder of a finished tiny run on the CPU, captured with the few test images.

    A checkpoint is written `every` so many seconds, by default at every epoch.
    """
    before = finetune.load_split, finetune.CHECKPOINT_EVERY
    finetune.load_split, finetune.CHECKPOINT_EVERY = load_few, every
    try:
        return capture_run(plan(**choices), out, device="cpu")
    finally:
        finetune.load_split, finetune.CHECKPOINT_EVERY = before


def contents(folder) -> dict[str, bytes]:
    """Every file of a run by name; of commit records all but the clock times.

    The manifest is compared without the commit of the source, which may change between two runs.
    """
    found = {}
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.name.endswith(".commit.json"):
            record = json.loads(data)
            for clock in CLOCKS:
                record["metrics"].pop(clock, None)
            data = json.dumps(record, sort_keys=True).encode()
        if path.name == "manifest.json":
            manifest = json.loads(data)
            manifest["environment"].pop("commit")
            data = json.dumps(manifest, sort_keys=True).encode()
        found[path.relative_to(folder).as_posix()] = data
    return found


def hashes(folder, epoch, view="eval") -> dict[str, str]:
    """The hashes in the commit record of an epoch."""
    record = Path(folder) / "epochs" / f"{view}-{epoch:04d}.commit.json"
    return json.loads(record.read_text())["hashes"]
