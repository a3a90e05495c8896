"""Who may open a stream, which session is his, and what answers it."""

from dataclasses import replace
from unittest import mock

import msgspec
import pytest

from app.errors import (
    ExpiredToken,
    GalleyError,
    HeavyModel,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    ModelNotAllowed,
    ModelNotFound,
    RedisUnavailable,
    RevokedToken,
    SessionNotFound,
    StatelessModel,
    TooManySockets,
    VersionNotFound,
    WrongTask,
)
from app.services.route_table import Why
from app.services.routing import Router
from app.services.stream_sessions import Hold
from app.web.sockets.protocol import Hello
from app.web.sockets.reception import Binding, Guest
from app.web.sockets.streams import FRAUD, TEXT, Stream
from tests.factories.lobbies import BANK, SHOP, Lobby, make_identity, write_token

NOTHING = Binding()


def receive(
    lobby: Lobby, hello: Hello | None = None, *, stream: Stream = FRAUD, binding: Binding = NOTHING, **identity: object
) -> Guest:
    """Receive `shop` with a good token, changed."""
    return lobby.reception.receive(stream, hello or Hello(), make_identity(**identity), binding)


def test_a_good_token_says_who_comes(lobby: Lobby) -> None:
    identity = lobby.reception.identify(write_token(models=("fr*",)))

    assert (identity.client_id, identity.model_globs) == (SHOP, ("fr*",))


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (None, MissingToken),
        ("", InvalidToken),
        ("nonsense", InvalidToken),
        ({"exp": 1.0}, ExpiredToken),
        ({"scope": "jobs admin"}, InsufficientScope),
        ({"scope": ""}, InsufficientScope),
        ({"sub": "nobody"}, RevokedToken),
    ],
)
def test_any_other_is_refused(lobby: Lobby, token: dict[str, object] | str | None, error: type[GalleyError]) -> None:
    with pytest.raises(error):
        lobby.reception.identify(write_token(**token) if isinstance(token, dict) else token)


def test_a_revocation_is_heard(lobby: Lobby) -> None:
    token = write_token()
    identity = lobby.reception.identify(token)
    assert not lobby.reception.is_revoked(identity)
    lobby.tokens.revocations.tell_token(identity.token_id)

    assert lobby.reception.is_revoked(identity)
    with pytest.raises(RevokedToken):
        lobby.reception.identify(token)


@pytest.mark.parametrize(("stream", "model"), [(FRAUD, "fraud"), (TEXT, "text")])
def test_a_newcomer_gets_a_place_and_a_session(lobby: Lobby, stream: Stream, model: str) -> None:
    guest = receive(lobby, stream=stream)
    facts = guest.session.facts

    assert lobby.places.taken == {guest.place: SHOP}
    assert (facts.client_id, facts.stream, facts.model, facts.version, facts.subject) == (
        SHOP,
        stream.name,
        model,
        1,
        SHOP,
    )
    assert (facts.variant, facts.revision, facts.is_dealt) == (None, None, False)
    assert guest.answered_by == b'{"name":"%b","version":1,"variant":null}' % model.encode()


def test_what_a_route_chose_stays_with_the_session(lobby: Lobby) -> None:
    found = lobby.worker.services.routing.resolve("fraud")
    router = mock.create_autospec(Router, instance=True)
    router.resolve.return_value = replace(found, variant="trial", revision=7, why=Why.BUCKET)
    lobby.reception = replace(lobby.reception, router=router)
    guest = receive(lobby, binding=Binding(model="fraud", version="canary", subject="till-4"))

    router.resolve.assert_called_once_with("fraud", "canary", subject="till-4", client_id=SHOP)
    facts = guest.session.facts
    assert (facts.variant, facts.revision, facts.is_dealt, facts.subject) == ("trial", 7, True, "till-4")
    assert guest.answered_by == b'{"name":"fraud","version":1,"variant":"trial"}'


