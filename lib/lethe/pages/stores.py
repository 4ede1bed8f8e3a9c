"""The trace stores behind a page: two networks on one data set, matched sample by sample.

The parameters `dataset`, `models` and `preset` of a page name the stores DATASET-MODEL-PRESET of
the traces folder; the path of a store NAME.zarr.zip may stand in place of a model. A second data
set, `beside`, is read with the same models and preset. Cost: about 0.3 s a store.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from IPython.display import Markdown, display

from lethe.errors import LetheError, nearest
from lethe.pages import book
from lethe.traces import class_names, fingerprint, list_traces, open_traces
from lethe.traces.store import SUFFIX, find_store

FIELDS = ("dataset", "model", "preset")


def captured() -> pd.DataFrame:
    """The stores of the traces folder by dataset, model and preset, as their names tell."""
    parts = [name.rsplit("-", 2) for name in list_traces()]
    return pd.DataFrame([row for row in parts if len(row) == 3], columns=list(FIELDS))


def is_file(model: str) -> bool:
    """Whether an entry of `models` is the path of a store and not a model's name."""
    return model.endswith(SUFFIX) or len(Path(model).parts) > 1


def as_list(models: Sequence[str] | str) -> list[str]:
    """`models` as a list; plain papermill hands over `a,b` as one text."""
    words = models.split(",") if isinstance(models, str) else models
    return [str(word).strip() for word in words if str(word).strip()]


def find_pair(
    dataset: str, models: Sequence[str] | str, preset: str, asked: str = "dataset"
) -> list[str]:
    """Names or absolute paths of the two stores; `asked` is the parameter that gave the data set.

    Raises LetheError with the nearest captured name for a data set, preset or model without a
    store, for a file that is not there, and unless `models` are two different ones.
    """
    models = as_list(models)
    if len(models) != 2:
        given = f"{len(models)} ({', '.join(models)})" if models else "none"
        raise LetheError(f"models are two networks, not {given}; e.g. models=test_resnet,test_vit")
    names = [_find(dataset, model, preset, asked) for model in models]
    if names[0] == names[1]:
        raise LetheError(f"models names {models[0]!r} twice; give two different networks")
    return names


def _find(dataset: str, model: str, preset: str, asked: str) -> str:
    if is_file(model):
        try:
            found = find_store(model)
            return str(found.resolve()) if isinstance(found, Path) else found
        except LetheError as error:
            raise LetheError(f"models: {error}") from None
    stores = captured()
    stores = _narrowed(stores, "dataset", dataset, f"{asked} {dataset!r}", "no traces")
    on = f"{asked} {dataset!r}"
    stores = _narrowed(stores, "preset", preset, f"preset {preset!r}", f"no traces on {on}")
    on += f" with preset {preset!r}"
    _narrowed(stores, "model", model, f"models: {model!r}", f"no traces on {on}")
    return f"{dataset}-{model}-{preset}"


def _narrowed(stores: pd.DataFrame, field: str, value: str, what: str, lack: str) -> pd.DataFrame:
    """The stores whose `field` is `value`; LetheError with the nearest if there is none."""
    rows = stores[stores[field] == value]
    if rows.empty:
        raise LetheError(f"{what} has {lack}; {nearest(value, stores[field].unique())}")
    return rows


def find_beside(
    beside: str, dataset: str, models: Sequence[str] | str, preset: str
) -> list[str] | None:
    """The two stores of the second data set, or None where nothing is to stand beside.

    Nothing does if `beside` is empty or `dataset` itself, or if a model is given as a file. Raises
    LetheError as `find_pair` does.
    """
    if not beside or beside == dataset or any(map(is_file, as_list(models))):
        return None
    try:
        return find_pair(beside, models, preset, asked="beside")
    except LetheError as error:
        raise LetheError(f"{error}; an empty beside shows one data set only") from None


def open_pair(
    page: book.Page, dataset: str, models: Sequence[str] | str, preset: str
) -> list[xr.Dataset]:
    """Open the stores of both models, the second in the order of the first.

    The page notes them for its footer, and says so where they are no traces of images. Raises
    LetheError as `find_pair` does, and when the two are not traces of the same samples, labels and
    classes.
    """
    pair = _open(page, find_pair(dataset, models, preset))
    unit = book.unit(page)
    if unit != "image":
        display(
            Markdown(f"**These are traces of {unit}s: where this page says image, read {unit}.**")
        )
    return pair


def open_beside(
    page: book.Page, beside: str, dataset: str, models: Sequence[str] | str, preset: str
) -> list[xr.Dataset]:
    """As `open_pair` for the second data set; an empty list where nothing stands beside."""
    names = find_beside(beside, dataset, models, preset)
    return _open(page, names) if names else []


def _open(page: book.Page, names: list[str]) -> list[xr.Dataset]:
    first = open_traces(names[0])
    try:
        second = open_traces(names[1], samples=first["sample"].values)
        check_alike(first, second)
    except LetheError as error:
        raise LetheError(f"{names[1]} cannot stand next to {names[0]}: {error}") from None
    return [book.use(page, ds) for ds in (first, second)]


def check_alike(first: xr.Dataset, second: xr.Dataset) -> None:
    """LetheError unless two stores of the same samples, in one order, can be compared."""
    if (fingerprint(first) or "first") == (fingerprint(second) or "second"):
        raise LetheError("they are the same traces")
    if class_names(first) != class_names(second):
        raise LetheError("their classes differ")
    differ = np.flatnonzero(first["label"].values != second["label"].values)
    if len(differ):
        example = str(first["sample"].values[differ[0]])
        raise LetheError(f"{len(differ)} samples have another label there, e.g. {example!r}")


def model_names(pair: Sequence[xr.Dataset]) -> list[str]:
    """The models of two stores; the second is marked where both are of one model."""
    first, second = (ds.attrs["model"] for ds in pair)
    return [first, f"{second} (second store)" if second == first else second]
