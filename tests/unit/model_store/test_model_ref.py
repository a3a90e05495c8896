"""Names that could leave the store, hide a route or break a URL are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidName
from model_store.model_ref import MAX_VERSION, ModelRef, check_alias, check_file_name, check_model_name

TRICKS = [
    "", ".", "..", "../digits", "a/b", "/etc", "a\\b", ".hidden", "-rf", "a\0b", "a\nb", "digits\n", "a b", "ä",
    "%2e%2e", "~root", "C:", "x" * 129, "stats", "${HOME}", "１",
]  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_tricks_name_no_model(name: str) -> None:
    with pytest.raises(InvalidName, match="cannot name a model"):
        check_model_name(name)


@pytest.mark.parametrize("name", ["digits", "resnet-18", "a.b_c", "7", "x" * 128])
def test_plain_names_are_taken(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize("version", [0, -1, MAX_VERSION + 1])
def test_versions_outside_the_range_are_refused(version: int) -> None:
    with pytest.raises(InvalidName, match="A version is an integer"):
        ModelRef("digits", version)


def test_refs_sort_by_name_and_number() -> None:
    refs = [ModelRef("b", 1), ModelRef("a", 10), ModelRef("a", 9)]

    assert list(map(str, sorted(refs))) == ["a/9", "a/10", "b/1"]


@pytest.mark.parametrize("alias", ["", "1", "1st", "a/b", "..", "x" * 65])
def test_an_alias_cannot_pass_for_a_number_or_a_path(alias: str) -> None:
    with pytest.raises(InvalidName, match="cannot be an alias"):
        check_alias(alias)


@pytest.mark.parametrize(
    "path", ["", "..", "../x", "a/../x", "/x", "a//b", "a/", ".x", "a/.x", "a\\b", "a\0", "1/2/3/4/5/6", "x" * 129]
)
def test_file_names_stay_inside(path: str) -> None:
    with pytest.raises(InvalidName, match="cannot be a file"):
        check_file_name(path)


@given(st.text(max_size=40))
def test_no_accepted_file_name_has_a_dot_segment(path: str) -> None:
    try:
        check_file_name(path)
    except InvalidName:
        return

    assert not path.startswith("/")
    assert all(segment and not segment.startswith(".") for segment in path.split("/"))
