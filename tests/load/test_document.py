"""What is written by hand in docs/benchmarks.md stays; what was measured is replaced where it stands."""

import pytest

from tests.architecture.source import ROOT
from tests.load.document import OPENING, Section, Unclosed, merged
from tests.load.report import Table
from tests.load.suites import SUITES


def section(name: str, value: str) -> Section:
    table = Table(title=f"Table of {name}", columns=["", "figure"], rows=[["row", value]], note="How it was done.")
    return Section(name=name, tables=[table], footing=f"Measured as {value}.")


def test_a_new_document_opens_and_has_the_sections_in_order() -> None:
    text = merged(merged("", section("one", "1")), section("two", "2"))

    assert text.startswith(OPENING)
    assert text.index("<!-- measured: one -->") < text.index("| row | 1 |") < text.index("Measured as 1.")
    assert text.index("<!-- end: one -->") < text.index("<!-- measured: two -->") < text.index("<!-- end: two -->")


def test_measuring_again_replaces_the_section_and_nothing_else() -> None:
    first = merged(merged("", section("one", "1")), section("two", "2"))
    by_hand = "## Where each microsecond goes\n\nProse with \\1 and | pipes.\n"
    text = first.replace("<!-- measured: two -->", f"{by_hand}\n<!-- measured: two -->") + "\nLast words.\n"

    again = merged(text, section("one", "100"))

    assert again == text.replace("| row | 1 |", "| row | 100 |").replace("Measured as 1.", "Measured as 100.")
    assert by_hand in again
    assert again.endswith("Last words.\n")
    assert merged(again, section("one", "100")) == again


def test_a_new_section_comes_after_what_was_written_by_hand() -> None:
    text = merged(merged("", section("one", "1")) + "\nBy hand.\n", section("two", "2"))

    assert text.index("By hand.") < text.index("<!-- measured: two -->")


def test_a_section_without_an_end_is_not_guessed_at() -> None:
    text = merged("", section("one", "1")).replace("<!-- end: one -->", "")

    with pytest.raises(Unclosed, match="end: one"):
        merged(text, section("one", "2"))


def test_the_document_has_each_section_once_and_closed() -> None:
    text = (ROOT / "docs/benchmarks.md").read_text("utf-8")

    for name in SUITES:
        begins, ends = text.count(f"<!-- measured: {name} -->"), text.count(f"<!-- end: {name} -->")
        assert begins == ends <= 1
