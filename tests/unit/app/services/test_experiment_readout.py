"""What a readout says, and what it leaves open when too little is known."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from app.db.repositories.outcomes import OutcomeSums
from app.services.assignment_batches import MOST_SUBJECTS
from app.services.experiment_readout import Evidence, read_out
from app.services.experiment_store import ExperimentCounts, VariantCounts
from app.services.latency_histogram import bucket_of_latency

SHARES = {"control": 0.5, "candidate": 0.5}


def counts(control: VariantCounts, candidate: VariantCounts) -> ExperimentCounts:
    return ExperimentCounts(variants={"control": control, "candidate": candidate}, shares=SHARES)


def make_evidence(**changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "model_name": "digits",
        "revision": 3,
        "is_current": True,
        "versions": {"control": "default", "candidate": 7},
        "shares": SHARES,
        "counts": counts(VariantCounts(requests=10, subjects=500), VariantCounts(requests=20, subjects=510)),
        "sums": [],
    }
    return Evidence(**{**fields, **changes})


def sums_of(variant: str, values: np.ndarray, metric: str = "revenue") -> OutcomeSums:
    mean = float(values.mean())
    return OutcomeSums(
        variant=variant, metric=metric, count=len(values), mean=mean, squares=float(((values - mean) ** 2).sum())
    )


def test_variants_stand_in_the_routes_order_with_what_it_says_of_them() -> None:
    readout = read_out(make_evidence())

    assert [(one.name, one.version, one.share) for one in readout.variants] == [
        ("control", "default", 0.5),
        ("candidate", 7, 0.5),
    ]
    assert readout.sample_ratio.sentence == "The subjects divide as the buckets do (p = 0.75)."


def test_means_are_compared_with_those_of_the_first_variant() -> None:
    generator = np.random.default_rng(1)
    control, candidate = generator.normal(5, 1, 80), generator.normal(5.5, 3, 120)
    known = stats.ttest_ind(candidate, control, equal_var=False)

    first, second = read_out(
        make_evidence(sums=[sums_of("candidate", candidate), sums_of("control", control)])
    ).variants

    assert first.metrics[0].difference is None
    assert second.metrics[0].difference is not None
    assert second.metrics[0].difference.p_value == pytest.approx(known.pvalue)
    assert second.metrics[0].difference.value == pytest.approx(candidate.mean() - control.mean())


@pytest.mark.parametrize(
    ("control", "candidate", "note"),
    [
        (4, 100, "No comparison: the first variant has fewer than 5 values."),
        (100, 4, "Too few values for an interval: at least 5 are needed."),
        (0, 100, ""),
        (5, 5, ""),
    ],
)
def test_too_few_values_are_said_to_be(control: int, candidate: int, note: str) -> None:
    values = np.arange(100.0)
    sums = [sums_of("candidate", values[:candidate])] + ([sums_of("control", values[:control])] if control else [])

    metric = read_out(make_evidence(sums=sums)).variants[1].metrics[0]

    assert metric.note == note
    assert (metric.interval is None) == (candidate < 5)
    assert (metric.difference is None) == (min(control, candidate) < 5)


def test_metrics_are_compared_each_with_its_own() -> None:
    values = np.arange(10.0)
    sums = [sums_of("control", values, "a"), sums_of("candidate", values + 1, "a"), sums_of("candidate", values, "b")]

    metrics = read_out(make_evidence(sums=sums)).variants[1].metrics

    assert [(one.name, one.difference and one.difference.value) for one in metrics] == [("a", 1.0), ("b", None)]


@pytest.mark.parametrize(
    ("answers", "known"), [(0, set()), (1, {0.5}), (10, {0.5, 0.9}), (99, {0.5, 0.9}), (100, {0.5, 0.9, 0.99})]
)
def test_quantiles_of_too_few_answers_are_left_open(answers: int, known: set[float]) -> None:
    latencies = {bucket_of_latency(0.01): answers} if answers else {}
    evidence = make_evidence(counts=counts(VariantCounts(requests=answers, latencies=latencies), VariantCounts()))

    told = read_out(evidence).variants[0].latencies_s

    assert {share for share, seconds in told.items() if seconds is not None} == known
    assert all(seconds == pytest.approx(0.01, rel=0.01) for seconds in told.values() if seconds is not None)


def test_a_mismatch_names_what_was_expected() -> None:
    evidence = make_evidence(counts=counts(VariantCounts(subjects=400), VariantCounts(subjects=600)))

    ratio = read_out(evidence).sample_ratio

    assert ratio.is_mismatch
    assert "'control' has 400 of 1000 subjects where 500 are expected" in ratio.sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"counts": None}, "Not checked: the subjects are unknown while Redis is away."),
        ({"shares": None}, "Not checked: how this revision dealt its buckets is not known."),
        ({"counts": counts(VariantCounts(subjects=4), VariantCounts(subjects=4))}, "Not checked: there are too few"),
    ],
)
def test_what_cannot_be_checked_is_said_not_to_be(changes: dict[str, Any], sentence: str) -> None:
    ratio = read_out(make_evidence(**changes)).sample_ratio

    assert (ratio.is_mismatch, ratio.p_value) == (None, None)
    assert ratio.sentence.startswith(sentence)


def test_without_redis_outcomes_are_told_all_the_same() -> None:
    readout = read_out(make_evidence(counts=None, sums=[sums_of("candidate", np.arange(10.0))]))

    assert readout.notes == ["Redis does not answer: requests, errors, latencies and subjects are unknown for now."]
    assert [one.counts for one in readout.variants] == [None, None]
    assert readout.variants[1].metrics[0].count == 10


def test_an_earlier_revision_has_the_variants_that_were_counted() -> None:
    readout = read_out(make_evidence(shares=None, versions={}, sums=[sums_of("older", np.arange(9.0))]))

    assert [one.name for one in readout.variants] == ["candidate", "control", "older"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"counts": ExperimentCounts(variants={}, shares=None)}, "No request was counted for revision 3"),
        ({"counts": counts(VariantCounts(subjects=MOST_SUBJECTS), VariantCounts())}, "Only the first 1000000 subjects"),
        ({}, "No outcome was reported for revision 3"),
        ({"moved_aliases": ["default"]}, "The alias 'default' moved since the route was put"),
        ({"has_overrides": True}, "Those whom an override sent are counted"),
    ],
)
def test_notes_say_what_is_missing(changes: dict[str, Any], note: str) -> None:
    assert any(one.startswith(note) for one in read_out(make_evidence(**changes)).notes)


def test_a_revision_of_which_nothing_is_known_has_no_variants() -> None:
    nothing = ExperimentCounts(variants={}, shares=None)

    assert read_out(make_evidence(shares=None, versions={}, counts=nothing)).variants == []
