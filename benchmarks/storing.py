"""What a store costs: packing it, opening it, reading one image, a block, everything.

    python benchmarks/storing.py STORE [--logs FOLDER]

Each step has a process of its own and is told in seconds of the processor, seconds of the clock,
the most memory that the process held, and the bytes that it read of the store. With `--logs`, a
folder of finished runs (`imagenet_logs.py`), the runs are compacted into STORE first. A store that
was just written lies in the memory of the machine, so the clock shows no slow disk.
Cost: for 1.28 million images, 90 epochs and 10 seeds half an hour on two cores, with packing.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from lethe import traces
from lethe.traces.members import Members


def opening(store: Path) -> None:
    traces.open_traces(store).close()


def one_image(store: Path) -> None:
    """Everything about one image: all seeds, epochs and variables."""
    ds = traces.open_traces(store)
    ds.isel(sample=ds.sizes["sample"] // 2).load()


def one_block(store: Path) -> None:
    """The predictions of as many images as fit in 256 MB."""
    next(traces.sample_blocks(traces.open_traces(store)))


def right_or_wrong(store: Path) -> None:
    """`correct` of every cell."""
    traces.correct(traces.open_traces(store))


def every_loss(store: Path) -> None:
    """The mean loss by image, block by block."""
    for block in traces.sample_blocks(traces.open_traces(store), ["loss"]):
        block["loss"].mean(("seed", "epoch")).load()


def every_byte(store: Path) -> None:
    """`verify_store`."""
    traces.verify_store(store)


READING = (opening, one_image, one_block, right_or_wrong, every_loss, every_byte)


def measured(step: Callable[..., object], *given: object) -> dict[str, object]:
    """Run one step; to be called in a fresh process, whose peak memory is then the step's."""
    counted: list[int] = []
    honest = Members.read

    def read(self: Members, name: str) -> bytes:
        data = honest(self, name)
        counted.append(len(data))
        return data

    Members.read = read  # type: ignore[method-assign]
    began, processor = time.perf_counter(), time.process_time()
    step(*given)
    told = {"step": step.__name__.replace("_", " "), "processor s": time.process_time() - processor}
    told |= {"clock s": time.perf_counter() - began, "read MB": sum(counted) / 1e6}
    return told | {"memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_process(step: Callable[..., object], *given: object) -> dict[str, object]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, step, *given).result()


def markdown(rows: list[dict[str, object]]) -> str:
    table = pd.DataFrame(rows)
    lines = ["| " + " | ".join(table) + " |", "|---|" + "---:|" * (table.shape[1] - 1)]
    for row in table.to_dict("records"):
        cells = [f"{x:,.4g}" if isinstance(x, float) else str(x) for x in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--logs", type=Path)
    chosen = parser.parse_args()
    rows = []
    if chosen.logs:
        runs = sorted(path.parent for path in chosen.logs.glob("*/done.json"))
        rows.append(in_process(traces.compact, runs, chosen.store))
    rows += [in_process(step, chosen.store) for step in READING]
    size = chosen.store.stat().st_size
    ds = traces.open_traces(chosen.store)
    print(f"{chosen.store.name}: {dict(ds.sizes)}, {size / 1e9:.2f} GB, ", end="")
    print(f"{size / ds['prediction'].size:.2f} bytes a cell\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
