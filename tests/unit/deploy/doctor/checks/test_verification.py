"""The walls that are missing are named."""

from pathlib import Path

import pytest

from deploy.doctor.checks import verification
from tests.factories.doctor import assert_sound, make_case


@pytest.mark.parametrize(
    ("found", "verdicts"),
    [
        ({"landlock": 4, "is_root": False, "leaves_network": True}, ["ok", "ok"]),
        ({"landlock": 0, "is_root": True, "leaves_network": True}, ["warning", "ok"]),
        ({"landlock": 0, "is_root": False, "leaves_network": False}, ["warning", "warning"]),
    ],
)
def test_walls(found: dict[str, int | bool], verdicts: list[str]) -> None:
    findings = list(verification.judge(found))

    for finding in findings:
        assert_sound(finding)
    assert [finding.verdict for finding in findings] == verdicts


def test_who_has_nobodys_rights_is_told_otherwise() -> None:
    root, other = (
        next(verification.judge({"landlock": 0, "is_root": is_root, "leaves_network": True}))
        for is_root in (True, False)
    )

    assert "as nobody" in root.says
    assert "as nobody" not in other.says


def test_where_nothing_is_verified_no_wall_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "ROOT", tmp_path)

    [finding] = verification.walls(make_case(tmp_path))

    assert (finding.verdict, "web image" in finding.says) == ("ok", True)
