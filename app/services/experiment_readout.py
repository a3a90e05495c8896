"""From counts and sums to a readout: per variant what happened, with intervals, and whether the sample is sound."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.db.repositories.outcomes import OutcomeSums
from app.services.assignment_batches import MOST_SUBJECTS, Shares
from app.services.experiment_statistics import (
    FEWEST_EXPECTED,
    FEWEST_VALUES,
    MISMATCH_BELOW,
    Difference,
    Interval,
    Sample,
    difference_of_means,
    mean_interval,
    proportion_interval,
    ratio_p_value,
)
from app.services.experiment_store import ExperimentCounts, VariantCounts
from app.services.latency_histogram import quantile

# By quantile, the fewest answers of which it is told: with fewer it would only be the slowest one.
QUANTILES: Final = {0.5: 1, 0.9: 10, 0.99: 100}

UNKNOWN_COUNTS: Final = "Redis does not answer: requests, errors, latencies and subjects are unknown for now."


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A variant's values of one metric. `interval` and `difference` (to the first variant) are None for too few."""

    name: str
    count: int
    mean: float
    interval: Interval | None
    difference: Difference | None
    note: str


@dataclass(frozen=True, kw_only=True)
class VariantReadout:
    """One variant. `counts` is None while Redis is away; `share` is that of the buckets, None where it is forgotten."""

    name: str
    version: int | str | None
    share: float | None
    counts: VariantCounts | None
    error_rate: Interval | None
    latencies_s: Mapping[float, float | None]
    metrics: Sequence[Metric]


@dataclass(frozen=True, kw_only=True)
class SampleRatio:
    """Whether the subjects divide as the buckets do; None where that cannot be told, and why in the sentence."""

    p_value: float | None
    sentence: str

    @property
    def is_mismatch(self) -> bool | None:
        """Whether something else than chance made the subjects divide so."""
        return None if self.p_value is None else self.p_value < MISMATCH_BELOW


@dataclass(frozen=True, kw_only=True)
class Readout:
    """An experiment, that is one revision of a model's route, as it stands."""

    model_name: str
    revision: int
    is_current: bool
    variants: Sequence[VariantReadout]
    sample_ratio: SampleRatio
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a revision. `versions` are those of the route while it is the current one.

    So are `moved_aliases`, those that variants follow and that moved since the route was put, and `has_overrides`.
    """

    model_name: str
    revision: int
    is_current: bool
    versions: Mapping[str, int | str]
    shares: Shares | None
    counts: ExperimentCounts | None
    sums: Sequence[OutcomeSums]
    moved_aliases: Sequence[str] = ()
    has_overrides: bool = False


def read_out(evidence: Evidence) -> Readout:
    """Return the readout; variants in the route's order, the first of which the others are compared with."""
    names = _names(evidence)
    base = {sums.metric: _sample(sums) for sums in evidence.sums if names and sums.variant == names[0]}
    return Readout(
        model_name=evidence.model_name,
        revision=evidence.revision,
        is_current=evidence.is_current,
        variants=[_variant(evidence, name, base, is_base=name == names[0]) for name in names],
        sample_ratio=_sample_ratio(evidence),
        notes=list(_notes(evidence)),
    )


def _names(evidence: Evidence) -> list[str]:
    dealt = list(evidence.shares or ())
    counted = sorted(evidence.counts.variants) if evidence.counts else []
    return list(dict.fromkeys([*dealt, *counted, *sorted(sums.variant for sums in evidence.sums)]))


def _variant(evidence: Evidence, name: str, base: Mapping[str, Sample], *, is_base: bool) -> VariantReadout:
    counts = evidence.counts.variants.get(name, VariantCounts()) if evidence.counts else None
    own = [sums for sums in evidence.sums if sums.variant == name]
    return VariantReadout(
        name=name,
        version=evidence.versions.get(name),
        share=evidence.shares.get(name) if evidence.shares else None,
        counts=counts,
        error_rate=proportion_interval(counts.errors, counts.requests) if counts and counts.requests else None,
        latencies_s=_quantiles(counts.latencies if counts else {}),
        metrics=[_metric(sums, None if is_base else base.get(sums.metric)) for sums in own],
    )


def _metric(sums: OutcomeSums, base: Sample | None) -> Metric:
    sample = _sample(sums)
    is_compared = base is not None and base.is_enough and sample.is_enough
    return Metric(
        name=sums.metric,
        count=sums.count,
        mean=sums.mean,
        interval=mean_interval(sample) if sample.is_enough else None,
        difference=difference_of_means(sample, base) if base and is_compared else None,
        note=_metric_note(sample, base),
    )


def _metric_note(sample: Sample, base: Sample | None) -> str:
    if not sample.is_enough:
        return f"Too few values for an interval: at least {FEWEST_VALUES} are needed."
    if base is not None and not base.is_enough:
        return f"No comparison: the first variant has fewer than {FEWEST_VALUES} values."

    return ""


def _sample(sums: OutcomeSums) -> Sample:
    return Sample(sums.count, sums.mean, sums.squares)


def _quantiles(latencies: Mapping[int, int]) -> dict[float, float | None]:
    answers = sum(latencies.values())
    return {share: quantile(latencies, share) if answers >= fewest else None for share, fewest in QUANTILES.items()}


def _sample_ratio(evidence: Evidence) -> SampleRatio:
    if evidence.counts is None:
        return SampleRatio(p_value=None, sentence="Not checked: the subjects are unknown while Redis is away.")
    if evidence.shares is None:
        return SampleRatio(p_value=None, sentence="Not checked: how this revision dealt its buckets is not known.")

    shares = evidence.shares
    observed = [evidence.counts.variants.get(name, VariantCounts()).subjects for name in shares]
    p_value = ratio_p_value(observed, list(shares.values()))
    return SampleRatio(p_value=p_value, sentence=_ratio_sentence(p_value, observed, shares))


def _ratio_sentence(p_value: float | None, observed: Sequence[int], shares: Mapping[str, float]) -> str:
    if p_value is None:
        return (
            "Not checked: there are too few subjects, or no two variants that have buckets;"
            f" each should expect at least {FEWEST_EXPECTED:g}."
        )
    if p_value >= MISMATCH_BELOW:
        return f"The subjects divide as the buckets do (p = {p_value:.2g})."

    total = sum(observed)
    seen = ", ".join(
        f"'{name}' has {count} of {total} subjects where {share * total:.0f} are expected"
        for (name, share), count in zip(shares.items(), observed, strict=True)
    )
    return (
        f"Sample ratio mismatch (p = {p_value:.2g}): {seen}. Something besides the buckets decides who is counted;"
        " trust no difference between the variants before that is found."
    )


def _notes(evidence: Evidence) -> Iterable[str]:
    if evidence.counts is None:
        yield UNKNOWN_COUNTS
    elif not evidence.counts.variants:
        yield f"No request was counted for revision {evidence.revision}, or it is too long ago."
    elif sum(counts.subjects for counts in evidence.counts.variants.values()) >= MOST_SUBJECTS:
        yield f"Only the first {MOST_SUBJECTS} subjects are told apart; those that came later are not counted."
    for alias in evidence.moved_aliases:
        yield (
            f"The alias '{alias}' moved since the route was put: what is told of a variant that follows it is told of"
            " several versions. Name versions by number to compare one with one."
        )
    if evidence.has_overrides:
        yield "Those whom an override sent are counted, but as subjects: chance did not choose their variant."
    if not evidence.sums:
        yield f"No outcome was reported for revision {evidence.revision}, or it is too long ago."
