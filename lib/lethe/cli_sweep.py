"""The command `lethe sweep`: many runs from a file, here, with Dask, or on Slurm.

Cost: reading the list imports torch, 3 s.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lethe.errors import LetheError, nearest

if TYPE_CHECKING:
    from lethe.capture.plan import Run
    from lethe.capture.sweep.progress import Board
    from lethe.capture.sweep.worker import Outcome

SWEEP = (
    """Capture all runs that a file lists; see the book, `sweeps`.

Finished runs are skipped, unfinished ones go on where they stopped, and the same command may run
twice at once. Without --dask and --submitit the runs are done here, one worker process for each
graphics card, or one on a processor.

Exit code: 0 all runs are done; 1 a run failed, or something was refused; 130 after Ctrl-C.
""".replace("\n\n", "\f")
    .replace("\n", " ")
    .replace("\f", "\n\n")
)  # the terminal breaks the lines


def sweep_command(
    file: Annotated[Path, typer.Argument(help="TOML file with tables [[runs]].")],
    out: Annotated[Path, typer.Option(help="Folder for the run folders.")] = Path("runs"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    jobs: Annotated[
        int, typer.Option(help="Workers here; 0 = one a graphics card, or one on a processor.")
    ] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads of a run.")] = 1,
    retries: Annotated[int, typer.Option(help="How often a run whose worker is lost goes on.")] = 2,
    lease: Annotated[
        float, typer.Option(help="Seconds of silence after which a run is taken over.")
    ] = 90.0,
    dask: Annotated[
        str, typer.Option(help="Dask scheduler, such as tcp://HOST:8786; local = start one here.")
    ] = "",
    submitit: Annotated[str, typer.Option(help="slurm, or local to try it without Slurm.")] = "",
    slurm: Annotated[
        list[str] | None,
        typer.Option(help="For Slurm: partition=gpu, timeout_min=240; may be repeated."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only the run of this id; may be repeated.")
    ] = None,
    task: Annotated[int, typer.Option(help="Only the run of this number, from 1.")] = 0,
    listing: Annotated[
        bool, typer.Option("--list", help="Print one command a run, and run nothing.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far the sweep is, and run nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate hours and disk, and run nothing.")
    ] = False,
    pack: Annotated[
        bool, typer.Option("--pack", help="Pack the seeds into stores that the pages can read.")
    ] = False,
) -> None:
    """Capture all runs that a file lists, here, with Dask, or on Slurm."""
    from lethe.capture.sweep import read_sweep, run_sweep
    from lethe.capture.sweep.progress import Board

    if sum((listing, status, dry_run)) > 1:
        raise LetheError("give one of --list, --status and --dry-run")
    found = read_sweep(file)
    if found.merged:
        typer.echo(f"{found.merged} runs were listed twice and count once", err=True)
    runs = chosen(found.runs, only or [], task)
    if listing:
        same = shared_options(out, device, threads, retries, lease)
        typer.echo("\n".join(command(file, same, run) for run in runs))
    elif status:
        board = Board(runs, out)
        board.refresh()
        typer.echo("\n".join(told(board)))
    elif dry_run:
        from lethe.capture.sweep.estimate import report

        typer.echo("\n".join(report(runs, out, device)))
    else:
        how: dict[str, Any] = {"device": device, "jobs": jobs, "threads": threads}
        how |= {"retries": retries}
        opened = executor_for(dask, submitit, slurm or [], out, jobs)
        try:
            with opened as (executor, at_once), shown(Board(runs, out)) as tick:
                outcomes = run_sweep(
                    runs, out, executor, **how, lease=lease, at_once=at_once, tick=tick
                )
        except KeyboardInterrupt:
            typer.echo("lethe: stopped; the same command goes on from here", err=True)
            raise typer.Exit(130) from None
        finish(outcomes, runs, out, pack)


def chosen(runs: Sequence[Run], only: Sequence[str], task: int) -> list[Run]:
    """The runs that are asked for, by id or folder name, or by number from 1."""
    if only and task:
        raise LetheError("give --only or --task, not both")
    if task:
        if not 1 <= task <= len(runs):
            raise LetheError(f"there is no task {task}: the file has runs 1 to {len(runs)}")
        return [runs[task - 1]]
    known = {run.run_id: run for run in runs} | {run.name: run for run in runs}
    for name in only:
        if name not in known:
            raise LetheError(f"no run {name!r} in this file: {nearest(name, known)}")
    wanted = {known[name].run_id for name in only}
    return [run for run in runs if not only or run.run_id in wanted]


def shared_options(out: Path, device: str, threads: int, retries: int, lease: float) -> list[str]:
    """The options that the commands of a job list share: those that are not at their default."""
    given = {"--device": (device, "auto"), "--threads": (threads, 1)}
    given |= {"--retries": (retries, 2), "--lease": (lease, 90.0)}
    changed = [[name, str(value)] for name, (value, usual) in given.items() if value != usual]
    return ["--out", str(out), *(word for pair in changed for word in pair)]


def command(file: Path, options: Sequence[str], run: Run) -> str:
    """The shell command that carries out one run."""
    return shlex.join(["lethe", "sweep", str(file), *options, "--only", run.run_id])


def told(board: Board) -> list[str]:
    """The state of a sweep in lines: all in one, what runs, what failed and where its log is."""
    from lethe.capture.sweep.places import log_file

    lines = [board.line()]
    lines += ["  ".join(row).rstrip() for row in board.table() if row[1] == "running"]
    for name, reason in board.failures():
        lines += [f"{name}  failed: {reason}", f"    log: {log_file(board.out, name)}"]
    return lines


@contextlib.contextmanager
def executor_for(
    dask: str, submitit: str, slurm: Sequence[str], out: Path, jobs: int
) -> Iterator[tuple[Any, int]]:
    """The executor that the options name and how many runs it may have at once (0 = all).

    None stands for workers that are started here. LetheError where the options contradict.
    """
    from lethe.capture.sweep import executors

    if dask and (submitit or slurm):
        raise LetheError("give --dask or --submitit, not both")
    if dask:
        with executors.dask_executor(dask, jobs) as executor:
            yield executor, 0
    elif submitit or slurm:
        kind = submitit or "slurm"
        executor = executors.submitit_executor(kind, out, slurm_options(slurm))
        yield executor, (jobs or 1) if kind == "local" else 0
    else:
        yield None, 0


def slurm_options(pairs: Sequence[str]) -> dict[str, str]:
    """`key=value` options for Slurm as a dict."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise LetheError(f"options for Slurm are written key=value, not {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


@contextlib.contextmanager
def shown(board: Board) -> Iterator[Callable[[], None]]:
    """Something to call often: it reads the board every second and shows what is new.

    A table on a terminal; elsewhere a line whenever a run begins or ends.
    """
    from rich.console import Console
    from rich.live import Live

    console, due = Console(), 0.0
    with Live(console=console, auto_refresh=False) if console.is_terminal else OneLine() as live:

        def tick() -> None:
            nonlocal due
            if time.monotonic() < due:
                return
            board.refresh()
            due = time.monotonic() + 1
            live.update(drawn(board) if console.is_terminal else board.line(), refresh=True)

        tick()
        yield tick
        due = 0.0
        tick()


class OneLine:
    """Prints a line when the numbers in it have changed; stands in for a live table."""

    def __init__(self) -> None:
        """Nothing is printed yet."""
        self._said = ""

    def __enter__(self) -> OneLine:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def update(self, line: str, refresh: bool = True) -> None:
        """Print a line unless only its estimate of the time is new."""
        counts = line.partition(";")[0]
        if counts != self._said:
            print(line, flush=True)
        self._said = counts


def drawn(board: Board) -> Any:
    """The board as a table for the terminal."""
    from rich.table import Table

    table = Table(title=board.line(), title_justify="left", show_header=False, box=None)
    for row in board.table():
        table.add_row(*row, style="red" if row[1] == "failed" else "")
    return table


def finish(outcomes: Sequence[Outcome], runs: Sequence[Run], out: Path, pack: bool) -> None:
    """Say what failed and where its log is; LetheError if anything did. Pack if asked to."""
    from lethe.capture.sweep.packing import pack_sweep
    from lethe.capture.sweep.places import log_file
    from lethe.capture.sweep.schedule import failures

    failed = failures(outcomes)
    for outcome in failed:
        log = log_file(out, outcome.name)
        typer.echo(f"{outcome.name}\n    {outcome.error}\n    log: {log}", err=True)
    if failed:
        raise LetheError(
            f"{len(failed)} of {len(outcomes)} runs failed, listed above; the others are done"
        )
    for store in pack_sweep(runs, out) if pack else ():
        typer.echo(f"packed: {store}")
