"""What Prometheus would do: it scrapes gunicorn itself all the time, and each scrape has to be right."""

import asyncio
import statistics

import httpx

from tests.chaos.answers import SCRAPE_LATE, SCRAPE_REFUSED, symptom_of
from tests.chaos.echo_model import NAME
from tests.chaos.journal import ANSWERED, Failure, Journal
from tests.chaos.releases import Releases
from tests.load.scrapes import TIMEOUT_S, Labels, Scrapes

KIND, RULE, COUNTED, PATH = "scrape", "scraped", "counted", "/metrics"
REQUESTS = "flask_http_request_total"
OK, FAILED = 200, 500
# More often than in production, so that a scrape falls into most blows.
EVERY_S = 5.0
# What the operator never deletes.
NEWEST = 2


class Scraper:
    """One who scrapes; `patience` is how much longer than Prometheus it waits, for machines that are slower."""

    def __init__(self, url: str, journal: Journal, releases: Releases, *, patience: float = 1.0) -> None:
        self.scrapes = Scrapes(may_go=self._may_go)
        self.times_s = list[float]()
        self._counted_before = 0.0
        self._url, self._journal, self._releases = url, journal, releases
        self._timeout_s = TIMEOUT_S * patience

    async def begin(self) -> None:
        """Learn what was counted before the load."""
        await self._surely()
        self._counted_before = self._counted()

    async def scrape_on(self, over: asyncio.Event) -> None:
        """Scrape until it is over."""
        while not over.is_set():
            await self.scrape()
            await asyncio.sleep(EVERY_S)

    async def end(self) -> None:
        """Compare what was counted of the load with what callers were answered.

        Each good answer is counted, once; so may be those whose server, or whose connection, broke under them.
        """
        await self._surely()
        counted, answers = self._counted() - self._counted_before, self._journal.answers
        good = answers["POST", OK]
        lost = sum(count for (method, status), count in answers.items() if method == "POST" and not 0 < status < FAILED)
        self._journal.checked(COUNTED, good)
        if not good <= counted <= good + lost:
            what = f"{good} POSTs were answered well, {lost} others broke, and {counted:g} were counted"
            self._journal.broken(COUNTED, what)

    async def scrape(self) -> bool:
        """Scrape once; say whether there was an answer."""
        began_s = self._journal.now_s()
        try:
            text = await self._text()
        except (httpx.HTTPError, TimeoutError) as err:
            self._failed(_symptom(err), began_s, f"{err!r}")
            return False

        self._journal.counts[KIND, ANSWERED] += 1
        self.times_s.append(self._journal.now_s() - began_s)
        self._journal.checked(RULE)
        for what in await asyncio.to_thread(self.scrapes.take, text):
            self._journal.broken(RULE, what)
        return True

    def sum_up(self) -> None:
        """Tell which labels had more values than there may be, and how long scrapes took."""
        if self.times_s:
            median_s, slowest_s = statistics.median(self.times_s), max(self.times_s)
            self._journal.figures["scrapes, median and slowest"] = (
                f"{1000 * median_s:.0f} ms, {1000 * slowest_s:.0f} ms"
            )
        self._journal.figures["series in the last scrape"] = f"{self.scrapes.series}"
        for what in self.scrapes.unbounded(versions=len(self._releases.published) + 1):
            self._journal.broken(RULE, what)

    async def _surely(self) -> None:
        while not await self.scrape():
            await asyncio.sleep(EVERY_S)

    def _counted(self) -> float:
        """Return how many POSTs were answered well, by the last scrape."""
        wanted = {("method", "POST"), ("status", f"{OK}")}
        counts = self.scrapes.counts.items()
        return sum(value for (name, labels), value in counts if name == REQUESTS and wanted <= set(labels))

    async def _text(self) -> str:
        # A connection of its own for each: so it comes to any of the web workers.
        async with asyncio.timeout(self._timeout_s), httpx.AsyncClient(base_url=self._url, timeout=None) as http:
            return (await http.get(PATH)).raise_for_status().text

    def _failed(self, symptom: str, began_s: float, what: str) -> None:
        ended_s = self._journal.now_s()
        self._journal.failed(Failure(kind=KIND, symptom=symptom, began_s=began_s, ended_s=ended_s, what=what))

    def _may_go(self, labels: Labels) -> bool:
        named = dict(labels)
        return named.get("model") == NAME and int(named.get("version", 0)) not in self._releases.published[-NEWEST:]


def _symptom(error: httpx.HTTPError | TimeoutError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return symptom_of(error.response)

    return SCRAPE_LATE if isinstance(error, TimeoutError) else SCRAPE_REFUSED
