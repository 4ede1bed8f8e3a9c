"""Traces from anybody's training loop, in three calls: `record` every batch, `end_epoch`, `close`.

An epoch keeps each sample's first record: the only one that the network gives before this epoch's
own update on that sample. Later ones (oversampling, replays, padding) are counted as `repeats`.
Samples without a record stay missing (-1, NaN) and are counted as `missing`. It draws no random
numbers and leaves graph, network and devices alone; values stay on their device until `end_epoch`.
Cost: about 0.1 ms a batch of 64, 30 bytes a record, one file of 13 bytes a sample an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from lethe.capture.any_array import is_tensor, logit_rows, measure_rows, to_host, whole_numbers
from lethe.capture.own_run import open_own_run, run_config, sample_table
from lethe.errors import LetheError, nearest
from lethe.traces import check_view
from lethe.traces.checks import ARRAYS, MISSING

COUNTS = ("repeats", "missing")
SEARCHED = 50_000  # ids among which the nearest is looked for: half a second


class TraceRecorder:
    """One run of a training loop; `epoch` is the number of the epoch that is being recorded."""

    def __init__(
        self,
        folder: Path | str,
        *,
        sample_ids: Sequence[str],
        labels: Any,
        classes: Sequence[str],
        dataset: str,
        model: str,
        seed: int,
        view: str = "train",
        config: Mapping[str, Any] | None = None,
        start: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Begin the run in `folder`, or go on after its last committed epoch.

        `sample_ids` [n] are stable names, `labels` int[n] class indices, `config` whatever else
        defines the run. `start` is the epoch your checkpoint goes on with: epochs from there on are
        forgotten and recorded again. With `world_size` > 1 each process writes folder/rank-K, for
        `merge_ranks`. View `train` counts epochs from 1, `eval` from 0, the pass before training.
        Raises LetheError if the folder holds other samples, another configuration, a finished run
        or a writer.
        """
        check_view(view)
        names = {"dataset": dataset, "model": model, "seed": int(seed), "view": view}
        settings = run_config(names, config or {}, rank, world_size)
        folder = Path(folder) / f"rank-{rank}" if world_size > 1 else Path(folder)
        self.view, self.classes = view, list(classes)
        samples = sample_table(sample_ids, labels)
        self.log, self.epoch = open_own_run(folder, samples, self.classes, settings, start)
        self.labels = self.log.samples["label"].to_numpy()
        self.ids = self.log.samples["sample_id"].to_numpy()
        self._positions = {name: position for position, name in enumerate(self.ids)}
        self._batches: list[dict[str, Any]] = []
        self.closed = False

    def __enter__(self) -> TraceRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close(finished=kind is None)
        finally:
            self.log.close()

    def record(self, ids: Any, logits: Any, labels: Any) -> None:
        """Keep a batch: its sample ids (or positions in `sample_ids`), logits [n, classes], labels.

        Raises LetheError for unknown ids, wrong shapes and labels that the table does not know, and
        then keeps nothing of the batch. What lies on a device is checked at `end_epoch`.
        """
        positions = self._find(ids)
        given = whole_numbers(labels, "labels", f"class indices 0 to {len(self.classes) - 1}")
        rows = logit_rows(logits, len(positions), len(self.classes))
        if len(given) != len(positions):
            raise LetheError(f"{len(given)} labels were given for {len(positions)} ids")
        if not is_tensor(positions):
            self._check_positions(positions)
            if not is_tensor(given):
                self._check_labels(positions, given)
        if len(positions):
            batch = {"position": positions, "label": given}
            self._batches.append(batch | measure_rows(rows, given))

    def end_epoch(self, metrics: Mapping[str, float] | None = None) -> dict[str, int]:
        """Commit the epoch, with `metrics` such as test_accuracy; returns what was counted.

        Raises LetheError if nothing was recorded, if values are NaN, and if the disk refuses. The
        epoch is then not committed; those before it are.
        """
        samples, records, repeats = self._first_records()
        arrays = self._arrays(samples, records)
        counts = {"repeats": repeats, "missing": len(self.ids) - len(samples)}
        written = check_metrics(metrics or {}) | counts
        self.log.write_epoch(self.epoch, arrays, written, {}, self.view)
        done, self.epoch, self._batches = self.epoch, self.epoch + 1, []
        return {"epoch": done, "recorded": len(samples), **counts}

    def close(self, finished: bool = True) -> None:
        """Mark the run as finished and give its folder back; closing twice is allowed.

        `finished=False` gives the folder back only, for an interrupted run: what was recorded since
        the last `end_epoch` is dropped. Raises LetheError if that is not meant.
        """
        if self.closed:
            return
        if finished and self._batches:
            raise LetheError(
                f"epoch {self.epoch} is recorded but not committed: call end_epoch() before "
                "close(), or close(finished=False) to drop it"
            )
        if finished:
            self.log.finish({"view": self.view})
        self.log.close()
        self.closed = True

    def _find(self, ids: Any) -> Any:
        """Positions int64 [n] of ids, on the device if they came as a tensor there."""
        if isinstance(ids, str):
            ids = [ids]
        if isinstance(ids, np.ndarray) and ids.dtype.kind in "UO":
            ids = ids.reshape(-1).tolist()
        if isinstance(ids, (list, tuple)) and ids and isinstance(ids[0], str):
            unknown = [name for name in ids if name not in self._positions]
            if unknown:
                hint = nearest(str(unknown[0]), self.ids[:SEARCHED])
                raise LetheError(
                    f"sample {unknown[0]!r} is not among the {len(self.ids)} of this run; {hint}"
                )
            return np.array([self._positions[name] for name in ids], np.int64)
        return whole_numbers(ids, "ids", "sample ids (strings) or whole positions in sample_ids")

    def _check_positions(self, positions: np.ndarray) -> None:
        outside = (positions < 0) | (positions >= len(self.ids))
        if outside.any():
            raise LetheError(
                f"position {positions[outside][0]} is outside the {len(self.ids)} samples of "
                "this run; positions count from 0"
            )

    def _check_labels(self, positions: np.ndarray, given: np.ndarray) -> None:
        """Raise LetheError naming the first sample whose label is not the table's."""
        differ = np.flatnonzero(self.labels[positions] != given)
        if len(differ):
            row = differ[0]
            raise LetheError(
                f"sample {self.ids[positions[row]]!r} came with label {given[row]}, its label is "
                f"{self.labels[positions[row]]} ({len(differ)} of {len(given)} differ): ids and "
                "labels must be of the same samples"
            )

    def _first_records(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Positions int64 [m] recorded in this epoch, the first record [m] of each, later ones."""
        if not self._batches:
            raise LetheError(
                f"nothing was recorded in epoch {self.epoch}: call record(ids, logits, labels) "
                "for every batch"
            )
        positions = to_host([batch["position"] for batch in self._batches], "ids")
        given = to_host([batch["label"] for batch in self._batches], "labels")
        self._check_positions(positions)
        self._check_labels(positions, given)
        samples, records = np.unique(positions, return_index=True)
        return samples, records, len(positions) - len(samples)

    def _arrays(self, samples: np.ndarray, records: np.ndarray) -> dict[str, np.ndarray]:
        """The epoch's arrays [sample] by name, missing where no record came."""
        arrays = {}
        for name in ARRAYS:
            values = to_host([batch[name] for batch in self._batches], name)[records]
            odd = self.ids[samples[~np.isfinite(values)]]
            if len(odd):
                raise LetheError(
                    f"epoch {self.epoch}: {name} of {len(odd)} samples is NaN or infinite, e.g. "
                    f"{odd[0]!r}: training diverged; the epochs before are committed"
                )
            missing = MISSING if name == "prediction" else np.nan
            arrays[name] = np.full(len(self.ids), missing, values.dtype)
            arrays[name][samples] = values
        return arrays


def check_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as numbers; LetheError naming one that is none, or that the recorder writes."""
    for name in metrics:
        if name in (*COUNTS, *ARRAYS, "label", "seed", "epoch", "sample", "image_hash"):
            raise LetheError(f"a metric may not be called {name!r}; rename it")
    try:
        return {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError) as error:
        raise LetheError(f"metrics must be single numbers ({error})") from None
