"""The curl line can be pasted."""

import shlex
from pathlib import Path

from deploy.stack.welcome import curl_line, welcome
from tests.factories.settings import make_settings


def test_curl_line_sends_the_sample_picture(tmp_path: Path) -> None:
    picture = tmp_path / "with space" / "digit-7.png"
    picture.parent.mkdir()
    picture.write_bytes(b"")

    words = shlex.split(curl_line("http://127.0.0.1:8000", "abc", picture.parent))

    assert words[0] == "curl"
    assert "Authorization: Bearer abc" in words
    assert f"image=@{picture}" in words
    assert words[-1] == "http://127.0.0.1:8000/api/v1/images/classifications"


def test_curl_line_without_a_picture_lists_models(tmp_path: Path) -> None:
    assert curl_line("http://127.0.0.1:8000", "abc", tmp_path).endswith("http://127.0.0.1:8000/api/v1/models")


def test_welcome_names_address_docs_and_logs(tmp_path: Path) -> None:
    text = welcome(make_settings(tmp_path, port=9123), "abc")

    assert "http://127.0.0.1:9123/docs" in text
    assert str(tmp_path / "log") in text
