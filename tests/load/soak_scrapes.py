"""The scraper of a soak: what Prometheus does in production, and whether the scrapes were right one after the other."""

import time
from threading import Event
from typing import Final

import httpx

from tests.load.report import Table
from tests.load.scrapes import TIMEOUT_S, Scrapes
from tests.load.soak_tally import SoakTally
from tests.load.socket_tally import times_of

NAME: Final = "scrapes"
# As in deploy/prometheus/prometheus.yml.
EVERY_S: Final = 15.0
KILOBYTE: Final = 1e3


class ScrapeCaller:
    """One who scrapes gunicorn itself; its tally and what it was told grow until it is over."""

    def __init__(self, url: str, *, every_s: float = EVERY_S) -> None:
        self.tally = SoakTally(NAME)
        self.texts: list[str] = []
        """What is told is read later: while others are measured, there is a core less to do it on."""
        self._url = url
        self._every_s = every_s

    def work(self, is_over: Event) -> None:
        """Scrape until it is over."""
        with httpx.Client(base_url=self._url, timeout=TIMEOUT_S) as client:
            while not is_over.is_set():
                began = time.monotonic()
                try:
                    self.texts.append(client.get("/metrics").raise_for_status().text)
                    self.tally.latencies_s.append(time.monotonic() - began)
                except httpx.HTTPStatusError as err:
                    self.tally.failed[f"{err.response.status_code}"] += 1
                except httpx.HTTPError as err:
                    self.tally.failed[type(err).__name__] += 1
                is_over.wait(began + self._every_s - time.monotonic())

    def read(self) -> None:
        """Count whatever is wrong with what was told as a failure."""
        scrapes = Scrapes()
        for text in self.texts:
            self.tally.failed.update(scrapes.take(text))


def scrapes_table(caller: ScrapeCaller, suite: str = "Soak") -> Table:
    """Return what scrapes took and told, the first and the last."""
    times = times_of(caller.tally.latencies_s)
    first, *_, last = [len(text) / KILOBYTE for text in caller.texts or [""]] * 2
    return Table(
        title=f"{suite}: scrapes",
        columns=["", "scrapes", "p50 ms", "p99 ms", "failed", "kB at first", "at last"],
        rows=[
            [
                "/metrics",
                f"{len(caller.texts)}",
                *(f"{time:.1f}" for time in (times.p50, times.p99)),
                f"{caller.tally.failed.total()}",
                f"{first:.0f}",
                f"{last:.0f}",
            ]
        ],
        note=f"Each {EVERY_S:g} s, as Prometheus does, of gunicorn itself, beside everything else. A scrape fails as "
        "well if it cannot be read, or a count in it is lower than in the one before.",
    )
