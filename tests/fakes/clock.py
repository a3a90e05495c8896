"""A clock that stands still until a test moves it."""

from app.infra.clock import Clock

START = 1_800_000_000.0


class FakeClock:
    """Wall and monotonic time, moved together by `advance`."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.elapsed_s += seconds

    def clock(self) -> Clock:
        """Return the product's view of this clock."""
        return Clock(now=lambda: START + self.elapsed_s, monotonic=lambda: self.elapsed_s)
