"""Packs the finished runs of a sweep: the seeds of one configuration into one store.

A store is called DATASET-MODEL-PRESET as after `lethe capture --pack`. Where a sweep varies more
than names say, such as a setting or a held stream, what differs is added: `quick+epochs10`. Cost: 5
s a store of ten seeds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lethe.capture.many import pack_runs, store_name

if TYPE_CHECKING:
    from lethe.capture.plan import Run


def pack_sweep(runs: Sequence[Run], out: Path) -> list[Path]:
    """Pack finished runs; LetheError if a store of that name holds other traces."""
    named: dict[str, list[Group]] = {}
    for group in same_but_seed(runs):
        named.setdefault(store_name(group.runs[0]), []).append(group)
    stores: list[Path] = []
    for name, groups in named.items():
        for group, label in zip(groups, labels(groups)):
            stores += pack_runs(group.runs, out, name + label)
    return stores


@dataclass(frozen=True)
class Group:
    """The seeds of one configuration: what they share, and the streams held in all of them."""

    factors: dict[str, Any]
    held: dict[str, int]
    runs: list[Run]


def same_but_seed(runs: Sequence[Run]) -> list[Group]:
    """The runs in groups that differ in their seed only.

    A stream that is held at 0 is not held in the run of seed 0, so a run may stand in two groups.
    """
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(json.dumps(factors(run), sort_keys=True), []).append(run)
    return [group for found in alike.values() for group in by_held_streams(found)]


def by_held_streams(runs: Sequence[Run]) -> list[Group]:
    """Groups of runs by the streams that are held, without those that are part of another."""
    patterns = {json.dumps(held(run), sort_keys=True): held(run) for run in runs}
    groups = [
        Group(factors(runs[0]), pattern, [run for run in runs if obeys(run, pattern)])
        for pattern in patterns.values()
    ]
    names = [{run.run_id for run in group.runs} for group in groups]
    return [group for group, own in zip(groups, names) if not any(own < other for other in names)]


def held(run: Run) -> dict[str, int]:
    """The streams of a run that have another seed than the run."""
    return {name: value for name, value in run.seeds.as_dict().items() if value != run.seed}


def obeys(run: Run, pattern: dict[str, int]) -> bool:
    """Whether a run's streams are what its seed and these held streams make."""
    return all(pattern.get(name, run.seed) == v for name, v in run.seeds.as_dict().items())


def factors(run: Run) -> dict[str, Any]:
    """What defines a run beside its seeds, flat."""
    config = {k: v for k, v in run.config().items() if k not in ("recipe", "seed", "seeds")}
    return {**config, **run.recipe.as_dict()}


def labels(groups: Sequence[Group]) -> list[str]:
    """For each group what sets it apart, as `+epochs10+order0`; empty if it is alone."""
    known = [{**group.factors, **group.held} for group in groups]
    names = sorted({name for each in known for name in each})
    differing = [name for name in names if len({json.dumps(each.get(name)) for each in known}) > 1]
    return ["".join(label(name, each.get(name)) for name in differing) for each in known]


def label(name: str, value: Any) -> str:
    """One difference as part of a file name."""
    if value is None or value == "":
        return ""
    text = "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"+{name.replace('_', '')}" + re.sub(r"[^\w.-]", "_", text)
