"""The commands `lethe traces ...`: look at, check and pack captured traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

traces_app = typer.Typer(no_args_is_help=True, help="Look at, check and pack captured traces.")


@traces_app.command("list")
def list_command() -> None:
    """Name the shipped trace stores."""
    from lethe.traces import list_traces

    for name in list_traces():
        show(name)


@traces_app.command("show")
def show_command(store: Annotated[str, typer.Argument(help="Name or path of a store.")]) -> None:
    """Print what a store holds."""
    from lethe.traces import describe, open_traces

    for key, value in describe(open_traces(store)).items():
        show(f"{key}: {value}")


@traces_app.command("verify")
def verify_command(
    paths: Annotated[list[Path], typer.Argument(help="Stores NAME.zarr.zip, or run folders.")],
) -> None:
    """Check stores against their hashes, and runs against all that can be computed again."""
    from lethe.capture.verify import verify_run, verify_traces

    problems = 0
    for path in paths:
        report = verify_run(path) if path.is_dir() else verify_traces(path)
        show("\n".join(report.lines()))
        problems += len(report.problems)
    raise typer.Exit(1 if problems else 0)


@traces_app.command("compact")
def compact_command(
    runs: Annotated[list[Path], typer.Argument(help="Finished run folders, one a seed.")],
    out: Annotated[Path, typer.Option(help="The store to write, NAME.zarr.zip.")],
    view: Annotated[str, typer.Option(help="eval or train.")] = "eval",
) -> None:
    """Pack the runs of several seeds into one store."""
    from lethe.traces import compact

    show(str(compact(sorted(runs), out, view)))


@traces_app.command("import")
def import_command(
    paths: Annotated[list[Path], typer.Argument(help="Logs of another system, or their folders.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set.")],
    model: Annotated[str, typer.Option(help="Name of the network, without a hyphen.")],
    format: Annotated[str, typer.Option(help="cartography.")] = "cartography",
    out: Annotated[
        Path | None, typer.Option(help="The store to write; default DATASET-MODEL-imported.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="eval or train.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed of each run, in the order of the logs; repeated.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Class names in order, a,b,c.")] = None,
    samples: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: sample_id, label, columns to keep.")
    ] = None,
    first_epoch: Annotated[
        int | None, typer.Option(help="Number of the first epoch in the files.")
    ] = None,
) -> None:
    """Make a store of the logs of another system."""
    from lethe.traces import exchange

    ds = exchange.import_traces(
        paths,
        format=format,
        dataset=dataset,
        model=model,
        view=view,
        seeds=seed,
        classes=classes.split(",") if classes else None,
        samples=samples,
        first_epoch=first_epoch,
    )
    show(str(exchange.write_store(ds, out or Path(f"{dataset}-{model}-imported.zarr.zip"))))
