"""The commands `lethe data ...`: what is made from a data set and kept beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

data_app = typer.Typer(no_args_is_help=True, help="Make what Lethe ships with a data set.")

Root = Annotated[Path | None, typer.Option(help="Folder of the data set; default its usual place.")]


@data_app.command("build-glyphs")
def build_glyphs_command(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("data/glyphs"),
    fonts: Annotated[Path, typer.Option(help="Scratch folder for the font packages.")] = Path(
        "fonts"
    ),
) -> None:
    """Render the glyphs data set from Debian's font packages."""
    from lethe.datasets.build_glyphs import build_glyphs

    build_glyphs(out, fonts)


@data_app.command("label-noise")
def label_noise_command(
    dataset: Annotated[str, typer.Argument(help="Data set, such as glyphs.")],
    noise: Annotated[str, typer.Argument(help="Such as symmetric:0.05,pair:0.05.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("label_noise.csv"),
    root: Root = None,
) -> None:
    """List the labels that `capture --label-noise` changes: the ledger, as a CSV file."""
    from lethe.datasets import load
    from lethe.datasets.noise import ledger, plant_noise

    changed = ledger(plant_noise(load(dataset, "train", 32, root), noise))
    changed.to_csv(out, index=False)
    show(f"{len(changed)} labels changed: {out}")


@data_app.command("thumbnails")
def thumbnails_command(
    dataset: Annotated[str, typer.Argument(help="Data set with traces, such as cifar7.")],
    root: Root = None,
) -> None:
    """Keep the images that are forgotten most, and some that never are, for the pages to show."""
    from lethe.pages.thumbnails import keep_thumbnails

    show(str(keep_thumbnails(dataset, root)))
