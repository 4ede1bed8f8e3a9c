"""`-p traces=PATH`: traces of your own in the place of those that a page reads.

PATH is a store NAME.zarr.zip, a finished run folder, a folder of stores or of runs, the name of a
shipped store, or the URL of a store or of a folder of stores, such as s3://bucket/traces; several
are separated by commas. Runs are compacted first, the seeds of one configuration into one store.
Cost: 0.3 s a store, and a second for each run of 6,000 images.
"""

import glob
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.pages.parameters import Parameter
from lethe.pages.stores import check_alike
from lethe.traces import compact, list_traces, open_traces
from lethe.traces.commits import committed_epochs
from lethe.traces.files import read_json
from lethe.traces.places import is_url
from lethe.traces.store import SEED_KEYS, SUFFIX, find_store

NAME = "traces"
PAIR = {"dataset", "models", "preset"}


def resolve(
    page: str, known: Mapping[str, Parameter], given: Mapping[str, str], work: Path
) -> dict[str, str]:
    """The parameters `given` with `traces` turned into those that the page has.

    Runs are compacted into the folder `work`. Raises LetheError for a path that holds no traces,
    for stores that are not of the same samples, and for a page that takes another number of them.
    """
    if NAME not in given or NAME in known:
        return dict(given)
    rest = {key: text for key, text in given.items() if key != NAME}
    takes = kind_of(known)
    if not takes:
        raise LetheError(f"{page} reads no traces of your own: its data or its studies are shipped")
    for key in takes:
        if key in rest:
            raise LetheError(f"give {NAME} or {key}, not both: one stands in place of the other")
    stores = find_stores(given[NAME], work)
    return (_pair if "models" in takes else _single)(page, takes, stores, known) | rest


def kind_of(known: Mapping[str, Parameter]) -> list[str]:
    """The parameters of a page that `traces` takes the place of; none if it reads no store."""
    if known.keys() >= PAIR:
        return ["models"]
    return sorted(name for name in known if name.startswith(f"{NAME}_"))


def _pair(
    page: str, takes: list[str], stores: list[str], known: Mapping[str, Parameter]
) -> dict[str, str]:
    """Two stores as `models`, nothing beside them, and the names that the stores have."""
    if len(stores) != 2:
        raise LetheError(
            f"{page} compares two networks on the same samples, and {_listed(stores)}; give two: "
            f"-p {NAME}=FIRST,SECOND"
        )
    first = opened(stores[0])
    check_pair(first, stores)
    values = {"models": ",".join(stores)}
    values |= {key: str(first.attrs.get(key, "")) for key in ("dataset", "preset")}
    return values | ({"beside": ""} if "beside" in known else {})


def _single(
    page: str, takes: list[str], stores: list[str], known: Mapping[str, Parameter]
) -> dict[str, str]:
    """One store for each parameter; a page with one parameter takes several, one after another."""
    for store in stores:
        opened(store).close()
    if len(takes) == 1:
        return {takes[0]: ";".join(stores)}
    if len(stores) != len(takes):
        raise LetheError(f"{page} reads {len(takes)} stores, and {_listed(stores)}")
    check_pair(opened(stores[0]), stores)
    return dict(zip(takes, stores, strict=True))


def _listed(stores: list[str]) -> str:
    names = ", ".join(Path(store).name for store in stores)
    return f"{NAME} names {len(stores)}: {names}"


def opened(store: str) -> xr.Dataset:
    """Open a store; LetheError that begins with `traces` if it is none."""
    try:
        return open_traces(store)
    except LetheError as error:
        raise LetheError(f"{NAME}: {error}") from None


def check_pair(first: xr.Dataset, stores: list[str]) -> None:
    """LetheError unless the second store is of the same samples and classes as the first."""
    opened(stores[1]).close()
    try:
        check_alike(first, open_traces(stores[1], samples=first["sample"].values))
    except LetheError as error:
        raise LetheError(f"{NAME}: {stores[1]} cannot stand next to {stores[0]}: {error}") from None


