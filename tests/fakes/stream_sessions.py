"""Sessions of streams, and places of sockets, kept in memory, which can be away."""

import secrets
from collections.abc import Mapping, Sequence

from app.errors import RedisUnavailable, SessionNotFound, TooManySockets
from app.services.socket_places import SocketPlaces
from app.services.stream_sessions import (
    Check,
    Hold,
    SessionFacts,
    StreamSession,
    StreamSessions,
    hold_of,
    mark_key,
)


class _Memory:
    """What stands in for Redis."""

    is_away = False
    """Whether it answers nothing."""
    asked_in_vain = 0
    """How often it was asked while it was away."""

    def _trip(self) -> None:
        if self.is_away:
            self.asked_in_vain += 1
            raise RedisUnavailable("The test took it away.")


class FakeStreamSessions(_Memory, StreamSessions):
    """Behaves as StreamSessions does; tests/integration/test_stream_sessions.py holds both to the same."""

    def __init__(self, *, keep_s: int = 600) -> None:
        self.keep_s = keep_s
        self.marks: dict[str, int] = {}
        """How far sessions are, by `mark_key`."""
        self._told = []
        self._sessions: dict[str, StreamSession] = {}

    def open(self, facts: SessionFacts) -> StreamSession:
        """Begin a session."""
        self._trip()
        return self._hold(secrets.token_hex(16), facts, 1, secrets.token_hex(4))

    def resume(self, token: str, *, client_id: str, stream: str, check: Check) -> StreamSession:
        """Go on with a session; its former socket hears of it before this returns."""
        self._trip()
        session_id, _, secret = token.partition(".")
        held = self._sessions.get(session_id)
        if held is None or held.resume_token != token:
            raise SessionNotFound
        if (held.facts.client_id, held.facts.stream) != (client_id, stream):
            raise SessionNotFound

        check(held.facts)
        taken = self._hold(session_id, held.facts, held.epoch + 1, secret)
        self.hear(f"{session_id} {taken.epoch}".encode())
        return taken

    def keep(self, sessions: Sequence[StreamSession]) -> list[Hold]:
        """Say of each session whether it is still its socket's."""
        self._trip()
        epochs = {session.id: session.epoch for session in self._sessions.values()}
        return [hold_of(session, epochs.get(session.id)) for session in sessions]

    def note_answered(self, session: StreamSession, seq: int) -> None:
        """Remember that a frame was answered."""
        self._trip()
        key = mark_key(session.id)
        self.marks[key] = max(seq, self.marks.get(key, 0))

    def end(self, session: StreamSession) -> None:
        """Forget a session, if it is its socket's."""
        [hold] = self.keep([session])
        if hold is not Hold.HELD:
            return

        self._sessions.pop(session.id, None)
        self.marks.pop(mark_key(session.id), None)

    def _hold(self, session_id: str, facts: SessionFacts, epoch: int, secret: str) -> StreamSession:
        held = self._sessions[session_id] = self._held(
            session_id,
            facts,
            epoch=epoch,
            last_seq=self.marks.get(mark_key(session_id), 0),
            resume_token=f"{session_id}.{secret}",
        )
        return held


class FakeSocketPlaces(_Memory, SocketPlaces):
    """Behaves as SocketPlaces does; tests/integration/test_socket_places.py holds both to the same."""

    def __init__(self, *, most: int = 1000) -> None:
        self._most = most
        self.taken: dict[str, str] = {}
        """The client of each place."""
        self.kept: list[str] = []
        """The places that were kept, each time."""

    def take(self, client_id: str) -> str:
        """Take a place."""
        self._trip()
        if list(self.taken.values()).count(client_id) >= self._most:
            raise TooManySockets(self._most)

        place = secrets.token_hex(8)
        self.taken[place] = client_id
        return place

    def keep(self, clients: Mapping[str, str]) -> None:
        """Say that places are still taken."""
        self._trip()
        self.kept += clients

    def leave(self, client_id: str, place: str) -> None:
        """Give a place back."""
        self._trip()
        self.taken.pop(place, None)
