"""The command `lethe`: one command a verb, errors of one line, exit code 1 when the user can act
on it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import print as show

from lethe.capture.seed_list import parse_seeds
from lethe.cli_course import course_app
from lethe.cli_data import data_app
from lethe.cli_sweep import SWEEP, sweep_command
from lethe.cli_traces import traces_app
from lethe.errors import LetheError
from lethe.paths import need_checkout

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Which training images does a network learn, and then lose again?",
)
app.add_typer(traces_app, name="traces")
app.add_typer(data_app, name="data")
app.add_typer(course_app, name="course")
app.command("sweep", help=SWEEP)(sweep_command)

Out = Annotated[Path, typer.Option(help="Folder for the run folders.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the data set; default its usual place.")]


def parse_pairs(pairs: list[str]) -> dict[str, str]:
    """`key=value` arguments as a dict."""
    for pair in pairs:
        if "=" not in pair:
            raise LetheError(f"settings are written key=value, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def parse_given(pairs: list[str]) -> dict[str, str]:
    """`key=value` parameters of a page; a key that is given twice is refused."""
    given = parse_pairs(pairs)
    if len(given) < len(pairs):
        raise LetheError("a parameter is given twice; several values are written key=a,b")
    return given


def typed_settings(pairs: list[str]) -> dict[str, Any]:
    """`key=value` recipe settings, read as the type that the recipe has."""
    from lethe.capture.recipes import QUICK, find_recipe

    settings: dict[str, Any] = {}
    for name, text in parse_pairs(pairs).items():
        kind: Any = type(QUICK.as_dict().get(name, 0))
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
    """Fine-tune and record every training sample at every epoch; resumes what is unfinished.

    One run on several graphics cards: torchrun --nproc-per-node 4 -m lethe capture ...
    """
    from lethe.capture import capture_many, pack_runs, plan_run
    from lethe.capture.processes import launched
    from lethe.capture.together import capture_together

    choices: dict[str, Any] = {
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
    folders = (capture_together if launched() else capture_many)(runs, out, device, jobs)
    pack = pack and bool(folders)  # the first process alone has them to tell and to pack
    for folder in folders:
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


RERUN = (
    """Run one page of the book, or all findings, again with other parameters.

The page comes back as HTML, notebook and JSON record, in _build/rerun or in --out.

Several values of a parameter give a page for each, and an index that compares them, as in
-p top_fraction=0.05,0.1,0.2 . A list keeps its commas, and a semicolon separates its values:
-p 'models=test_resnet,test_vit;test_vit,resnet18' . Several such parameters make a grid.

Traces of your own take the place of those that the page reads: -p traces=A.zarr.zip,B.zarr.zip ,
or run folders, or a folder of either.

Exit code: 0 all went well; 1 a page failed, the others are kept; 2 a page, a parameter or a value
was refused, and nothing ran.
""".replace("\n\n", "\f")
    .replace("\n", " ")
    .replace("\f", "\n\n")
)  # the terminal breaks the lines


@app.command(help=RERUN)
def rerun(
    name: Annotated[
        str, typer.Argument(help="Page, such as finding_3_seed_stability; findings = all five.")
    ] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="key=value; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pages.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Names and titles of the pages.")] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="What the page says, its times, its parameters.")
    ] = False,
) -> None:
    """Run one page of the book, or all findings, again with other parameters."""
    from lethe.pages import describe as told
    from lethe.pages import findings, grid
    from lethe.pages.rerun import PageFailed

    try:
        if listing or not name:
            typer.echo("\n".join(told.list_pages()))
        elif describe:
            typer.echo(told.describe(name))
        else:
            given = parse_given(parameter or [])
            if name == findings.GROUP:
                typer.echo(str(findings.rerun_findings(given, out)))
            else:
                typer.echo(str(grid.rerun_page(name, given, out)))
    except PageFailed:
        raise
    except LetheError as error:
        raise UsageError(str(error)) from None


@app.command()
def address(
    url: Annotated[str, typer.Argument(help="Such as https://github.com/ORG/REPO.")] = "",
    branch: Annotated[str, typer.Option(help="Branch that the buttons open.")] = "main",
    none: Annotated[bool, typer.Option("--none", help="Take the address away.")] = False,
) -> None:
    """Say or set the public address of the repository, which gives the pages launch buttons."""
    from lethe.pages import address as places

    if url or none:
        if url and none:
            raise UsageError("give an address or --none, not both")
        changed = places.write(places.Address() if none else places.checked(url, branch))
        typer.echo(f"{len(changed)} files changed")
    found = places.current()
    typer.echo(f"{found.url}, branch {found.branch}" if found.url else "no address is set")


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
    need_checkout("the book")
    from lethe.pages.own_book import MODELS, build_book

    show(str(build_book(dataset, model or MODELS, preset, out) / "index.html"))


EXTRAS = {  # what is installed on demand: the package as it is imported -> the extra
    **dict.fromkeys(("torch", "torchvision", "timm", "safetensors"), "capture"),
    **dict.fromkeys(("jupyter_book", "playwright", "pypdf"), "book"),
    **dict.fromkeys(("dask", "distributed", "submitit"), "sweep"),
    **dict.fromkeys(("h5netcdf", "h5py"), "netcdf"),
    "s3fs": "s3",
    "freetype": "fonts",
}


def how_to_install(error: ModuleNotFoundError) -> str:
    """The line for a package that is missing; empty if no extra of Lethe has it."""
    package = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(package)
    return f"this needs {package}: python -m pip install 'lethe[{extra}]'" if extra else ""


class UsageError(LetheError):
    """What was asked for was refused, and nothing ran: exit code 2."""


def told_elsewhere() -> bool:
    """Whether this is one of several processes of a capture, of which the first tells the error."""
    return sys.argv[1:2] == ["capture"] and os.environ.get("LOCAL_RANK", "0") != "0"


def main() -> None:
    """Entry point: a LetheError is one line on standard error and exit code 1, 2 for usage.

    Ctrl-C gives one line and 130.
    """
    try:
        app()
    except LetheError as error:
        if not told_elsewhere():
            print(f"lethe: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except ModuleNotFoundError as error:
        if not how_to_install(error):
            raise
        print(f"lethe: {how_to_install(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("lethe: stopped; what was finished is kept", file=sys.stderr)
        raise SystemExit(130) from None
