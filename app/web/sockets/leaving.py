"""A socket that is to go: with what it is closed, how long answers are waited for, and whether its session ends."""

from typing import Final

from app.web.sockets.protocol import CloseCode

LEAVING_S: Final = 5.0
"""How long answers are waited for; a third of the time that a draining worker has, where that is less."""


class Leaving:
    """Whether one socket leaves. Until the first wish that it should, it does not; nothing takes that back."""

    def __init__(self, drain_s: float) -> None:
        self._patience_s = min(LEAVING_S, drain_s / 3)
        self._until: float | None = None
        self.code: CloseCode | None = None
        """With what to close it when all is answered; None where it stays."""
        self.is_done = False
        """Whether its session ends, too."""

    def be_done(self) -> None:
        """Leave because the client is done, once all is answered, for which calls have limits of their own."""
        self.is_done = True
        self.code = self.code or CloseCode.NORMAL

    def hurry(self, now: float) -> None:
        """Leave because the socket must go, at a moment in monotonic seconds; the session stays."""
        self._until = self._until or now + self._patience_s
        self.code = self.code or CloseCode.GOING_AWAY

    def is_late(self, now: float) -> bool:
        """Whether answers were waited for long enough."""
        return self._until is not None and now > self._until

    def give_up(self) -> CloseCode:
        """Return with what to close before all is answered: the session stays, though its client may be done."""
        self.is_done = False
        return CloseCode.GOING_AWAY
