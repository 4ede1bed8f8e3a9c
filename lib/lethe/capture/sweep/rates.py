"""How long capturing takes, from runs that were measured: those in the output folder, else stores.

A rate is seconds an image: in training, in a clean pass, and in the head's warm-up. Finished runs
of the same network and size in the output folder come first; then the stores of the traces folder,
which hold the seconds of every epoch and the device. Cost: a second for the first store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lethe.errors import LetheError
from lethe.traces import is_finished, list_traces, open_traces
from lethe.traces.commits import commit_path, committed_epochs
from lethe.traces.files import read_json

MOST = 5  # finished runs that a rate is taken from


@dataclass(frozen=True)
class Rate:
    """Seconds an image, where they were measured, and on what."""

    train: float
    clean: float
    warm: float
    device: str
    source: str


def find_rate(model: str, pixels: int, on_card: bool, out: Path, dataset: str = "") -> Rate | None:
    """The rate of a network at a size, on a card or on a processor; None if nobody measured it.

    Of several stores one of the `dataset` comes first.
    """
    return from_runs(model, pixels, on_card, out) or from_stores(model, pixels, on_card, dataset)


def from_runs(model: str, pixels: int, on_card: bool, out: Path) -> Rate | None:
    """The rate of up to five finished runs in the output folder."""
    found: list[Rate] = []
    for path in sorted(out.glob(f"*-{model}-*/manifest.json")):
        try:
            manifest = read_json(path)
            if fits(manifest, model, pixels, on_card) and is_finished(path.parent):
                found.append(of_run(path.parent, manifest))
        except (LetheError, KeyError, TypeError):  # a folder of another kind, or a damaged one
            continue
        if len(found) == MOST:
            break
    return together(found, f"{len(found)} finished runs in {out}")


def fits(manifest: Mapping[str, Any], model: str, pixels: int, on_card: bool) -> bool:
    """Whether a run had this network, this size and this kind of device."""
    config, device = manifest["config"], manifest["environment"]["device"]
    same = config["model"] == model and config["recipe"]["pixels"] == pixels
    return same and "eval" in config["views"] and (device != "cpu") == on_card


def of_run(folder: Path, manifest: Mapping[str, Any]) -> Rate:
    """The rate of one finished run."""
    records = [
        read_json(commit_path(folder, "eval", e))["metrics"]
        for e in committed_epochs(folder, "eval")
    ]
    seconds = np.array([record["seconds"] for record in records])
    clean = np.array([record["record_seconds"] for record in records])
    images = len_samples(folder)
    return rate(seconds, clean, images, manifest["environment"]["device"])


def len_samples(folder: Path) -> int:
    """How many samples a run has."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(folder / "samples.parquet").num_rows)


def rate(
    seconds: np.ndarray, clean: np.ndarray, images: int, device: str, source: str = ""
) -> Rate:
    """A rate from seconds [..., epoch]; medians, which a pause leaves alone."""
    train = float(np.median(seconds[..., 1:]))
    warm = float(np.median(seconds[..., 0]))
    return Rate(train / images, float(np.median(clean)) / images, warm / images, device, source)


def together(rates: Sequence[Rate], source: str) -> Rate | None:
    """The median of several rates."""
    if not rates:
        return None
    parts = np.array([(each.train, each.clean, each.warm) for each in rates])
    train, clean, warm = np.median(parts, axis=0).tolist()
    return Rate(train, clean, warm, rates[0].device, source)


def from_stores(model: str, pixels: int, on_card: bool, dataset: str = "") -> Rate | None:
    """The rate of the first store that fits; the book's own traces are stores, too."""
    names = [name for name in list_traces() if f"-{model}-" in name]
    for name in sorted(names, key=lambda name: not name.startswith(f"{dataset}-")):
        ds = open_traces(name)
        try:
            manifest = json.loads(ds.attrs["manifests"])[0]
            device = manifest["environment"]["device"]
            config = {"views": ["eval"], **json.loads(ds.attrs["config"])}
            if fits({**manifest, "config": config}, model, pixels, on_card):
                seconds, clean = ds["seconds"].values, ds["record_seconds"].values
                return rate(seconds, clean, ds.sizes["sample"], device, f"the store {name}")
        except (KeyError, TypeError, ValueError):  # traces from another training loop
            continue
        finally:
            ds.close()
    return None
