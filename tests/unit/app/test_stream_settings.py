"""The settings of streams: what is refused, by the name of the variable."""

import pytest
from environs import Env

from app.setting_rules import problems_of
from app.stream_settings import StreamSettings, read_stream_settings


def test_each_field_is_read() -> None:
    assert set(read_stream_settings(Env())) == set(StreamSettings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_SOCKETS", "0"),
        ("LIMIT_EVENTS", "many"),
        ("STREAM_CREDITS", "0"),
        ("STREAM_CREDITS", "1025"),
        ("STREAM_FRAME_BYTES", "4095"),
        ("STREAM_FRAME_BYTES", "16777217"),
        ("STREAM_IDLE_S", "-1"),
        ("STREAM_KEEP_S", "soon"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    env = Env(eager=False)
    read_stream_settings(env)

    assert list(problems_of(env)) == [name]
