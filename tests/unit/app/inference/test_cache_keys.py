"""Two calls have the same key only if the same answer is right for both."""

from typing import Any

import pytest

from app.inference.cache_keys import _MOST_PREFIXES, KEY_BYTES, CacheKeys, shared_key
from app.inference.messages import Form
from model_store.model_ref import ModelRef
from tests.factories.cached_calls import make_call


def key(row: bytes = b"row", **changes: Any) -> bytes:
    (only,) = CacheKeys().of(make_call(row, **changes))
    return only


@pytest.mark.parametrize(
    "changes",
    [
        {"row": b"row "},
        {"row": b""},
        {"digest": "e" * 64},
        {"ref": ModelRef("digits", 2)},
        {"ref": ModelRef("other", 1)},
        {"form": Form.TENSORS},
        {"parameters": {"top_k": 5}},
        {"client_id": "c1"},
    ],
)
def test_whatever_decides_an_answer_changes_the_key(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize("changes", [{"ttl_s": 1.0}, {"deadline": 9.0}, {"parameters": {}}])
def test_what_decides_nothing_does_not(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_parameters_are_canonical() -> None:
    assert key(parameters={"a": 1, "b": 2}) == key(parameters={"b": 2, "a": 1})
    assert key(parameters={"a": 1}) != key(parameters={"a": 1.5})
    assert key(parameters={"a": 1}) != key(parameters={"a": "1"})


def test_parts_do_not_run_together() -> None:
    """A client's name that ends as a row begins is another call than that row of the shorter name."""
    assert key(b"ow", client_id="cr") != key(b"row", client_id="c")
    assert key(b"\xa1crow") != key(b"row", client_id="c")


def test_each_row_has_its_own_key_whatever_stands_beside_it() -> None:
    keys = CacheKeys()
    one, two, again = keys.of(make_call(b"1", b"2", bytearray(b"1")))

    assert one == again != two
    assert keys.of(make_call(b"2")) == [two]
    assert len(one) == KEY_BYTES
    assert shared_key(one) == f"galley:cache:{one.hex()}"


def test_large_rows_have_the_keys_they_have_alone() -> None:
    rows = [b"a" * 2**20, b"b" * 2**20]

    assert CacheKeys().of(make_call(*rows)) == [key(row) for row in rows]


def test_what_is_remembered_of_calls_is_bounded() -> None:
    keys = CacheKeys()
    first = keys.of(make_call(b"row", parameters={"n": 0}))
    for number in range(_MOST_PREFIXES + 10):
        keys.of(make_call(b"row", parameters={"n": number}))

    assert len(keys._prefixes) <= _MOST_PREFIXES
    assert keys.of(make_call(b"row", parameters={"n": 0})) == first
