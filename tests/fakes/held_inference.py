"""Runners that answer when they are let go."""

from typing import Any

from gevent.event import Event

from tests.fakes.inference import FakeInferenceClient


class HeldInference(FakeInferenceClient):
    """Answers each row with itself, once it is let go; knows how many calls are under way."""

    def __init__(self) -> None:
        super().__init__(answer=lambda row, _top_k: row)
        self.gate = Event()
        self.gate.set()
        self.under_way: list[list[str]] = []
        """The keys of each call that has no answer yet."""
        self.fails: Exception | None = None

    def infer(self, *args: Any, **options: Any) -> Any:
        keys = [sequence.key for sequence in options["sequences"]]
        assert not {key for call in self.under_way for key in call} & set(keys), "a session is in two calls"
        self.under_way.append(keys)
        try:
            self.gate.wait()
            if self.fails is not None:
                raise self.fails
            return super().infer(*args, **options)
        finally:
            self.under_way.remove(keys)
