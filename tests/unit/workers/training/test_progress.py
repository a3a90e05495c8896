"""Tests of progress lines."""

from workers.training.progress import tracked


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quick_work_is_done_in_silence() -> None:
    lines: list[str] = []

    assert list(tracked(range(3), "counting", lines.append)) == [0, 1, 2]
    assert lines == []


def test_slow_work_tells_how_much_is_left_at_most_once_per_period() -> None:
    lines: list[str] = []
    clock = Clock()
    for _ in tracked(range(10), "counting", lines.append, every_s=2.0, clock=clock):
        clock.now += 1.0

    assert lines == [f"counting: {done} of 10, about {10 - done} s left" for done in (2, 4, 6, 8)]
