"""Take CPU-heavy calls off the gevent hub, so that other requests of the worker go on."""

from collections.abc import Callable
from typing import TypeVar

from gevent import get_hub, monkey

T = TypeVar("T")


def off_hub(function: Callable[..., T], *args: object) -> T:
    """Call `function` in gevent's thread pool in a patched process, and directly everywhere else.

    The calling greenlet waits; the function must not touch sockets, locks or anything else that gevent patched.
    """
    if not monkey.is_module_patched("threading"):
        return function(*args)

    result: T = get_hub().threadpool.apply(function, args)
    return result
