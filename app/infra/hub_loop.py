"""One asyncio loop on the gevent hub, for fsspec's file systems of the network, such as s3://, which need one."""

import asyncio
import threading

import fsspec.asyn
from gevent import monkey
from gevent.selectors import GeventSelector


def start_hub_loop() -> None:
    """Give fsspec a loop that a patched process can wait for; elsewhere fsspec starts one in a thread itself.

    NOTE: Patched, that thread is a greenlet of the thread that asks, and fsspec refuses to wait in a thread whose loop
    runs: every read of such a store failed.
    """
    if not monkey.is_module_patched("threading") or fsspec.asyn.loop[0] is not None:
        return

    loop = asyncio.SelectorEventLoop(_YieldingSelector())
    threading.Thread(target=loop.run_forever, name="fsspecIO", daemon=True).start()
    fsspec.asyn.loop[0] = loop


class _YieldingSelector(GeventSelector):  # type: ignore[misc]  # gevent has no types for it
    """While the loop waits others have the thread, and in them it does not run."""

    def select(self, timeout: float | None = None) -> list[tuple[object, int]]:
        """Wait for what is registered, without holding the hub."""
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            ready: list[tuple[object, int]] = super().select(timeout)
        finally:
            asyncio._set_running_loop(running)
        return ready
