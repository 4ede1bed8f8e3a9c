"""Traces from elsewhere, and out to elsewhere: one format a file.

`import_traces` reads another system's logs, `write_store` makes a store of them, `export_traces`
writes traces for another system.
"""

from lethe.traces.exchange.exports import export_traces
from lethe.traces.exchange.formats import FORMATS
from lethe.traces.exchange.imports import import_traces
from lethe.traces.exchange.told import told
from lethe.traces.exchange.write import check_new_store, write_store

__all__ = [
    "FORMATS",
    "check_new_store",
    "export_traces",
    "import_traces",
    "told",
    "write_store",
]