def find_stores(text: str, work: Path) -> list[str]:
    """The stores behind `traces`, as full paths; run folders are compacted into `work`."""
    stores: list[str] = []
    runs: list[Path] = []
    for word in filter(None, map(str.strip, text.split(","))):
        if is_url(word):
            stores += _at_url(word)
            continue
        for path in _found(word):
            (runs.append(path) if path.is_dir() else stores.append(str(path.resolve())))
    if not stores and not runs:
        raise LetheError(f"{NAME} names nothing: give a store NAME{SUFFIX} or a run folder")
    stores += [str(store) for store in pack(runs, work)]
    for store in stores:
        if re.search("[,;]", store):
            raise LetheError(f"{NAME}: the path {store} has a comma or a semicolon; rename it")
    return stores


def _at_url(url: str) -> list[str]:
    """The store at a URL, or the stores in the folder that it names."""
    if url.endswith(SUFFIX):
        return [url]
    inside = [f"{url.rstrip('/')}/{name}{SUFFIX}" for name in list_traces(url)]
    if not inside:
        raise LetheError(f"{NAME}: {url} holds no stores *{SUFFIX}")
    return inside


def _found(word: str) -> list[Path]:
    """The stores and run folders that one path or pattern names."""
    if word in list_traces():
        return [Path(find_store(word))]
    paths = [Path(found) for found in sorted(glob.glob(word))] or [Path(word).expanduser()]
    return [each for path in paths for each in _in_path(path)]


def _in_path(path: Path) -> list[Path]:
    if not path.exists():
        raise LetheError(f"{NAME}: there is nothing at {path}; {_neighbour(path)}")
    if path.is_file():
        if not path.name.endswith(SUFFIX):
            raise LetheError(
                f"{NAME}: {path} is no trace store; expected NAME{SUFFIX}, a run folder, or a "
                "folder of either"
            )
        return [path]
    if (path / "manifest.json").is_file():
        return [path]
    inside = sorted(path.glob(f"*{SUFFIX}")) or sorted(
        p.parent for p in path.glob("*/manifest.json")
    )
    if not inside:
        raise LetheError(f"{NAME}: {path} holds neither stores *{SUFFIX} nor run folders")
    return inside


def _neighbour(path: Path) -> str:
    """The nearest name beside a path that is not there; shipped stores where there is no folder."""
    if not path.parent.is_dir() or path.name == str(path):
        here = [each.name for each in Path().iterdir() if _holds_traces(each)]
        return nearest(path.name, [*here, *list_traces()])
    return nearest(path.name, [each.name for each in path.parent.iterdir() if _holds_traces(each)])


def _holds_traces(path: Path) -> bool:
    return path.name.endswith(SUFFIX) or (path / "manifest.json").is_file()


def pack(runs: list[Path], work: Path) -> list[Path]:
    """Compact runs, the seeds of each configuration into a store of its own, in `work`."""
    groups: dict[str, list[Path]] = {}
    for run in runs:
        config = _config(run)
        same = {key: value for key, value in config.items() if key not in SEED_KEYS}
        groups.setdefault(json.dumps(same, sort_keys=True), []).append(run)
    made: list[Path] = []
    for folders in groups.values():
        path = work / f"{_store_name(_config(folders[0]), len(made))}{SUFFIX}"
        view = "eval" if committed_epochs(folders[0], "eval") else "train"
        made.append(Path(compact(folders, path, view)))
    return made


def _config(run: Path) -> dict[str, Any]:
    return read_json(run / "manifest.json").get("config", {})


def _store_name(config: Mapping[str, Any], number: int) -> str:
    """DATASET-MODEL-PRESET, and a number from the second store on, as two may share these."""
    words = "-".join(str(config.get(key, "own")) for key in ("dataset", "model", "preset"))
    plain = re.sub(r"[^\w.+-]", "_", words)
    return f"{plain}-{number + 1}" if number else plain
