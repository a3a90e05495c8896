"""What the streams of a web worker share comes from its services and settings."""

import json
import time
from dataclasses import replace

import pytest

from app.web.limits import limits_of
from app.web.sockets.desk import StreamDesk, current_desk, init_desk
from app.web.sockets.keeper import Keeper
from app.web.sockets.open_sockets import OpenSockets
from app.web.sockets.reception import Guest
from app.web.sockets.streams import FRAUD
from tests.factories.conversations import wait
from tests.factories.lobbies import SHOP, make_identity
from tests.factories.scored_events import scored
from tests.factories.streams import event_frame, make_session
from tests.factories.web import WebWorker
from tests.fakes.stream_sessions import FakeSocketPlaces, FakeStreamSessions

GUEST = Guest(identity=make_identity(), place="p", session=make_session(version=1))
KEEPER = Keeper(FakeStreamSessions(), FakeSocketPlaces())


def test_an_event_goes_to_the_runner_in_the_name_of_its_client(
    furnished: WebWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = replace(furnished.services, settings=replace(furnished.services.settings, stream_credits=7))
    monkeypatch.setattr(furnished.inference, "answer", scored)
    desk, said = StreamDesk(services, limits_of(furnished.app), OpenSockets(KEEPER)), list[str]()
    exchange = desk.circumstances.open_exchange(FRAUD, GUEST, said.append)
    exchange.take(event_frame(1))
    assert exchange.credits == 6
    wait(lambda: said)
    call = furnished.inference.calls[-1]

    assert (json.loads(said[0])["score"], json.loads(said[0])["model"]["version"]) == (0.75, 1)
    assert (call.ref, call.client_id) == (GUEST.session.facts.ref, SHOP)
    assert 0 < call.deadline - time.monotonic() <= services.settings.request_timeout_s


def test_a_reception_goes_by_the_services(furnished: WebWorker) -> None:
    services = furnished.services
    reception = StreamDesk(services, limits_of(furnished.app), OpenSockets(KEEPER)).reception

    assert (reception.tokens, reception.sessions, reception.places) == (
        services.tokens,
        services.sessions,
        services.places,
    )


def test_an_app_has_one_desk(furnished: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(furnished.app, "extensions", dict(furnished.app.extensions))
    sockets = OpenSockets(KEEPER)
    init_desk(furnished.app, furnished.services, sockets)

    with furnished.app.app_context():
        assert current_desk().sockets is sockets
