"""People get lines, programs one object; both say how to mend what is bad."""

import json

from deploy.doctor.finding import error, good, warning
from deploy.doctor.report import as_json, as_text

FINDINGS = [good("python", "Fine."), warning("swap", "Slow.", "Less of it."), error("tls", "Open.", "Close it.")]


def test_lines_say_what_is_to_be_done() -> None:
    assert list(as_text(FINDINGS)) == [
        "ok       python  Fine.",
        "warning  swap    Slow.",
        "                 → Less of it.",
        "error    tls     Open.",
        "                 → Close it.",
        "1 ok, 1 warning, 1 error",
    ]


def test_an_object_has_all_of_it() -> None:
    document = json.loads(as_json(FINDINGS))

    assert document["verdict"] == "error"
    assert document["findings"][1] == {"name": "swap", "verdict": "warning", "says": "Slow.", "mend": "Less of it."}
    assert [finding["verdict"] for finding in document["findings"]] == ["ok", "warning", "error"]
