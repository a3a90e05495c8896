"""The command that a section names measures the same suite with the same plan."""

import shlex

import pytest

from tests.load.measure import Plan
from tests.load.options import OPTIONS, command_of, parser
from tests.load.suites import SUITES


@pytest.mark.parametrize("plan", [Plan(), Plan(seconds=2.5, runs=1, open_seconds=3.0, memory_requests=1000)])
@pytest.mark.parametrize("suite", SUITES)
def test_the_command_of_a_section_is_read_back(suite: str, plan: Plan) -> None:
    python, *words = shlex.split(command_of(suite, plan))
    assert [python, *words[:2]] == [".venv/bin/python", "-m", "tests.load"]

    options = parser().parse_args(words[2:])

    assert options.suites == [suite]
    assert Plan(**{option: getattr(options, option) for option in OPTIONS}) == plan


def test_an_unknown_suite_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["nothing"])

    assert "there is recommendations, overload" in capsys.readouterr().err


def test_without_a_suite_all_are_meant() -> None:
    assert parser().parse_args([]).suites == []
