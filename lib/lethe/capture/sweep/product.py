"""The list of runs of a sweep: tables in a TOML file, each the product of its entries.

    [[runs]]
    dataset = "glyphs"
    model = ["test_resnet", "test_vit"]
    seeds = "0-9"
    settings = {epochs = [10, 30]}

An entry is a value or an array of values; the later an entry stands, the faster it varies. A value
that is itself an array (`mean`, `std`) takes another pair of brackets. Runs come in the order of
the file; runs with the same id are one. Cost: about 50 microseconds a run, and the import of torch.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lethe.capture.plan import Run, plan_run
from lethe.capture.recipes import Recipe
from lethe.capture.seed_list import parse_seeds
from lethe.capture.streams import PURPOSES
from lethe.errors import LetheError, nearest

TEXTS = (
    *("dataset", "model", "preset", "weights", "views", "root", "label_noise", "sampler"),
    "constants",
)
NUMBERS = ("limit", "test_every")
GROUPS = ("settings", "held")
KEYS = (*TEXTS, *NUMBERS, "seeds", *GROUPS)
SETTINGS = {field.name: str(field.type) for field in fields(Recipe)}
MOST = 100_000  # runs of a sweep

Choice = tuple[str, str, Any]  # group ("" for the table itself), key, value


@dataclass(frozen=True)
class Sweep:
    """The runs of a file in its order, and how many more were the same as one of them."""

    runs: tuple[Run, ...]
    merged: int


def read_sweep(file: Path | str) -> Sweep:
    """The runs of a sweep file.

    LetheError naming table and entry for a file that is no TOML, an unknown key or setting (with
    the nearest), a value of another type, and whatever `plan_run` refuses.
    """
    file = Path(file)
    found: dict[str, Run] = {}
    merged = 0
    for number, table in enumerate(tables(file), start=1):
        try:
            for run in planned(table, file.resolve().parent):
                merged += run.run_id in found
                check_same_root(found.setdefault(run.run_id, run), run)
                check_number(len(found) + merged)
        except LetheError as error:
            raise LetheError(f"{file.name}, table {number}: {error}") from None
    return Sweep(tuple(found.values()), merged)


def tables(file: Path) -> list[dict[str, Any]]:
    """The `[[runs]]` tables of a file; LetheError if it is none of ours."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise LetheError(f"there is no sweep file {file}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LetheError(f"{file} cannot be read as TOML: {error}") from None
    for key in content:
        if key != "runs":
            raise LetheError(f"{file.name}: unknown table {key!r}: {nearest(key, ['runs'])}")
    found = content.get("runs")
    if not isinstance(found, list) or not found or not all(isinstance(t, dict) for t in found):
        raise LetheError(f"{file.name} holds no runs: write tables that begin with [[runs]]")
    return found


def planned(table: dict[str, Any], place: Path) -> Iterator[Run]:
    """The runs of one table; relative paths of `root` and `constants` start at `place`."""
    for key in table:
        if key not in KEYS:
            raise LetheError(f"unknown entry {key!r}: {nearest(key, KEYS)}")
    for key in ("dataset", "model"):
        if key not in table:
            raise LetheError(f"{key} is missing")
    axes = [axis for key, value in table.items() for axis in choices(key, value)]
    check_number(math.prod(map(len, axes)))
    for combination in itertools.product(*axes):
        yield plan(combination, place)


def choices(key: str, value: Any) -> Iterator[list[Choice]]:
    """The axes of one entry: one, or one for each entry of a group."""
    if key not in GROUPS:
        yield [("", key, each) for each in values(key, value)]
        return
    if not isinstance(value, dict):
        raise LetheError(f"{key} must be a table such as [runs.{key}], not {value!r}")
    known = SETTINGS if key == "settings" else PURPOSES
    for name, inner in value.items():
        if name not in known:
            what = "setting" if key == "settings" else "random stream"
            raise LetheError(f"unknown {what} {name!r}: {nearest(name, known)}")
        yield [(key, name, each) for each in values(name, inner, key)]


def values(key: str, value: Any, group: str = "") -> list[Any]:
    """The values of one entry, checked; LetheError for an empty array or another type."""
    alternatives = value if isinstance(value, list) else [value]
    if not alternatives:
        raise LetheError(f"{key} is an empty array: give a value")
    if key == "seeds" or group == "held":
        return [seed for each in alternatives for seed in seeds(key, each)]
    return [checked(key, each, group) for each in alternatives]


def seeds(key: str, value: Any) -> list[int]:
    """The seeds of a number or of text such as `0-9`."""
    if type(value) is int:
        return [value]
    if isinstance(value, str):
        return parse_seeds(value)
    raise LetheError(f"{key} is a number or text such as '0-9', not {value!r}")


def checked(key: str, value: Any, group: str) -> Any:
    """A value of the type that its key takes; LetheError if it is of another."""
    kind = SETTINGS[key] if group else "int" if key in NUMBERS else "str"
    if kind == "Channels":
        return channels(key, value)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        name = {"int": "a whole number", "float": "a number", "bool": "true or false"}.get(kind)
        raise LetheError(f"{key} must be {name or 'text'}, not {value!r}")
    if kind == "float" and not math.isfinite(value):
        raise LetheError(f"{key} must be a finite number, not {value}")
    return value


def channels(key: str, value: Any) -> float | tuple[float, ...]:
    """One number for all channels, or an array of three."""
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) not in (1, 3) or not all(type(n) in (int, float) for n in numbers):
        raise LetheError(f"{key} must be a number or [[red, green, blue]], not {value!r}")
    return tuple(map(float, numbers)) if isinstance(value, list) else float(value)


def plan(combination: tuple[Choice, ...], place: Path) -> Run:
    """One run of a table."""
    given: dict[str, Any] = {name: value for group, name, value in combination if not group}
    settings = {name: value for group, name, value in combination if group == "settings"}
    held = {name: value for group, name, value in combination if group == "held"}
    seed = given.pop("seeds", 0)
    for key in ("root", "constants"):
        if given.get(key):
            given[key] = str((place / Path(given[key]).expanduser()).resolve())
    if "views" in given:
        given["views"] = [view.strip() for view in given["views"].split(",")]
    return plan_run(
        given.pop("dataset"), given.pop("model"), seed=seed, held=held, **given, **settings
    )


def check_number(runs: int) -> None:
    """LetheError for a sweep that nobody means."""
    if runs > MOST:
        raise LetheError(f"more than {MOST:,} runs: split the file")


def check_same_root(one: Run, other: Run) -> None:
    """LetheError if two equal runs take their images from different folders."""
    if one.root != other.root:
        raise LetheError(
            f"{one.dataset} is read from {one.root or 'its usual place'} and from "
            f"{other.root or 'its usual place'}: give the two data sets different names"
        )
