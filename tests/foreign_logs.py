"""The same little training written down as each other system would, to test imports against.

The layouts follow what the systems' own code writes: Dataset Cartography, Toneva et al., aum.
"""

import csv
import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.special import log_softmax

from lethe.traces import from_arrays


@dataclass
class Training:
    """Logits [seed, epoch, sample, class] of a training pass and labels [sample]."""

    logits: np.ndarray
    label: np.ndarray
    ids: list[int] = field(default_factory=list)

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The shuffled order in which an epoch showed the samples."""
        return np.random.default_rng([seed, epoch]).permutation(len(self.label))

    def loss(self) -> np.ndarray:
        """[seed, epoch, sample]"""
        log_p = log_softmax(self.logits, axis=-1)
        return -np.take_along_axis(log_p, self._column(), -1)[..., 0]

    def margin(self) -> np.ndarray:
        """[seed, epoch, sample]"""
        target = np.take_along_axis(self.logits, self._column(), -1)[..., 0]
        others = np.where(self._one_hot(), -np.inf, self.logits)
        return target - others.max(-1)

    def right(self) -> np.ndarray:
        """[seed, epoch, sample]"""
        return self.logits.argmax(-1) == self.label

    def traces(self, view: str = "train") -> xr.Dataset:
        """What every import should come to, as far as its format can say."""
        probability = np.exp(log_softmax(self.logits, axis=-1))
        return from_arrays(
            self.logits.argmax(-1),
            self.label,
            loss=self.loss().astype(np.float32),
            margin=self.margin().astype(np.float32),
            error_l2=np.linalg.norm(probability - self._one_hot(), axis=-1).astype(np.float32),
            sample=[str(name) for name in self.ids],
            epochs=np.arange(self.logits.shape[1]) + (view == "train"),
            view=view,
        )

    def _column(self) -> np.ndarray:
        return np.broadcast_to(self.label[:, None], (*self.logits.shape[:3], 1))

    def _one_hot(self) -> np.ndarray:
        return np.arange(self.logits.shape[-1]) == self.label[:, None]


def train(seeds: int = 2, epochs: int = 4, samples: int = 40, classes: int = 3) -> Training:
    """Random logits that grow towards the label; float32, as networks give them."""
    rng = np.random.default_rng(seeds + 10 * samples)
    label = np.arange(samples) % classes
    towards = np.eye(classes)[label] * np.linspace(0, 2, epochs)[:, None, None]
    logits = rng.normal(size=(seeds, epochs, samples, classes)) + towards
    ids = (100 + 7 * np.arange(samples)).tolist()
    return Training(logits.astype(np.float32).astype(float), label, ids)


def as_cartography(run: Training, folder: Path) -> list[Path]:
    """folder/runN/training_dynamics/dynamics_epoch_E.jsonl"""
    for seed, epochs in enumerate(run.logits):
        made = folder / f"run{seed}" / "training_dynamics"
        made.mkdir(parents=True)
        for epoch, logits in enumerate(epochs):
            records = (
                {
                    "guid": run.ids[i],
                    f"logits_epoch_{epoch}": logits[i].tolist(),
                    "gold": int(run.label[i]),
                }
                for i in run.order(seed, epoch)
            )
            text = "".join(json.dumps(record) + "\n" for record in records)
            (made / f"dynamics_epoch_{epoch}.jsonl").write_text(text)
    return [folder / f"run{seed}" for seed in range(len(run.logits))]


def toneva_stats(run: Training, seed: int) -> dict:
    """The dict of one run; keys and test accuracies as NumPy and Python leave them."""
    stats: dict = {}
    loss, margin, right = run.loss()[seed], run.margin()[seed], run.right()[seed]
    indices = np.array(run.ids)
    for epoch in range(len(loss)):
        for i in run.order(seed, epoch):
            lists = stats.get(indices[i], [[], [], []])
            lists[0].append(float(loss[epoch, i]))
            lists[1].append(int(right[epoch, i]))
            lists[2].append(float(margin[epoch, i]))
            stats[indices[i]] = lists
        for name in ("train", "test"):
            kept = stats.get(name, [[], []])
            kept[1].append(50.0 + epoch)
            stats[name] = kept
    return stats


def as_toneva(run: Training, folder: Path, protocol: int = 2) -> list[Path]:
    """folder/dataset_x__seed_N__remove_n_0__stats_dict.pkl"""
    paths = []
    for seed in range(len(run.logits)):
        path = folder / f"dataset_x__seed_{seed}__remove_n_0__stats_dict.pkl"
        path.write_bytes(pickle.dumps(toneva_stats(run, seed), protocol))
        paths.append(path)
    return paths


AUM = ["sample_id", "num_measurements", "target_logit", "target_val", "other_logit", "other_val"]


def as_aum(run: Training, folder: Path, swapped: bool = False) -> list[Path]:
    """folder/N/full_aum_records.csv, sorted by sample; `swapped` as one version of aum does."""
    paths = []
    others = np.where(run._one_hot(), -np.inf, run.logits)
    for seed, logits in enumerate(run.logits):
        path = folder / f"{seed}" / "full_aum_records.csv"
        path.parent.mkdir(parents=True)
        with open(path, "w", newline="") as file:
            table = csv.writer(file)
            table.writerow([*AUM, "margin", "aum"])
            for i, name in enumerate(run.ids):
                margins = run.margin()[seed, :, i]
                for epoch in range(len(logits)):
                    other = others[seed, epoch, i]
                    pair = (int(run.label[i]), float(logits[epoch, i, run.label[i]]))
                    rival = (int(other.argmax()), float(other.max()))
                    values = (*pair[::-1], *rival[::-1]) if swapped else (*pair, *rival)
                    tail = (margins[epoch], margins[: epoch + 1].mean())
                    table.writerow([name, epoch + 1, *values, *map(float, tail)])
        paths.append(path)
    return paths


def as_csv(run: Training, path: Path, **renamed: str) -> Path:
    """A long table of all seeds, rows shuffled."""
    names = ["sample_id", "epoch", "label", "prediction", "loss", "seed"]
    rows = [
        [run.ids[i], epoch + 1, run.label[i], run.logits[seed, epoch, i].argmax(), loss, seed]
        for (seed, epoch, i), loss in np.ndenumerate(run.loss())
    ]
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow([renamed.get(name, name) for name in names])
        table.writerows(rows[i] for i in np.random.default_rng(0).permutation(len(rows)))
    return path
