"""Every page twice in the background: as committed through nbval, and with other parameters.

`conftest.py` begins them when the tests have been collected, so that they run beside the tests of a
single process; `test_notebooks.py` asks for the outcome. One at a time, and two once it waits for
them: 8 minutes of a core.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Semaphore

FOLDER = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(path.stem for path in FOLDER.glob("*.py"))
LAST = {"at_a_glance", "claims"}  # they read what the other pages have found
LIVE = {"quickstart"}  # trains networks: its numbers depend on the machine
TESTS = ("test_a_page_runs_with_other_parameters", "test_printed_results_are_those_committed")
RUNNING = []  # the executions of this session, once they have begun
CLEAN = dict(os.environ)  # before any test changes a variable for its own process

OTHER = {
    "at_a_glance": {"glyphs": "40"},
    "claims": {"about": "seeds"},
    "finding_1_architecture_overlap": {"top_fraction": "0.2", "bootstrap": "20", "draws": "20"},
    "finding_2_curve_fit": {
        "dataset": "cifar7",
        "beside": "glyphs",
        "window": "3",
        "draws": "20",
        "null_draws": "2",
        "compared": "200",
    },
    "back_flow": {"networks": "test_vit/sgd", "distance": "hellinger", "margin": "0.01"},
    "factorial_seeds": {
        "models": "test_vit",
        "score": "mean_retention",
        "last_epoch": "8",
        "top_fraction": "0.2",
        "bootstrap": "20",
        "ceiling_draws": "2",
    },
    "training_memory": {"metric": "hellinger", "horizon": "20", "margin": "0.02"},
    "finding_3_seed_stability": {"score": "forgetting_events", "bootstrap": "12"},
    "finding_4_classes": {"show": "4", "bootstrap": "20", "ceiling_draws": "2"},
    "finding_5_early_loss": {
        "target": "forgetting_events",
        "beside": "",
        "null_draws": "9",
        "draws": "20",
    },
    "flow": {"models": "test_vit", "kept": "retained_as_is", "below": "0.02", "covariances": "20"},
    "forgetting_curves": {"simulated_samples": "300", "simulated_epochs": "21"},
    "glyphs": {"split": "test", "typefaces": "5"},
    "ground_truth": {"bootstrap": "20", "beside": "", "shown": "6"},
    "how_agreement_works": {"traces_a": "cifar7-test_vit-quick", "simulated_images": "300"},
    "larger_networks": {
        "small_preset": "quick+noise",
        "margin": "0.05",
        "bootstrap": "20",
        "null_draws": "2",
    },
    "mass_or_drift": {"models": "test_vit", "half": "0.6", "settled": "0.05", "bootstrap": "10"},
    "mixture_forgetting": {
        "alpha": "0.3",
        "beta": "0.5",
        "clock": "fisher",
        "seeds": "40",
        "tail_seeds": "20",
    },
    "photographs": {"shown": "6", "bootstrap": "20"},
    "quickstart": {"model": "test_vit", "limit": "200", "epochs": "3"},
    "rehearsal": {
        "models": "test_resnet",
        "ratio": "0.125",
        "method": "both",
        "bootstrap": "20",
    },
    "sampler_spaced_repetition": {
        "datasets": "cifar7",
        "margin_accuracy": "0.5",
        "discoveries": "0.1",
        "bootstrap": "20",
    },
    "text_record": {"images": "", "shown": "4", "bootstrap": "20"},
    "time_to_forgetting": {"dataset": "cifar7", "beside": "", "simulated_samples": "300"},
    "traces": {"dataset": "cifar7", "seed": "1", "rows": "60", "bootstrap": "20"},
}
"""Parameters, other than the defaults and small, with which each page must also run."""


class Executions:
    """Runs of pages in the background, those that read the others last."""

    def __init__(self, folder: Path, rerun: set[str], nbval: set[str]) -> None:
        self.folder = folder
        self.pool, self.cores, self.waited_for = ThreadPoolExecutor(2), Semaphore(1), False
        self.rerun = self.start(self.run_other, rerun)
        self.nbval = self.start(self.run_nbval, nbval)

    def start(self, run: Callable[[str], str], names: set[str]) -> dict[str, Future[str]]:
        names = names | set(PAGES) - LAST - LIVE if LAST & names else names
        others = {name: self.pool.submit(run, name) for name in sorted(names - LAST)}
        last = [self.pool.submit(self.run_after, others, run, name) for name in LAST & names]
        return others | dict(zip(LAST & names, last))

    def run_after(self, others: dict, run: Callable[[str], str], name: str) -> str:
        wait(others.values())
        return run(name)

    def wait_for(self) -> None:
        """The tests have nothing else to do: from now on two at a time."""
        if not self.waited_for:
            self.waited_for = True
            self.cores.release()

    def run_other(self, name: str) -> str:
        given = [word for key, text in OTHER[name].items() for word in ("-p", f"{key}={text}")]
        out = str(self.folder / "rerun")
        lethe = [sys.executable, "-c", "from lethe.cli import main; main()"]
        with self.cores:
            return command([*lethe, "rerun", name, *given, "--out", out])

    def run_nbval(self, name: str) -> str:
        results = {"LETHE_RESULTS": str(self.folder / "results")}
        notebook = str(FOLDER / f"{name}.ipynb")
        options = ["--nbval-lax", "--nbval-current-env", "--no-header", "-p", "no:cacheprovider"]
        with self.cores:
            return command([sys.executable, "-m", "pytest", *options, notebook], results)


def command(words: list[str], variables: dict[str, str] | None = None) -> str:
    """Run a program; returns what it printed if it failed, else an empty string."""
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    env = CLEAN | threads | (variables or {})
    done = subprocess.run(words, env=env, cwd=FOLDER.parent, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def is_asked_for(item) -> tuple[bool, bool]:
    """Sort key of a test: those that wait for a page's run behind all others, and the pages that
    wait for all pages behind those.
    """
    waits = getattr(item, "originalname", "") in TESTS
    return waits, waits and item.callspec.params["name"] in LAST


def begin(items: Iterable) -> None:
    """Start the executions that the collected tests ask for, if any."""
    chosen = {test: set() for test in TESTS}
    for item in items:
        if getattr(item, "originalname", "") in chosen:
            chosen[item.originalname].add(item.callspec.params["name"])
    if any(chosen.values()):
        RUNNING.append(Executions(Path(tempfile.mkdtemp(prefix="lethe-pages-")), *chosen.values()))


def end() -> None:
    """Drop what has not begun, and the files of what has."""
    while RUNNING:
        running = RUNNING.pop()
        running.pool.shutdown(cancel_futures=True)
        shutil.rmtree(running.folder, ignore_errors=True)
