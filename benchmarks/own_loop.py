"""What recording costs in a loop of one's own, as the table of the page book/own_loop.md.

    .venv/bin/python benchmarks/own_loop.py

Processor time of one thread, medians: a training step of test_resnet (32 pixels, batch of 64, 62
classes) beside one `record` of its logits, then `end_epoch` and the file it writes by number of
samples. Takes about a minute.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F

from lethe.capture import TraceRecorder

CLASSES, BATCH = 62, 64


def median_ms(call: Callable[[], object], times: int) -> float:
    """Median processor time of a call in milliseconds, after a tenth of the calls as warm-up."""
    taken = []
    for _ in range(times + times // 10):
        begun = time.process_time_ns()
        call()
        taken.append(time.process_time_ns() - begun)
    return float(np.median(taken[times // 10 :])) / 1e6


def new_recorder(folder: Path, samples: int) -> TraceRecorder:
    """A recorder of so many samples in an empty folder."""
    return TraceRecorder(
        folder,
        sample_ids=[f"class-{i % CLASSES}/image-{i:07d}.png" for i in range(samples)],
        labels=np.arange(samples) % CLASSES,
        classes=[str(i) for i in range(CLASSES)],
        dataset="benchmark",
        model="test_resnet",
        seed=0,
    )


def step_ms() -> float:
    """One step of training: forward, backward, AdamW."""
    model = timm.create_model("test_resnet", num_classes=CLASSES, in_chans=3).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.arange(BATCH) % CLASSES

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return median_ms(step, 100)


def record_ms(folder: Path, named: bool, tensor: bool) -> float:
    """One batch recorded, by name or position, from torch or NumPy."""
    recorder = new_recorder(folder, 6200)
    logits, positions = torch.randn(BATCH, CLASSES, requires_grad=True), torch.arange(BATCH)
    ids = recorder.ids[:BATCH].tolist() if named else positions
    labels = positions % CLASSES
    given = (ids, logits, labels) if tensor else (ids, logits.detach().numpy(), labels.numpy())
    return median_ms(lambda: recorder.record(*given), 500)


def epoch_cost(folder: Path, samples: int) -> tuple[float, float, float]:
    """Seconds of `end_epoch`, megabytes of its file, megabytes of records held before."""
    recorder, rng = new_recorder(folder, samples), np.random.default_rng(0)
    for part in np.array_split(rng.permutation(samples), max(samples // 256, 1)):
        logits = torch.from_numpy(rng.normal(size=(len(part), CLASSES)).astype(np.float32))
        recorder.record(part, logits, part % CLASSES)
    held = sum(values.nbytes for batch in recorder._batches for values in batch.values())
    begun = time.process_time()
    recorder.end_epoch()
    (file,) = (folder / "epochs").glob("*.parquet")
    return time.process_time() - begun, file.stat().st_size / 1e6, held / 1e6


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        step = step_ms()
        print(f"| a batch of {BATCH} | processor time | share of a step |\n|---|---|---|")
        print(f"| training step of `test_resnet` at 32 pixels | {step:.1f} ms | |")
        for what, named, tensor in (
            ("`record`, torch, positions", False, True),
            ("`record`, torch, names", True, True),
            ("`record`, NumPy, positions", False, False),
        ):
            taken = record_ms(Path(name) / what, named, tensor)
            print(f"| {what} | {taken:.2f} ms | {taken / step:.1%} |")
        print("\n| samples | `end_epoch` | file of an epoch | held in memory until then |")
        print("|---|---|---|---|")
        for samples in (6_200, 50_000, 1_000_000):
            seconds, file, held = epoch_cost(Path(name) / str(samples), samples)
            print(f"| {samples:,} | {seconds:.2f} s | {file:.1f} MB | {held:.1f} MB |")


if __name__ == "__main__":
    main()
