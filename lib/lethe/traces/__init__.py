"""The only door between capturing and analysing: write traces epoch by epoch, compact, open.

A run is logged by `open_run`, compacted by `compact` and read by `open_traces`. No torch needed.
"""

from lethe.traces.blocks import sample_blocks
from lethe.traces.checks import SCHEMA_VERSION, VIEWS, class_names, validate
from lethe.traces.commits import check_view, is_finished
from lethe.traces.files import file_sha256, write_atomically
from lethe.traces.log import RunLog, open_run
from lethe.traces.packing import compact
from lethe.traces.read import read_run
from lethe.traces.schema import (
    complete,
    correct,
    describe,
    fingerprint,
    from_arrays,
    match_samples,
)
from lethe.traces.store import (
    list_traces,
    open_traces,
    traces_folder,
    verify_store,
)

__all__ = [
    "SCHEMA_VERSION",
    "VIEWS",
    "RunLog",
    "check_view",
    "class_names",
    "compact",
    "complete",
    "correct",
    "describe",
    "file_sha256",
    "fingerprint",
    "from_arrays",
    "is_finished",
    "list_traces",
    "match_samples",
    "open_run",
    "open_traces",
    "read_run",
    "sample_blocks",
    "traces_folder",
    "validate",
    "verify_store",
    "write_atomically",
]
