"""`njit`: numba's compiler, or each function as it is where numba has no build, as in a browser.

Cost: none with numba. Without it a kernel gives the same result some 200 to 1,000 times slower.
"""

from collections.abc import Callable
from typing import Any

try:
    from numba import njit
except ModuleNotFoundError:

    def njit(**_: Any) -> Callable[[Callable], Callable]:  # type: ignore[no-redef]  # in its place
        """Stand in for numba's `njit(...)`: a decorator that leaves the function as it is."""
        return lambda function: function


__all__ = ["njit"]
