"""Answers that are made while they are read: begun before their head is sent, and ended when the worker is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flask import Flask, current_app, request
from gevent.event import Event

from app.errors import TooManyFollowed
from app.web.client_places import ClientPlaces

MOST_FOLLOWED: Final = 16
"""So many, of events or of results, may one client follow at each web worker."""

_KEY: Final = "galley_followed_answers"


class FollowedAnswers:
    """The answers of events and results that one web worker has begun. Share it between greenlets."""

    def __init__(self) -> None:
        self._places = ClientPlaces(MOST_FOLLOWED, TooManyFollowed)
        self._ending = Event()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._places.count

    @contextmanager
    def follow(self, client_id: str) -> Iterator[None]:
        """Count an answer of a client for the length of the block.

        :raises TooManyFollowed: when it follows as many as it may.
        """
        with self._places.take(client_id):
            yield

    def followed(self, client_id: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield pieces, counted as an answer of a client from the first to the last.

        :raises TooManyFollowed: at the first, when it follows as many as it may.
        """
        with self.follow(client_id):
            yield from pieces

    def wait(self, seconds: float) -> bool:
        """Wait so long; return whether answers are to go on."""
        return not self._ending.wait(seconds)

    def end(self) -> None:
        """Let all answers end: their clients come again, to a worker that stays."""
        self._ending.set()


def init_followed_answers(app: Flask) -> None:
    """Give `app` its followed answers, of which none is begun yet."""
    app.extensions[_KEY] = FollowedAnswers()


def followed_answers_of(app: Flask) -> FollowedAnswers:
    """Return the followed answers of `app`."""
    answers: FollowedAnswers = app.extensions[_KEY]
    return answers


def current_followed_answers() -> FollowedAnswers:
    """Return the followed answers of the current app."""
    return followed_answers_of(current_app)


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the pieces, the first of which is made now: a failure that it meets is still an answer of its own.

    Who asks for the head alone gets none.
    """
    return iter(()) if request.method == "HEAD" else _with_first(next(pieces, b""), pieces)


def _with_first(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces
