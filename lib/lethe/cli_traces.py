"""The commands `lethe traces ...`: look at, check and pack captured traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from lethe.errors import LetheError

traces_app = typer.Typer(no_args_is_help=True, help="Look at, check and pack captured traces.")


@traces_app.command("list")
def list_command(
    root: Annotated[str, typer.Argument(help="A folder or URL; none: the shipped stores.")] = "",
) -> None:
    """Name the trace stores of a folder or URL."""
    from lethe.traces import list_traces

    for name in list_traces(root or None):
        show(name)


@traces_app.command("show")
def show_command(
    store: Annotated[str, typer.Argument(help="Name, path or URL of a store.")],
) -> None:
    """Print what a store holds."""
    from lethe.traces import describe, open_traces

    for key, value in describe(open_traces(store)).items():
        show(f"{key}: {value}")


@traces_app.command("verify")
def verify_command(
    paths: Annotated[list[str], typer.Argument(help="Stores, as for show, or run folders.")],
) -> None:
    """Check stores against their hashes, and runs against all that can be computed again."""
    from lethe.capture.verify import verify_run, verify_traces

    problems = 0
    for path in paths:
        report = verify_run(path) if Path(path).is_dir() else verify_traces(path)
        show("\n".join(report.lines()))
        problems += len(report.problems)
    raise typer.Exit(1 if problems else 0)


@traces_app.command("compact")
def compact_command(
    runs: Annotated[list[Path], typer.Argument(help="Finished run folders, one a seed.")],
    out: Annotated[str, typer.Option(help="The store to write, a path or URL NAME.zarr.zip.")],
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
    format: Annotated[
        str | None,
        typer.Option(help="cartography, toneva, aum, csv, parquet, netcdf; default: by content."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Store to write; default DATASET-MODEL-imported.zarr.zip.")
    ] = None,
    view: Annotated[str | None, typer.Option(help="eval or train; needed for tables.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed of each log, in their order; may be repeated.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Class names in order: cat,dog.")] = None,
    samples: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: sample_id, label, columns to keep.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="What a table calls ours: sample_id=idx; repeated.")
    ] = None,
    first_epoch: Annotated[
        int | None, typer.Option(help="What the logs call the first epoch, where it is in doubt.")
    ] = None,
) -> None:
    """Make a store of the logs of another system."""
    from lethe.traces import exchange

    store = out or Path(f"{dataset}-{model}-imported.zarr.zip")
    exchange.check_new_store(store)
    ds = exchange.import_traces(
        paths,
        format=format,
        dataset=dataset,
        model=model,
        view=view,
        seeds=seed,
        classes=[name.strip() for name in classes.split(",")] if classes else None,
        samples=samples,
        columns=_pairs(column or []),
        first_epoch=first_epoch,
    )
    for line in exchange.told(ds):
        show(line)
    show(str(exchange.write_store(ds, store)))


@traces_app.command("export")
def export_command(
    store: Annotated[str, typer.Argument(help="Name or path of a store.")],
    format: Annotated[str, typer.Option(help="cartography, toneva, aum, csv, parquet or netcdf.")],
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
) -> None:
    """Write a store in the format of another system."""
    from lethe.traces.exchange import export_traces

    show(str(export_traces(store, format, out)))


def _pairs(words: list[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise LetheError(
                f"a column is written ours=theirs, such as sample_id=idx, not {word!r}"
            )
    return dict(word.split("=", 1) for word in words)
