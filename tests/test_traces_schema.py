"""The schema: what is no trace is refused by name, and missing is never right, wrong or 0."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lethe import traces
from lethe.errors import LetheError

PREDICTION = np.array([[[0, 1, 2], [0, 0, 2]], [[1, 1, 2], [0, 1, 0]]])
LABEL = np.array([0, 1, 2])


def example(**changes):
    return traces.from_arrays(**{"prediction": PREDICTION, "label": LABEL} | changes)


def test_correct_is_prediction_equals_label():
    found = traces.correct(example())
    assert found.dims == ("seed", "epoch", "sample")
    assert found.dtype == bool
    expected = [[[1, 1, 1], [1, 0, 1]], [[0, 1, 1], [1, 1, 0]]]
    np.testing.assert_array_equal(found.values, np.array(expected, bool))


def test_what_is_left_out_is_missing_not_zero():
    ds = example()
    for name in ("loss", "margin", "error_l2", "test_accuracy", "train_loss", "seconds"):
        assert np.isnan(ds[name].values).all()
    assert ds["prediction"].dtype == np.int16
    assert traces.describe(ds)["test_accuracy"] is None


def test_a_missing_prediction_is_neither_right_nor_wrong():
    prediction = PREDICTION.copy()
    prediction[1, 0, 1] = -1
    ds = example(prediction=prediction)
    with pytest.raises(LetheError, match=r"1 predictions are missing.*complete\(ds\)"):
        traces.correct(ds)
    whole = traces.complete(ds)
    assert whole["sample"].values.tolist() == ["s000000", "s000002"]
    assert traces.correct(whole).sizes["sample"] == 2
    assert traces.describe(ds)["missing"] == 1


def test_one_seed_one_sample_one_class_is_a_trace():
    ds = traces.from_arrays(np.zeros((4, 1), int), [0])
    assert dict(ds.sizes) == {"seed": 1, "epoch": 4, "sample": 1}
    assert traces.correct(ds).values.all()
    assert traces.class_names(ds) == ["0"]


def test_columns_become_coordinates_of_the_sample():
    columns = pd.DataFrame({"family": ["x", None, "y"], "weight": [1, 2, 3], "bold": [True] * 3})
    ds = example(columns=columns, image_hash=["a", "b", "c"])
    assert ds["family"].values.tolist() == ["x", "", "y"]
    assert (ds["weight"].dtype.kind, ds["bold"].dtype.kind) == ("i", "b")
    assert ds["family"].dims == ds["image_hash"].dims == ("sample",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": [0, 1]}, "label has 2 entries for 3 samples"),
        ({"label": [0, 1, 3], "classes": "abc"}, "label 3 is outside the 3 classes"),
        ({"label": [0, -1, 1], "classes": "abc"}, "label -1 is outside the 3 classes"),
        ({"classes": "ab", "label": [0, 1, 1]}, "prediction 2 is outside the 2 classes"),
        ({"prediction": PREDICTION - 2}, "prediction -2 is outside"),
        ({"prediction": PREDICTION / 2}, "prediction is float64"),
        ({"prediction": PREDICTION[0, 0]}, "prediction has 1 dimensions"),
        ({"loss": np.ones((2, 2, 2))}, r"loss has shape \(2, 2, 2\), expected \(2, 2, 3\)"),
        ({"sample": ["a", "b", "a"]}, "sample 'a' occurs more than once"),
        ({"seeds": [5, 5]}, "seed '5' occurs more than once"),
        ({"epochs": [0, 2]}, "without a gap"),
        ({"epochs": [1, 2]}, "epochs are"),
        ({"metrics": {"test_accuracy": [0.1]}}, "metric test_accuracy has shape"),
        ({"view": "test"}, "unknown view 'test'"),
        ({"columns": pd.DataFrame({"epoch": [1, 2, 3]})}, "may not be called 'epoch'"),
        ({"prediction": PREDICTION[:, :, :0], "label": LABEL[:0]}, "hold no sample"),
        ({"prediction": PREDICTION[:0]}, "hold no seed"),
        ({"prediction": PREDICTION + 65536}, "class index above 32767"),
        ({"label": LABEL - 65536}, "label has a class index above 32767"),
    ],
)
def test_breaches_are_named(changes, message):
    with pytest.raises(LetheError, match=message) as error:
        example(**changes)
    assert "\n" not in str(error.value)


def test_a_loss_where_the_prediction_is_missing_is_refused():
    prediction = PREDICTION.copy()
    prediction[0, 0, 0] = -1
    with pytest.raises(LetheError, match="loss has a value where the prediction is missing"):
        example(prediction=prediction, loss=np.ones(PREDICTION.shape))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda ds: ds.assign_attrs(schema_version="2"), "schema version '2' is not known here"),
        (lambda ds: ds.drop_attrs(), "no attribute 'schema_version'"),
        (lambda ds: ds.drop_vars("margin"), "no variable 'margin'"),
        (lambda ds: ds.drop_vars("label"), "no variable 'label'"),
        (lambda ds: ds.transpose("sample", ...), "has dimensions"),
        (lambda ds: ds.astype({"prediction": float}), "prediction is stored as float64"),
        (lambda ds: ds.isel(seed=[]), "hold no seed"),
    ],
)
def test_validate_names_what_is_wrong_with_a_dataset(harm, message):
    if message.startswith("prediction"):
        harm = lambda ds: ds.assign(prediction=ds["prediction"].astype(float))  # noqa: E731
    with pytest.raises(LetheError, match=message):
        traces.validate(harm(example()))


def test_matching_follows_the_ids_not_the_positions():
    ds = example(sample=["a", "b", "c"])
    found = traces.match_samples(ds, ["c", "a", "b"])
    np.testing.assert_array_equal(found["label"].values, [2, 0, 1])
    np.testing.assert_array_equal(found["prediction"].values, PREDICTION[:, :, [2, 0, 1]])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "x"], "1 foreign and 1 missing sample ids, e.g. 'c' is foreign"),
        (["a", "b", "c", "d"], "0 foreign and 1 missing sample ids, e.g. 'd' has no trace"),
        (["a", "b", "b"], "'b' occurs more than once"),
    ],
)
def test_traces_of_another_data_set_are_refused(ids, message):
    with pytest.raises(LetheError, match=message):
        traces.match_samples(example(sample=["a", "b", "c"]), ids)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(
        np.int16,
        arrays.array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.integers(-1, 4),
    ),
    st.randoms(use_true_random=False),
)
def test_any_predictions_keep_their_meaning(prediction, random):
    label = np.array([random.randrange(5) for _ in range(prediction.shape[2])])
    ds = traces.from_arrays(prediction, label, classes="abcde")
    whole = traces.complete(ds)
    missing = [(prediction[:, :, i] < 0).any() for i in range(prediction.shape[2])]
    assert whole.sizes["sample"] == missing.count(False)
    slow = [
        [[int(p) == int(y) for p, y, gone in zip(row, label, missing) if not gone] for row in seed]
        for seed in prediction
    ]
    np.testing.assert_array_equal(traces.correct(whole).values, np.array(slow, bool))
    assert json.loads(ds.attrs["classes"]) == list("abcde")
