"""The command `lethe`: one command a verb, errors of one line, exit code 1 when the user can act
on it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from lethe.cli_data import data_app
from lethe.cli_traces import traces_app
from lethe.errors import LetheError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Which training images does a network learn, and then lose again?",
)
app.add_typer(traces_app, name="traces")
app.add_typer(data_app, name="data")

Out = Annotated[Path, typer.Option(help="Folder for the run folders.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the data set; default its usual place.")]


def parse_seeds(text: str) -> list[int]:
    """`0-9`, `3` or `0,2,5-7` as a list of seeds."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            seeds.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        raise LetheError(f"seeds are written like 0-9 or 0,2,5-7, not {text!r}") from None
    if not seeds:
        raise LetheError(f"no seed in {text!r}: write it like 0-9")
    return seeds


def parse_pairs(pairs: list[str]) -> dict[str, str]:
    """`key=value` arguments as a dict."""
    for pair in pairs:
        if "=" not in pair:
            raise LetheError(f"settings are written key=value, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def typed_settings(pairs: list[str]) -> dict[str, int | float | bool]:
    """`key=value` recipe settings, read as the type that the recipe has."""
    from lethe.capture.recipes import QUICK, find_recipe

    settings: dict[str, int | float | bool] = {}
    for name, text in parse_pairs(pairs).items():
        kind = type(QUICK.as_dict().get(name, 0))
        try:
            settings[name] = text.lower() in ("1", "true", "yes") if kind is bool else kind(text)
        except ValueError:
            raise LetheError(
                f"setting {name} must be of type {kind.__name__}, not {text!r}"
            ) from None
    find_recipe("quick", "test_resnet", **settings)
    return settings


@app.command()
def capture(
    dataset: Annotated[str, typer.Argument(help="Data set, such as glyphs; any name with --root.")],
    model: Annotated[
        list[str] | None, typer.Option(help="timm name; may be repeated; default test_resnet.")
    ] = None,
    preset: Annotated[str, typer.Option(help="quick, book or paper.")] = "quick",
    seeds: Annotated[str, typer.Option(help="Such as 0-9 or 0,2,5.")] = "0",
    out: Out = Path("runs"),
    root: Root = None,
    weights: Annotated[
        str, typer.Option(help="lethe, timm, none or a safetensors file.")
    ] = "lethe",
    limit: Annotated[int, typer.Option(help="Training samples, drawn per seed; 0 = all.")] = 0,
    views: Annotated[str, typer.Option(help="eval, train or eval,train.")] = "eval",
    label_noise: Annotated[
        str, typer.Option(help="Wrong labels on purpose: symmetric:0.05,pair:0.05.")
    ] = "",
    sampler: Annotated[
        str, typer.Option(help="random, spaced, shuffled, hardest or classes.")
    ] = "random",
    constants: Annotated[
        Path | None, typer.Option(help="CSV of sample_id,decay_constant for the sampler.")
    ] = None,
    hold: Annotated[
        list[str] | None, typer.Option(help="Hold one stream: order=0; may be repeated.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("-s", help="Recipe setting: epochs=10.")
    ] = None,
    pack: Annotated[
        bool, typer.Option("--pack", help="Pack the seeds into stores that the pages can read.")
    ] = False,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(help="Runs at a time; 0 = one a core (CPU), one (GPU).")] = 0,
) -> None:
    """Fine-tune and record every training sample at every epoch; resumes what is unfinished."""
    from lethe.capture import capture_many, pack_runs, plan_run

    choices = {
        "preset": preset,
        "weights": weights,
        "limit": limit,
        "views": [view.strip() for view in views.split(",")],
        "root": str(root.resolve()) if root else "",
        "label_noise": label_noise,
        "sampler": sampler,
        "constants": str(constants.resolve()) if constants else "",
        "held": {name: parse_seeds(text)[0] for name, text in parse_pairs(hold or []).items()},
        **typed_settings(setting or []),
    }
    runs = [
        plan_run(dataset, name, seed=seed, **choices)
        for name in model or ["test_resnet"]
        for seed in parse_seeds(seeds)
    ]
    for folder in capture_many(runs, out, device, jobs):
        show(str(folder))
    for store in pack_runs(runs, out) if pack else ():
        show(f"packed: {store}")
    if pack and root:
        from lethe.pages.thumbnails import keep_thumbnails

        show(f"pictures for the pages: {keep_thumbnails(dataset, root)}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Data set, such as octdl or cub200.")],
    root: Root = None,
) -> None:
    """Download a data set, check it and unpack it; goes on where it was interrupted."""
    from lethe.datasets.fetch import fetch as download

    show(str(download(name, root)))


