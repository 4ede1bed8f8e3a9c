"""The log behind a training loop of one's own: its samples, its configuration, its next epoch.

Runs of one's own carry the preset `own`, so their stores are called DATASET-MODEL-own. Epochs are
counted as everywhere: view `train` from 1, view `eval` from 0, the pass before training.
Cost: opening checks the hash of every committed epoch, about 1 ms each.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import lethe
from lethe.capture.any_array import as_numpy, whole_numbers
from lethe.errors import LetheError
from lethe.traces import RunLog, is_finished, open_run
from lethe.traces.commits import commit_path

PRESET = "own"


def open_own_run(
    folder: Path,
    samples: pd.DataFrame,
    classes: Sequence[str],
    config: Mapping[str, Any],
    start: int | None,
) -> tuple[RunLog, int]:
    """The open log of a run and the epoch to record next.

    Raises LetheError if the folder holds other samples, another configuration, a finished run or a
    writer, and if `start` would leave a gap.
    """
    if len(classes) < 2:
        raise LetheError(f"a trace needs two classes or more, not {list(classes)}")
    environment = {"python": platform.python_version(), "lethe": lethe.__version__}
    manifest = {
        "config": config,
        "dataset": {"classes": list(classes)},
        "environment": environment,
    }
    log = open_run(folder, manifest, samples)
    try:
        return log, first_epoch(log, config["view"], start)
    except BaseException:
        log.close()
        raise


def sample_table(sample_ids: Sequence[str], labels: Any) -> pd.DataFrame:
    """The samples of a run; LetheError unless ids are strings and there is one label for each."""
    ids = list(sample_ids)
    odd = next((name for name in ids if not isinstance(name, str)), None)
    if odd is not None:
        raise LetheError(
            f"sample id {odd!r} is a {type(odd).__name__}, expected strings that name the sample, "
            "such as its file; a position is no name"
        )
    labels = whole_numbers(labels, "labels", "class indices")
    labels = as_numpy(labels, "labels")
    if len(labels) != len(ids):
        raise LetheError(f"{len(labels)} labels were given for {len(ids)} sample ids")
    return pd.DataFrame({"sample_id": ids, "label": labels})


def run_config(
    names: Mapping[str, Any], config: Mapping[str, Any], rank: int, world_size: int
) -> dict[str, Any]:
    """The configuration as it stands in the manifest; LetheError where names clash or rank is off.

    A run on several processes also names its rank.
    """
    fixed = {**names, "preset": PRESET}
    clash = sorted(set(config) & {*fixed, "rank", "world_size"})
    if clash:
        raise LetheError(f"config may not hold {clash[0]!r}: the recorder writes it itself")
    try:
        json.dumps(dict(config))
    except TypeError as error:
        raise LetheError(f"config must hold numbers, text and lists only ({error})") from None
    if not 0 <= rank < world_size:
        raise LetheError(f"rank {rank} is none of a world of {world_size}; ranks count from 0")
    ranks = {"rank": rank, "world_size": world_size} if world_size > 1 else {}
    return {**fixed, **config, **ranks}


def first_epoch(log: RunLog, view: str, start: int | None) -> int:
    """The epoch to record next; with `start`, committed epochs from there on are forgotten."""
    done, first = log.committed(view), int(view == "train")
    if is_finished(log.folder):
        raise LetheError(
            f"{log.folder} holds a finished run of {len(done)} epochs; choose another folder, or "
            "remove this one to record the run again"
        )
    following = done[-1] + 1 if done else first
    if start is None:
        return following
    if not first <= start <= following:
        raise LetheError(f"start is {start}, but the next epoch of {log.folder} is {following}")
    for epoch in reversed([epoch for epoch in done if epoch >= start]):
        commit_path(log.folder, view, epoch).unlink()
    return start
