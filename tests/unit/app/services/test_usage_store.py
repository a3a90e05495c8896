"""How requests are folded into days of use; what Redis makes of them: tests/integration/test_usage.py."""

import pytest

from app.services.usage_store import Use, Used, make_batch


@pytest.mark.parametrize(
    ("status", "counter"),
    [
        (200, "answered"),
        (304, "answered"),
        (400, "caller_errors"),
        (429, "refused"),
        (499, "caller_errors"),
        (500, "errors"),
        (503, "errors"),
    ],
)
def test_a_request_is_counted_by_how_it_ended(status: int, counter: str) -> None:
    assert Used.of(status, requests=3, rows=7) == Used(**{"requests": 3, "rows": 7, counter: 3})


def test_what_is_zero_takes_no_field() -> None:
    batch = make_batch({Use(0, "checkout", "management", "", 200): (2, 0)})

    assert batch.days == {
        "galley:usage:checkout:1970-01-01": {"class:management:requests": 2, "class:management:answered": 2}
    }


def test_batches_have_ids_of_their_own() -> None:
    uses = {Use(0, "checkout", "management", "", 200): (2, 0)}

    assert make_batch(uses).batch_id != make_batch(uses).batch_id
