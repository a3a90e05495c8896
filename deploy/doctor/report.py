"""What the doctor says: lines for people, or one JSON object for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import orjson

from deploy.doctor.finding import Finding, Verdict, worst


def as_text(findings: list[Finding]) -> Iterator[str]:
    """Yield a line per finding, and one below it where something is to be done; then the sum."""
    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        yield f"{finding.verdict:<7}  {finding.name:<{width}}  {finding.says}"
        if finding.mend:
            yield f"{'':<7}  {'':<{width}}  → {finding.mend}"
    counts = Counter(finding.verdict for finding in findings)
    yield ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)


def as_json(findings: list[Finding]) -> str:
    """Return `{"verdict", "findings": [{"name", "verdict", "says", "mend"}]}`."""
    document = {"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
