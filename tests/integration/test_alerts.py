"""The rules of deploy/prometheus, by Prometheus' own tool: each alert fires when it must, and only then."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.factories.alert_cases import CASES, promtool_test
from tests.factories.parts import needed

ROOT: Final = Path(__file__).resolve().parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULES: Final = sorted(str(path) for path in (PROMETHEUS / "rules").glob("*.yml"))


@pytest.fixture(scope="module")
def promtool() -> Path:
    return needed("promtool", package="prometheus")


def alerts() -> list[dict[str, Any]]:
    """Return all alerts as they are written down."""
    groups = yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def run(promtool: Path, *words: str | Path) -> None:
    """Run the tool; what it finds is the failure."""
    result = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_configuration_and_its_rules_are_right(promtool: Path) -> None:
    run(promtool, "check", "config", PROMETHEUS / "prometheus.yml")


def test_alerts_are_handed_to_somebody() -> None:
    alerting = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["alerting"]["alertmanagers"]

    assert [target for one in alerting for group in one["static_configs"] for target in group["targets"]]


def test_every_alert_fires_when_it_must_and_only_then(promtool: Path, tmp_path: Path) -> None:
    files = []
    for alert in alerts():
        files.append(tmp_path / f"{alert['alert']}.yml")
        text = promtool_test(alert["alert"], alert["labels"]["severity"], RULES)
        files[-1].write_bytes(text)

    run(promtool, "test", "rules", *files)


def test_every_alert_has_a_case() -> None:
    assert {alert["alert"] for alert in alerts()} == set(CASES)


def test_every_alert_has_a_section_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}

    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert (page, anchor in anchors) == ("docs/operations.md", True), anchor


@pytest.mark.parametrize("broken", ["== 0", "> 0.01", "> 0.05"])
def test_a_rule_that_is_wrong_is_found_out(promtool: Path, tmp_path: Path, broken: str) -> None:
    """The tests of the rules would fail if a threshold went missing."""
    rules = (PROMETHEUS / "rules" / "alerts.yml").read_text().replace(broken, ">= -1")
    (tmp_path / "alerts.yml").write_text(rules)
    alert = "GalleyDown" if broken == "== 0" else "GalleyFails"
    (tmp_path / "test.yml").write_bytes(promtool_test(alert, "page", [*RULES[1:], str(tmp_path / "alerts.yml")]))

    with pytest.raises(AssertionError, match=alert):
        run(promtool, "test", "rules", tmp_path / "test.yml")
