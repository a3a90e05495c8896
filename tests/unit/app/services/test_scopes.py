"""Only known scopes are accepted."""

import pytest

from app.errors import InvalidFields
from app.services.scopes import ALL_SCOPES, check_scopes, scope_text


def test_known_scopes_pass() -> None:
    assert check_scopes(frozenset({"infer", "jobs"})) == {"infer", "jobs"}


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"infer", "root"})])
def test_unknown_or_no_scopes_are_refused(scopes: frozenset[str]) -> None:
    with pytest.raises(InvalidFields) as refusal:
        check_scopes(scopes)

    assert list(refusal.value.errors) == ["scopes"]


def test_scopes_are_written_sorted() -> None:
    assert scope_text(ALL_SCOPES) == "admin infer jobs models:read models:write"
