"""The dashboard: what is committed is what the code writes, and Grafana can draw it."""

from itertools import combinations
from typing import Any

import orjson

from deploy.dashboard import COLUMNS, DASHBOARD, SECTIONS, dashboard, text


def panels() -> list[dict[str, Any]]:
    """Return all panels as Grafana reads them."""
    found: list[dict[str, Any]] = dashboard()["panels"]
    return found


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Say whether two places have a field of the grid in common."""
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


def test_what_is_committed_is_what_is_written() -> None:
    assert DASHBOARD.read_bytes() == text(), "Run `python -m deploy.dashboard`."


def test_panels_lie_side_by_side() -> None:
    places = [panel["gridPos"] for panel in panels()]

    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    assert overlap(places[0], places[0])


def test_every_panel_is_drawn_once() -> None:
    ids = [panel["id"] for panel in panels()]
    titles = [panel.title for section in SECTIONS for panel in section.panels]

    assert len(set(ids)) == len(ids) == len(titles) + len(SECTIONS)
    assert len(set(titles)) == len(titles)


def test_queries_of_a_panel_have_names_of_their_own() -> None:
    for panel in orjson.loads(text())["panels"]:
        names = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(names)) == len(names)
        assert bool(names) == (panel["type"] != "row")
