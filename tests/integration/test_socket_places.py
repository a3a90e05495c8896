"""Places of sockets over a real Redis: so many for each client, and none kept for who was killed."""

from pathlib import Path

import pytest
import redis

from app.errors import RedisUnavailable, TooManySockets
from app.infra.redis import make_redis
from app.services.socket_places import REMEMBERED_S, SocketPlaces
from tests.factories.settings import make_settings
from tests.fakes.clock import FakeClock
from tests.fakes.stream_sessions import FakeSocketPlaces

MOST = 2


@pytest.fixture
def places(redis_client: redis.Redis) -> SocketPlaces:
    return SocketPlaces(redis_client, most=MOST)


@pytest.fixture(params=["real", "fake"])
def either(request: pytest.FixtureRequest, places: SocketPlaces) -> SocketPlaces:
    return places if request.param == "real" else FakeSocketPlaces(most=MOST)


def test_each_client_has_so_many(either: SocketPlaces) -> None:
    for _ in range(MOST):
        either.take("shop")
    with pytest.raises(TooManySockets):
        either.take("shop")

    assert either.take("another")


def test_who_was_refused_takes_no_place(either: SocketPlaces) -> None:
    first, _ = either.take("shop"), either.take("shop")
    for _ in range(3):
        with pytest.raises(TooManySockets):
            either.take("shop")
    either.leave("shop", first)

    assert either.take("shop")


def test_a_place_is_kept_once(either: SocketPlaces) -> None:
    place = either.take("shop")
    for _ in range(3):
        either.keep({place: "shop"})

    assert either.take("shop")


def test_a_place_that_was_given_back_stays_free(either: SocketPlaces) -> None:
    """Also where the word that it is still taken was under way."""
    gone = either.take("shop")
    either.leave("shop", gone)
    either.keep({gone: "shop"})

    assert [either.take("shop") for _ in range(MOST)]


def test_a_place_that_nobody_keeps_is_free_again(redis_client: redis.Redis) -> None:
    time = FakeClock()
    places = SocketPlaces(redis_client, most=MOST, clock=time.clock())
    kept, _lost = places.take("shop"), places.take("shop")
    time.advance(REMEMBERED_S - 1)
    places.keep({kept: "shop"})
    time.advance(2)

    assert places.take("shop")
    with pytest.raises(TooManySockets):
        places.take("shop")


def test_places_of_several_clients_are_kept_together(redis_client: redis.Redis) -> None:
    time = FakeClock()
    places = SocketPlaces(redis_client, most=1, clock=time.clock())
    clients = {places.take(client_id): client_id for client_id in ("shop", "bank")}
    time.advance(REMEMBERED_S - 1)
    places.keep(clients)
    places.keep({})
    time.advance(2)

    for client_id in clients.values():
        with pytest.raises(TooManySockets):
            places.take(client_id)


def test_what_is_in_redis_ends_with_the_sockets(places: SocketPlaces, redis_client: redis.Redis) -> None:
    place = places.take("shop")
    [key] = redis_client.keys("*")
    assert 0 < redis_client.ttl(key) <= REMEMBERED_S

    redis_client.expire(key, 5)
    places.keep({place: "shop"})
    assert redis_client.ttl(key) > REMEMBERED_S - 5
    places.leave("shop", place)
    assert redis_client.keys("*") == []


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, redis_url=f"unix://{tmp_path}/none.sock")
    with make_redis(settings) as client, pytest.raises(RedisUnavailable):
        SocketPlaces(client, most=1).take("shop")
