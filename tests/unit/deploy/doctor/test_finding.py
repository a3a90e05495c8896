"""The worst finding is the verdict over all."""

import pytest

from deploy.doctor.finding import Verdict, error, good, warning, worst


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], Verdict.OK),
        ([good("a", "Fine.")], Verdict.OK),
        ([warning("a", "Slow.", "Mend."), good("b", "Fine.")], Verdict.WARNING),
        ([good("a", "Fine."), error("b", "Bad.", "Mend."), warning("c", "Slow.", "Mend.")], Verdict.ERROR),
    ],
)
def test_the_worst_counts(findings: list, verdict: Verdict) -> None:  # type: ignore[type-arg]
    assert worst(findings) is verdict
