"""Traces from elsewhere, and out to elsewhere: one format a file.

`import_traces` reads another system's logs, `write_store` makes a store of them, `export_traces`
writes traces for another system.
"""

from lethe.traces.exchange.imports import import_traces
from lethe.traces.exchange.write import write_store

__all__ = ["import_traces", "write_store"]
