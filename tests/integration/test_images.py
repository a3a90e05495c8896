"""Real pictures through the web app, the inference client and a real runner."""

import csv
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.factories.pictures import colour_scores, plain_picture
from tests.factories.runners import make_spec
from tests.factories.uploads import upload
from tests.factories.web import WebWorker
from tests.factories.web_runner import web_before

PATH = "/api/v1/images/classifications?model=colours"
# Pillow warns of broken metadata, which must not fail a picture; only here are warnings errors.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HOSTILE = Path(os.environ.get("GALLEY_DATA", "")) / "images-hostile"


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@pytest.fixture(scope="module")
def web() -> Iterator[WebWorker]:
    """A web worker in front of a runner of `colours`."""
    with tempfile.TemporaryDirectory(prefix="galley-") as name:
        folder = Path(name)
        with web_before(make_spec(folder, folder, max_image_pixels=50_000_000), folder) as worker:
            yield worker


def test_picture_gets_its_labels(caller: FlaskClient) -> None:
    response = caller.post(PATH, data=plain_picture((200, 60, 10), size=(50, 30), kind="JPEG"))

    assert response.status_code == 200
    (result,) = response.json["results"]
    assert (result["width"], result["height"]) == (50, 30)
    assert [label["label"] for label in result["labels"]] == ["red", "green", "blue"]
    expected = colour_scores((200, 60, 10))
    assert {label["label"]: label["score"] for label in result["labels"]} == pytest.approx(expected, abs=0.05)


def test_pictures_are_answered_in_order_with_errors_between(caller: FlaskClient) -> None:
    red, blue = plain_picture((255, 0, 0)), plain_picture((0, 0, 255), kind="WEBP")
    broken = plain_picture((255, 0, 0), size=(300, 200), kind="JPEG")[:500]
    images = [red, b"<svg/>", blue, broken]

    response = caller.post(PATH, **upload(*images))

    results = response.json["results"]
    assert [result["labels"][0]["label"] if "labels" in result else None for result in results] == [
        "red",
        None,
        "blue",
        None,
    ]
    assert [results[1]["error"]["code"], results[3]["error"]["code"]] == ["unsupported_image", "unreadable_image"]


def hostile_images() -> list[tuple[str, str]]:
    index = HOSTILE / "index.tsv"
    if not index.is_file():
        return []

    with index.open(newline="") as lines:
        return [(row["file"], row["expect"]) for row in csv.DictReader(lines, delimiter="\t")]


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
def test_hostile_images_answer_as_their_index_says(caller: FlaskClient) -> None:
    wanted = {"200": re.compile("200"), "4xx": re.compile("4.."), "either": re.compile("200|4..")}
    images = hostile_images()
    wrong = []
    for name, expect in images:
        response = caller.post(PATH, **upload((HOSTILE / name).read_bytes()))
        if not wanted[expect].fullmatch(str(response.status_code)):
            wrong.append((name, expect, response.status_code, response.text[:200]))

    assert len(images) > 80
    assert wrong == []


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
def test_hostile_images_all_at_once_harm_no_neighbour(caller: FlaskClient) -> None:
    good = plain_picture((0, 255, 0))
    names = [name for name, expect in hostile_images() if expect == "4xx"][:31]
    images = [(HOSTILE / name).read_bytes() for name in names]

    response = caller.post(PATH, **upload(*images, good))

    assert response.status_code == 200
    assert [name for name, result in zip(names, response.json["results"], strict=False) if "labels" in result] == []
    assert response.json["results"][-1]["labels"][0]["label"] == "green"
