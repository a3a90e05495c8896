"""Scrapes that fail, that come late and that are wrong are told."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from tests.chaos.echo_model import NAME
from tests.chaos.journal import ANSWERED, Journal
from tests.chaos.releases import Releases
from tests.chaos.scraper import KIND, REQUESTS, Scraper

Handler = Callable[[httpx.Request], Any]
# So little patience that whoever never answers is late at once.
HARDLY = 0.001


def count(value: int, *, model: str = "digits", version: int = 1) -> str:
    return f'# HELP a_total A.\n# TYPE a_total counter\na_total{{model="{model}",version="{version}"}} {value}\n'


def scraped(monkeypatch: pytest.MonkeyPatch, *texts: str) -> Journal:
    told, journal = iter(texts), Journal()
    releases = Releases(published=[1, 2, 3])
    made = answering(monkeypatch, lambda _: httpx.Response(200, text=next(told)), journal, releases)
    for _ in texts:
        assert asyncio.run(made.scrape())
    made.sum_up()
    assert journal.counts[KIND, ANSWERED] == len(made.times_s) == len(texts)
    return journal


def answering(
    monkeypatch: pytest.MonkeyPatch, handler: Handler, journal: Journal, releases: Releases, *, patience: float = 1.0
) -> Scraper:
    """Make a scraper of a server that a function stands in for."""
    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(handler))
    monkeypatch.setattr(httpx, "AsyncClient", client)
    return Scraper("http://galley", journal, releases, patience=patience)


@pytest.mark.parametrize(
    ("texts", "broken"),
    [
        ((count(1), count(2)), []),
        ((count(2), count(1)), ["scraped"]),
        (("no scrape",), ["scraped"]),
        ((count(1, version=99), "".join(count(1, version=n) for n in range(6))), ["scraped"] * 2),
        # The operator deletes old versions of this model, and no others.
        ((count(1, model=NAME, version=1), count(1, model=NAME, version=3)), []),
        ((count(1, model=NAME, version=2), count(1, model=NAME, version=3)), ["scraped"]),
    ],
)
def test_what_scrapes_tell(monkeypatch: pytest.MonkeyPatch, texts: tuple[str, ...], broken: list[str]) -> None:
    assert [violation.rule for violation in scraped(monkeypatch, *texts).violations] == broken


def _refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def _break(_: httpx.Request) -> httpx.Response:
    return httpx.Response(500, json={"code": "internal_error"})


async def _hang(_: httpx.Request) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("handler", "patience", "symptom"),
    [(_refuse, 1.0, "scrape refused"), (_break, 1.0, "status 500 internal_error"), (_hang, HARDLY, "scrape late")],
)
def test_scrapes_that_fail(monkeypatch: pytest.MonkeyPatch, handler: Handler, patience: float, symptom: str) -> None:
    journal = Journal()

    assert not asyncio.run(answering(monkeypatch, handler, journal, Releases(), patience=patience).scrape())
    assert [(failure.kind, failure.symptom) for failure in journal.failures] == [(KIND, symptom)]


@pytest.mark.parametrize(
    ("counted", "broken"), [(9, ["counted"]), (10, []), (13, []), (14, ["counted"])], ids=["lost", "", "", "doubled"]
)
def test_answers_are_counted_each_once(monkeypatch: pytest.MonkeyPatch, counted: int, broken: list[str]) -> None:
    head, journal = f"# HELP {REQUESTS} R.\n# TYPE {REQUESTS} counter\n", Journal()
    journal.answers.update({("POST", 200): 10, ("POST", 0): 2, ("POST", 503): 1, ("POST", 404): 5, ("GET", 200): 5})
    told = (f'{head}{REQUESTS}{{method="POST",status="200"}} {value}\n' for value in (100, 100 + counted))
    made = answering(monkeypatch, lambda _: httpx.Response(200, text=next(told)), journal, Releases())

    async def load() -> None:
        await made.begin()
        await made.end()

    asyncio.run(load())

    assert [violation.rule for violation in journal.violations] == broken
