"""The data set behind a trace store: in words, in numbers and in its pictures or texts.

Cost: milliseconds; pictures as much as the data set's loader takes.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

import numpy as np
import pandas as pd
import xarray as xr
from IPython.display import HTML

from lethe.analysis.scores import forgetting_events
from lethe.datasets import load
from lethe.datasets.images import Images
from lethe.errors import LetheError
from lethe.pages.gallery import image_grid
from lethe.pages.life_strips import life_strip
from lethe.pages.sample_words import noun, one_line, texts
from lethe.pages.text_gallery import text_list
from lethe.pages.thumbnails import read_thumbnails
from lethe.traces import class_names, correct

KNOWN = {
    "glyphs": "letters and digits in free typefaces",
    "cifar7": "photographs from CIFAR-10, cut to OCTDL's class counts",
    "cifar10": "photographs",
    "octdl": "retinal scans",
    "cub200": "photographs of birds",
    "debian_sections": "one-line descriptions of Debian's packages",
}
CLUSTERS = {"family": "typeface", "patient_id": "patient"}  # images of one are alike
SIDE = 64  # pixels of the largest picture on a page
LONGEST_NAME = 80  # characters of a sample id on a page


def about(ds: xr.Dataset) -> str:
    """What a data set is, in words: `glyphs (62 classes, 6,200 images: letters and digits)`."""
    name, known = ds.attrs["dataset"], KNOWN.get(ds.attrs["dataset"])
    sizes = f"{len(np.unique(ds['label']))} classes, {ds.sizes['sample']:,} {noun(ds)}s"
    if "label_noise" in ds.coords:
        sizes += f", {(ds['label_noise'] != '').sum():,} of them under a wrong label on purpose"
    return f"{name} ({sizes}{f': {known}' if known else ''})"


def overview(*pairs: Sequence[xr.Dataset]) -> pd.DataFrame:
    """One row per store: sizes, test accuracy at the end, shares never learned and never lost."""
    stores = [ds for pair in pairs for ds in pair]
    index = [f"{ds.attrs['dataset']}, {ds.attrs['model']}{_noisy(ds)}" for ds in stores]
    nouns = {noun(ds) for ds in stores}
    counted = f"{nouns.pop()}s" if len(nouns) == 1 else "samples"
    return pd.DataFrame([_facts(ds, counted) for ds in stores], index=index)


def _noisy(ds: xr.Dataset) -> str:
    return ", wrong labels planted" if "label_noise" in ds.coords else ""


def _facts(ds: xr.Dataset, counted: str) -> dict[str, str]:
    sizes = np.bincount(ds["label"].values)
    events = forgetting_events(correct(ds).transpose("seed", "epoch", "sample").values)
    return {
        counted: f"{ds.sizes['sample']:,}",
        "classes": f"{len(sizes)}",
        "largest : smallest class": f"{sizes.max()} : {sizes.min()}",
        "seeds": f"{ds.sizes['seed']}",
        "test accuracy": _accuracy(float(ds["test_accuracy"][:, -1].mean())),
        "never learned": f"{np.isnan(events).mean():.1%}",
        "never forgotten": f"{(events == 0).mean():.1%}",
    }


def _accuracy(share: float) -> str:
    return "not known" if np.isnan(share) else f"{share:.3f}"


def by_class(ds: xr.Dataset) -> pd.DataFrame:
    """One row per class: its samples and the shares never learned and never forgotten."""
    labels = ds["label"].values
    sizes = np.bincount(labels)
    events = forgetting_events(correct(ds).transpose("seed", "epoch", "sample").values)
    kinds = {"never learned": np.isnan(events), "never forgotten": events == 0}
    shares = {k: np.bincount(labels, flag.mean(axis=0)) / sizes for k, flag in kinds.items()}
    index = pd.Index(class_names(ds)[: len(sizes)], name=f"class of {ds.attrs['dataset']}")
    table = pd.DataFrame({f"{noun(ds)}s": sizes}, index=index)
    return table.assign(**{kind: [f"{x:.1%}" for x in share] for kind, share in shares.items()})


def clusters(ds: xr.Dataset) -> tuple[str, np.ndarray] | None:
    """What makes samples alike beyond their class: its name and int [sample], or None."""
    for column, unit in CLUSTERS.items():
        if column in ds.coords:
            return unit, np.unique(ds[column].values, return_inverse=True)[1]
    return None


def known_hard(ds: xr.Dataset) -> dict[str, np.ndarray]:
    """Kinds of sample that are known beforehand to be hard, bool [sample], without empty kinds.

    `identical`: the very same picture or text has another label elsewhere, so no network can know
    both.
    """
    hashes = ds["image_hash"].values
    labels = pd.Series(ds["label"].values).groupby(hashes).transform("nunique").values
    kinds = {"identical": (labels > 1) & (hashes != "")}
    if "is_symbol_font" in ds.coords:
        kinds["symbol font"] = ds["is_symbol_font"].values.astype(bool)
    return {kind: flag for kind, flag in kinds.items() if flag.any()}


def names(ds: xr.Dataset, rows: Sequence[int] | np.ndarray) -> list[str]:
    """What to call the samples in these rows: `O in Courier`, or their ids.

    A wrong label is told: `0 (is O) in Courier`, and after an id `(trained as cat)`. Where no
    picture tells the class, the name does: `molly-guard (admin)`.
    """
    classes, labels, blind = class_names(ds), ds["label"].values, noun(ds) != "image"
    true = ds["clean_label"].values.astype(int) if "clean_label" in ds.coords else labels
    told = []
    for i in rows:
        given, wrong = classes[labels[i]], true[i] != labels[i]
        if "family" in ds.coords:
            mark = f" (is {classes[true[i]]})" if wrong else ""
            told.append(f"{given}{mark} in {ds['family'].values[i]}")
        else:
            kind = f" (trained as {given})" if wrong else f" ({given})" if blind else ""
            told.append(one_line(ds["sample"].values[i], LONGEST_NAME) + kind)
    return told


def portraits(
    ds: xr.Dataset, samples: Sequence[str] | np.ndarray | None = None
) -> np.ndarray | None:
    """Pictures of the samples (all, in the order of the traces) uint8 [n, h, w, channels].

    None where the data set is not on this computer or is another than the one that was traced.
    """
    wanted = ds["sample"].values if samples is None else np.asarray(samples)
    recipe = json.loads(ds.attrs["config"]).get("recipe")
    pixels = recipe.get("pixels", 32) if isinstance(recipe, dict) else 32
    images = _images(ds.attrs["dataset"], pixels)
    rows = np.array([-1]) if images is None else pd.Index(images.sample_ids).get_indexer(wanted)
    return None if images is None or (rows < 0).any() else images.pixels[rows]


@cache
def _images(name: str, pixels: int) -> Images | None:
    """The training images of a data set, if they are in their usual place."""
    try:
        return load(name, "train", pixels)
    except LetheError:
        return None


def pictures(ds: xr.Dataset, samples: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Pictures of the samples (all) by id: all of them, or the thumbnails kept of the data set.

    Empty for a record of texts, and where the thumbnails cannot be read: a page does without.
    """
    if noun(ds) == "text":
        return {}
    wanted = ds["sample"].values if samples is None else np.asarray(samples)
    found = portraits(ds, wanted)
    if found is not None:
        return dict(zip(wanted, found, strict=True))
    kept = _kept_thumbnails(ds.attrs["dataset"])
    return {name: kept[name] for name in wanted if name in kept}