@pytest.mark.parametrize(
    ("binding", "error"),
    [
        (Binding(model="none"), ModelNotFound),
        (Binding(version="9"), VersionNotFound),
        (Binding(model="digits"), WrongTask),
        (Binding(model="text"), WrongTask),
        (Binding(model="heavy"), HeavyModel),
        (Binding(model="stateless"), StatelessModel),
    ],
)
def test_not_every_model_answers_a_stream(lobby: Lobby, binding: Binding, error: type[GalleyError]) -> None:
    with pytest.raises(error):
        receive(lobby, binding=binding)
    assert lobby.places.taken == {}


@pytest.mark.parametrize("model", ["fraud", "none"])
def test_a_client_is_bound_to_its_models_and_learns_of_no_others(lobby: Lobby, model: str) -> None:
    with pytest.raises(ModelNotAllowed):
        receive(lobby, binding=Binding(model=model), model_globs=("digits", "te*"))
    assert lobby.places.taken == {}


def test_a_client_has_so_many_sockets(lobby: Lobby) -> None:
    few = Lobby(lobby.worker, {"max_sockets": 1})
    receive(few)
    with pytest.raises(TooManySockets):
        receive(few)

    assert receive(few, client_id=BANK)


def test_a_session_goes_on(lobby: Lobby) -> None:
    first = receive(lobby).session
    lobby.sessions.note_answered(first, 5)
    again = receive(lobby, Hello(resume=first.resume_token), binding=Binding(model="none")).session

    assert (again.id, again.facts, again.last_seq) == (first.id, first.facts, 5)
    assert again.epoch > first.epoch


def test_a_session_ends_with_its_version(lobby: Lobby) -> None:
    facts = msgspec.structs.replace(receive(lobby).session.facts, version=99)
    held = lobby.sessions.open(facts)

    with pytest.raises(VersionNotFound):
        receive(lobby, Hello(resume=held.resume_token))
    # Whoever has it keeps it: what is under way there may still be answered.
    assert lobby.sessions.keep([held]) == [Hold.HELD]


@pytest.mark.parametrize("who", [{"client_id": BANK}, {"stream": TEXT}, {"hello": Hello(resume="s.guess")}])
def test_a_session_is_nobody_elses(lobby: Lobby, who: dict[str, object]) -> None:
    hello = Hello(resume=receive(lobby).session.resume_token)
    taken = dict(lobby.places.taken)

    with pytest.raises(SessionNotFound):
        receive(lobby, **{"hello": hello, **who})  # type: ignore[arg-type]
    assert lobby.places.taken == taken


def test_who_may_no_longer_use_the_model_does_not_go_on(lobby: Lobby) -> None:
    session = receive(lobby).session
    hello = Hello(resume=session.resume_token)

    with pytest.raises(ModelNotAllowed):
        receive(lobby, hello, model_globs=("text",))
    assert lobby.sessions.keep([session]) == [Hold.HELD]


def test_without_redis_nobody_is_received(lobby: Lobby) -> None:
    lobby.places.is_away = True
    with pytest.raises(RedisUnavailable):
        receive(lobby)


def test_without_redis_for_its_session_a_place_is_given_back(lobby: Lobby) -> None:
    lobby.sessions.is_away = True
    with pytest.raises(RedisUnavailable):
        receive(lobby)

    assert lobby.places.taken == {}


@pytest.mark.parametrize("is_done", [False, True])
def test_who_goes_leaves_its_place_and_a_session_that_is_done(lobby: Lobby, is_done: bool) -> None:
    guest = receive(lobby)
    lobby.reception.see_off(guest, is_done=is_done)

    assert lobby.places.taken == {}
    assert lobby.sessions.keep([guest.session]) == [Hold.FORGOTTEN if is_done else Hold.HELD]


def test_a_token_is_renewed_by_its_client_for_its_model(lobby: Lobby) -> None:
    guest, fresh = receive(lobby), make_identity()

    assert guest.renewed(fresh) == Guest(identity=fresh, place=guest.place, session=guest.session)
    with pytest.raises(InvalidToken):
        guest.renewed(make_identity(client_id=BANK))
    with pytest.raises(ModelNotAllowed):
        guest.renewed(make_identity(model_globs=("text",)))
