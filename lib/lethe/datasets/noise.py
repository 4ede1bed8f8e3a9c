"""Labels that are wrong on purpose, with a ledger of what was changed.

Definition: the samples are put in the order of the blake2b hash of their ids; the first
round(share * n) of them get the first kind of noise, the next ones the second. `symmetric`: any
other class, all equally likely (drawn from the hash). `pair`: the next class, the last one's next
being the first, so that the mistakes of a class all go one way. No seed: the same images are
wrong for everybody, in every run. Cost: one hash a sample.
Source: the two kinds are those of Han et al. (2018), arXiv 1804.06872.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd

from lethe.datasets.images import Images
from lethe.errors import LetheError, nearest

KINDS = ("symmetric", "pair")


def read_noise(text: str) -> dict[str, float]:
    """Shares by kind from a text such as `symmetric:0.05,pair:0.05`; empty for an empty text.

    Raises LetheError for another form, an unknown kind, a kind given twice, a share that is not
    between 0 and 1, and shares of 1 or more together.
    """
    shares: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, share = part.partition(":")
        if kind not in KINDS:
            raise LetheError(f"unknown label noise {kind!r}: {nearest(kind, KINDS)}")
        if kind in shares:
            raise LetheError(f"label noise {kind} is given twice in {text!r}")
        shares[kind] = _share(kind, share)
    if sum(shares.values()) >= 1:
        raise LetheError(f"label noise {text!r} leaves no image with its own label")
    return shares


def _share(kind: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = np.nan
    if not 0 < share < 1:
        raise LetheError(
            f"label noise {kind} needs a share between 0 and 1, like {kind}:0.05, not {text!r}"
        )
    return share


def plant_noise(images: Images, text: str) -> Images:
    """The images with some labels changed as `text` says (see `read_noise`).

    Two columns are the ledger: `clean_label` (index into classes) and `label_noise` (`symmetric`,
    `pair`, or empty where the label was left alone). Raises LetheError as `read_noise` does, and if
    a class would be left without an image.
    """
    shares = read_noise(text)
    if not shares:
        return images
    digests = [_digest(name) for name in images.sample_ids]
    order, n, k = np.argsort(digests, kind="stable"), len(images), len(images.classes)
    kinds, labels = np.full(n, "", dtype=object), images.labels.copy()
    start = 0
    for kind, share in shares.items():
        rows = order[start : start + round(share * n)]
        start += len(rows)
        steps = 1 if kind == "pair" else [1 + int(digests[i][16:], 16) % (k - 1) for i in rows]
        kinds[rows], labels[rows] = kind, (images.labels[rows] + steps) % k
    columns = images.columns.assign(clean_label=images.labels, label_noise=kinds)
    return replace(images, labels=labels, columns=columns)


def _digest(name: str) -> str:
    return hashlib.blake2b(f"label noise/{name}".encode(), digest_size=16).hexdigest()


def ledger(images: Images) -> pd.DataFrame:
    """What was changed: sample_id, clean class, given class and kind of noise, a row a change."""
    if "label_noise" not in images.columns:
        return pd.DataFrame(columns=["sample_id", "clean", "given", "label_noise"])
    names = np.array(images.classes)
    clean, kinds = images.columns["clean_label"], images.columns["label_noise"]
    rows = {"sample_id": images.sample_ids, "clean": names[clean], "given": names[images.labels]}
    return pd.DataFrame({**rows, "label_noise": kinds})[(kinds != "").to_numpy()]