@app.command()
def pretrain(
    model: Annotated[str, typer.Argument(help="timm name of the model.")],
    dataset: Annotated[str, typer.Option(help="glyphs or tiny-imagenet-200.")] = "glyphs",
    root: Root = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default runs/weights.")] = None,
    preset: Annotated[str, typer.Option(help="Preset whose recipe is used.")] = "quick",
    epochs: Annotated[int, typer.Option(help="0 = the length the shipped weights had.")] = 0,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
) -> None:
    """Pretrain a backbone on other scripts' letters or on Tiny-ImageNet; resumes."""
    from lethe.capture.models import PRETRAINED
    from lethe.capture.pretraining import pretrain as train
    from lethe.capture.pretraining import pretraining_recipe

    pixels = pretraining_recipe(model, preset, epochs, dataset).pixels
    done = train(
        model,
        out or PRETRAINED / f"{model}-{pixels}px-{dataset}.safetensors",
        dataset=dataset,
        preset=preset,
        epochs=epochs,
        device=device,
        threads=threads,
        root=root,
        report=lambda epoch, loss: show(f"epoch {epoch}: loss {loss:.3f}"),
    )
    made = "" if done.made else ", made before"
    show(f"{done.file}: test accuracy {done.accuracy:.1%} on the pretraining task{made}")


@app.command()
def experiment(
    study: Annotated[
        str,
        typer.Argument(
            help="sampling, weighting, rehearsal, factorial, memory, back_flow or bridge."
        ),
    ],
    only: Annotated[
        list[str] | None, typer.Option(help="Only tasks with key=value; may be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few small tasks, minutes.")] = False,
    large: Annotated[
        bool, typer.Option("--large", help="ResNet-18 and DeiT-Small at 64 px, for a GPU.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Tasks at a time.")] = 1,
    out: Path = Path("runs/experiments"),
    collect: Annotated[
        bool, typer.Option("--collect", help="Write the tables that the pages read.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the tasks.")] = False,
) -> None:
    """Run the tasks of an experiment that are not done; see the book, `act_on_it`."""
    from lethe.experiments import tasks

    found = tasks.find_study(study)
    wanted = tasks.chosen(found.tasks(quick, large), parse_pairs(only or []))
    if dry_run:
        typer.echo("\n".join(tasks.describe(task) for task in wanted))
        return
    tasks.run_study(found, wanted, out, jobs, show)
    if collect:
        show(str(tasks.collect(found, wanted, out)))


@app.command()
def rerun(
    name: Annotated[
        str, typer.Argument(help="Page, such as finding_3_seed_stability; findings = all five.")
    ] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="key=value; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pages.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Name the pages.")] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="List the page's parameters.")
    ] = False,
) -> None:
    """Run one page of the book, or all findings, again with other parameters."""
    from lethe.pages import findings
    from lethe.pages import rerun as pages

    if listing or not name:
        show("\n".join([*pages.list_pages(), findings.GROUP]))
    elif describe:
        show(findings.describe() if name == findings.GROUP else pages.describe(name))
    elif name == findings.GROUP:
        show(str(findings.rerun_findings(parse_pairs(parameter or []), out)))
    else:
        show(str(pages.rerun(name, parse_pairs(parameter or []), out)))


@app.command()
def book(
    dataset: Annotated[str, typer.Option(help="Data set of the findings; default glyphs.")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="The two models; default test_resnet and test_vit.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Preset of the captures.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Folder; default _build/books/DATASET.")] = None,
) -> None:
    """Build the book, with the findings on traces of your own."""
    from lethe.pages.own_book import MODELS, build_book

    show(str(build_book(dataset, model or MODELS, preset, out) / "index.html"))


def main() -> None:
    """Entry point: a LetheError is one line on standard error and exit code 1."""
    try:
        app()
    except LetheError as error:
        print(f"lethe: {error}", file=sys.stderr)
        raise SystemExit(1) from None
