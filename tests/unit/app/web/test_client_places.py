"""Places are counted by client, and given back."""

from contextlib import ExitStack

import pytest

from app.errors import TooManyUploads
from app.web.client_places import ClientPlaces


def test_client_has_so_many_places_at_once() -> None:
    places = ClientPlaces(3, TooManyUploads)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(places.take("one"))
        with pytest.raises(TooManyUploads, match="3"), places.take("one"):
            pass
        with places.take("another"):
            assert places.count == 4

    with places.take("one"):
        assert places.count == 1
    assert places.count == 0