def _kept_thumbnails(dataset: str) -> dict[str, np.ndarray]:
    try:
        return read_thumbnails(dataset)
    except (LetheError, OSError, ValueError, KeyError):
        return {}


def sheet(
    ds: xr.Dataset,
    rows: Sequence[int],
    captions: Sequence[str],
    title: str,
    lived: Mapping[str, xr.Dataset] | None = None,
) -> HTML:
    """The samples in these rows as pictures or texts, or as ids and labels where there are none.

    A data set that is not on this computer shows the thumbnails that were kept of it. `lived`:
    stores by network; a strip below each sample then shows the life in every seed of theirs.
    """
    if noun(ds) != "image":
        return _listed(ds, np.asarray(rows, int), captions, title, lived)
    ids = ds["sample"].values[np.asarray(rows, int)]
    kept = pictures(ds, ids)
    if not any(name in kept for name in ids):
        listed = "; ".join(f"{name} ({word})" for name, word in zip(ids, captions, strict=True))
        return HTML(f"<p><em>{escape(title)}</em> (pictures are not here): {escape(listed)}</p>")
    there = [i for i, name in enumerate(ids) if name in kept]
    title += "" if len(there) == len(ids) else f" ({len(there)} of {len(ids)} have a picture here)"
    kept_rows = np.asarray(rows, int)[there]
    alts, strips = names(ds, kept_rows), life_strips(lived, kept_rows) if lived else None
    tiles = [small(kept[ids[i]]) for i in there]
    shown = [captions[i] for i in there]
    return image_grid(tiles, shown, title=title, alts=alts, strips=strips)


def _listed(
    ds: xr.Dataset,
    rows: np.ndarray,
    captions: Sequence[str],
    title: str,
    lived: Mapping[str, xr.Dataset] | None,
) -> HTML:
    """The samples in these rows as a list of texts, each with its name and its caption."""
    told = [f"{name}: {word}" for name, word in zip(names(ds, rows), captions, strict=True)]
    strips = life_strips(lived, rows) if lived else None
    return text_list(texts(ds, rows), told, title=title, strips=strips)


def life_strips(stores: Mapping[str, xr.Dataset], rows: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """The strips of the samples in these rows: their lives in every seed of the stores."""
    lives = {
        name: correct(ds.isel(sample=rows)).transpose("sample", "seed", "epoch").values
        for name, ds in stores.items()
    }
    return [life_strip({name: life[k] for name, life in lives.items()}) for k in range(len(rows))]


def small(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A picture [h, w, channels] of at most `side` pixels a side, so that a page stays small."""
    step = -(-max(picture.shape[:2]) // side)
    return picture[::step, ::step]


def by_epoch(values: xr.DataArray, ds: xr.Dataset) -> pd.DataFrame:
    """Mean, lowest and highest of `values` [seed, epoch] over the seeds: one row an epoch, with the
    network's name.
    """
    seeds = values.transpose("seed", "epoch").values
    table = {"mean": seeds.mean(0), "low": seeds.min(0), "high": seeds.max(0)}
    return pd.DataFrame(table).assign(epoch=ds["epoch"].values, network=ds.attrs["model"])
