"""Take CPU-heavy calls off the gevent hub, so that other requests of the worker go on."""

from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from gevent import get_hub, monkey

T = TypeVar("T")


def off_hub(function: Callable[..., T], *args: object) -> T:
    """Call `function` in gevent's thread pool in a patched process, and directly everywhere else.

    The calling greenlet waits; the function must not touch sockets, locks or anything else that gevent patched.
    """
    if not monkey.is_module_patched("threading"):
        return function(*args)

    caught = _Caught()
    result: T = get_hub().threadpool.apply(_run, (caught, function, args))
    error, caught.error = caught.error, None
    if error is None:
        return result

    try:
        raise error
    finally:
        # Its traceback holds this frame, and so the error and the arguments, until the collector comes by.
        del error


class _Caught:
    """Carries what a function raised out of its thread: gevent would print it, as if nobody handled it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        """Begin to catch."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        """Keep what was raised."""
        self.error = error
        return True


def _run(caught: _Caught, function: Callable[..., T], args: tuple[object, ...]) -> T | None:
    with caught:
        return function(*args)

    return None
