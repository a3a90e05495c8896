"""Texts over HTTP through the web app, the inference client and a real runner, against the model itself."""

import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.scenarios.text import MAX_TEXT_BYTES
from tests.factories.classified_texts import TEXTS
from tests.factories.runners import make_spec
from tests.factories.texts import TextDesk, make_classifier, text_manifest
from tests.factories.web import WebWorker
from tests.factories.web_runner import web_before

MODEL = {"name": "text", "version": 1, "variant": None}
ALPHABET = "abc déß漢\N{SAILBOAT}\n\x00"


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@pytest.fixture(scope="module")
def desk() -> TextDesk:
    return TextDesk()


@pytest.fixture(scope="module")
def web() -> Iterator[WebWorker]:
    """A web worker in front of a runner of `text`."""
    with tempfile.TemporaryDirectory(prefix="galley-") as name:
        folder = Path(name)
        parts: dict[str, Any] = {"name": "text", "manifest": text_manifest(), "samples": None}
        with web_before(make_spec(folder, folder, make_classifier(), **parts), folder) as worker:
            yield worker


def assert_answered(results: list[dict[str, Any]], texts: list[str], desk: TextDesk, **asked: int) -> None:
    """Assert that each text has the answer that the model gives to it alone."""
    for result, wanted in zip(results, desk.read(*(text.encode() for text in texts), **asked), strict=True):
        assert [one["label"] for one in result["labels"]] == [one["label"] for one in wanted["labels"]]
        scores, wanted_scores = ([one["score"] for one in each["labels"]] for each in (result, wanted))
        assert scores == pytest.approx(wanted_scores, abs=1e-5)
        assert (result["label"], result["score"]) == (result["labels"][0]["label"], result["labels"][0]["score"])


def random_texts(count: int, *, seed: int) -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(ALPHABET, k=generator.randrange(60))) for _ in range(count)]


def test_256_texts_are_answered_in_order(caller: FlaskClient, desk: TextDesk) -> None:
    texts = random_texts(256, seed=1)

    answer = caller.post(f"{TEXTS}?top_k=3", json={"texts": texts}).json

    assert answer["model"] == MODEL
    assert_answered(answer["results"], texts, desk, top_k=3)


def test_one_text_has_the_answer_that_it_has_among_others(caller: FlaskClient, desk: TextDesk) -> None:
    for text in ["", "\x00", "where is my card?", *random_texts(5, seed=2)]:
        answer = caller.post(TEXTS, json={"text": text})
        assert answer.status_code == 200, answer.text
        assert_answered(answer.json["results"], [text], desk)


def test_kept_answers_are_the_first_ones(caller: FlaskClient) -> None:
    texts = random_texts(20, seed=3)

    first, second = (caller.post(TEXTS, json={"texts": texts}) for _ in range(2))

    assert [answer.headers["X-Cache"] for answer in (first, second)] == ["miss", "hit"]
    assert first.data == second.data


def test_a_long_text_among_short_ones_spares_them(caller: FlaskClient, desk: TextDesk) -> None:
    texts = [*random_texts(200, seed=4), "long " * (MAX_TEXT_BYTES // 5), *random_texts(55, seed=5)]

    answer = caller.post(TEXTS, json={"texts": texts})

    assert answer.status_code == 200, answer.text
    assert_answered(answer.json["results"], texts, desk)


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data")
def test_naughty_strings_are_texts(caller: FlaskClient, desk: TextDesk) -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "text-naughty-strings"
    strings = json.loads((folder / "blns.json").read_text("utf-8"))

    for start in range(0, len(strings), 256):
        some = strings[start : start + 256]
        assert_answered(caller.post(TEXTS, json={"texts": some}).json["results"], some, desk)
