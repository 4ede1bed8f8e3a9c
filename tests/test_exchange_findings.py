"""The findings on traces from elsewhere: the same numbers from less, and no number from nothing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foreign_logs import train

from lethe.analysis import scores
from lethe.analysis.findings.seed_stability import stability_by_score
from lethe.errors import LetheError
from lethe.pages.dataset_facts import about, by_class, overview
from lethe.pages.own_traces import check_pair, opened, resolve
from lethe.pages.parameters import read_parameters
from lethe.pages.rerun import rerun
from lethe.traces.exchange import import_traces, told, write_store
from lethe.traces.known import known_floats, with_named_answers

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LEAN = ("aum", "el2n_epoch_1", "warmup_loss")


@pytest.fixture(scope="module")
def run():
    return train(seeds=3, epochs=8, samples=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


def table(run, **columns) -> pd.DataFrame:
    """One row a cell: seed, epoch from 0 and sample, and the columns given as [seed, epoch, i]."""
    seed, epoch, i = np.indices(run.right().shape).reshape(3, -1)
    frame = pd.DataFrame({"seed": seed, "epoch": epoch, "sample_id": np.array(run.ids)[i]})
    return frame.assign(
        label=run.label[i], **{name: values.ravel() for name, values in columns.items()}
    )


def imported(run, folder, model: str, **columns):
    path = folder / f"{model}.csv"
    table(run, **columns).to_csv(path, index=False)
    ds = import_traces([path], view="train", dataset="toy", model=model)
    return write_store(ds, folder / f"toy-{model}-imported.zarr.zip")


@pytest.fixture(scope="module")
def lean(run, folder):
    """A store that knows right or wrong, and the loss."""
    return imported(run, folder, "lean", correct=run.right().astype(int), loss=run.loss())


@pytest.fixture(scope="module")
def full(run, folder):
    """A store of the same training that also knows classes and margin."""
    return imported(
        run, folder, "full", prediction=run.logits.argmax(-1), loss=run.loss(), margin=run.margin()
    )


def test_finding_3_has_the_same_numbers_from_right_or_wrong_and_loss(lean, full):
    tables = {}
    for store in (lean, full):
        rows = stability_by_score(opened(str(store)), np.random.default_rng(0), draws=5)
        assert all(np.isfinite(row.rho.estimate) for row in rows)
        tables[store] = {row.title: round(row.rho.estimate, 9) for row in rows}
    assert set(tables[full]) - set(tables[lean]) == {"area under the margin"}
    assert tables[lean].items() <= tables[full].items()


def test_scores_that_cannot_be_are_left_out_or_refused_in_one_sentence(lean):
    ds = opened(str(lean))
    assert known_floats(ds) == ["loss"]
    assert set(scores.SCORES) - set(scores.available(ds)) == set(LEAN)
    assert not any(bool(values.isnull().all()) for values in scores.all_scores(ds).values())
    for name in LEAN:
        with pytest.raises(LetheError, match="these traces"):
            scores.score(ds, name)


def test_confusions_are_refused_and_classes_are_those_of_the_labels(lean, full):
    with pytest.raises(LetheError, match="toy, lean only say right or wrong"):
        with_named_answers(opened(str(lean)))
    ds = opened(str(lean))
    assert with_named_answers(opened(str(full))).sizes["sample"] == 60
    assert about(ds).startswith("toy (3 classes, 60 ")
    assert by_class(ds).index.tolist() == ["0", "1", "2"]
    assert overview([ds])["test accuracy"].tolist() == ["not known"]
    assert any("3 classes" in line for line in told(ds))


def test_a_page_takes_an_imported_store_by_path(lean, folder, run):
    again = imported(run, folder, "again", correct=1 - run.right().astype(int))
    check_pair(opened(str(lean)), [str(lean), str(again)])
    page = "finding_3_seed_stability"
    parameters = read_parameters(NOTEBOOKS / f"{page}.ipynb")
    given = resolve(page, parameters, {"traces": f"{lean},{again}"}, folder)
    assert given["models"] == f"{lean},{again}"
    assert (given["dataset"], given["preset"]) == ("toy", "imported")


def test_traces_that_only_say_right_or_wrong_do_not_stand_beside_named_ones(lean, full):
    with pytest.raises(LetheError, match=r"cannot stand next to .* their classes differ"):
        check_pair(opened(str(lean)), [str(lean), str(full)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", ["finding_1_architecture_overlap", "finding_2_curve_fit", "finding_3_seed_stability"]
)
def test_whole_pages_run_on_traces_that_know_right_or_wrong_and_loss(page, folder, tmp_path):
    run = train(seeds=6, epochs=10, samples=300)
    stores = []
    for model in ("ones", "others"):
        run.logits = run.logits[:, :, :, ::-1] if model == "others" else run.logits
        known = {"correct": run.right().astype(int), "loss": run.loss()}
        stores.append(str(imported(run, tmp_path, model, **known)))
    parameters = read_parameters(NOTEBOOKS / f"{page}.ipynb")
    given = resolve(page, parameters, {"traces": ",".join(stores)}, tmp_path)
    made = rerun(page, given, out=tmp_path / "out")
    record = json.loads(made.with_suffix(".json").read_text())
    assert [store["preset"] for store in record["stores"]] == ["imported", "imported"]
    assert record["verdicts"]
    assert "NaN" not in json.dumps(record["verdicts"])
