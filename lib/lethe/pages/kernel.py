"""A Jupyter kernel `python3` that is the running Python, whatever kernels the computer has.

Jupyter prefers a user's own `python3`, which may be another environment without Lethe. Cost: none.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipykernel.kernelspec import write_kernel_spec

QUIET = "--IPKernelApp.log_level=50"  # no advice meant for servers, no word at its end


@contextmanager
def this_python(work: Path) -> Iterator[None]:
    """Within it, `python3` is this interpreter; the kernel is described in the folder `work`."""
    write_kernel_spec(str(work / "kernels" / "python3"), extra_arguments=[QUIET])
    search = [str(work), os.environ.get("JUPYTER_PATH", "")]
    with environment(JUPYTER_PATH=os.pathsep.join(filter(None, search))):
        yield


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables, and put them back afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
