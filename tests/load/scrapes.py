"""What must hold of scrapes that follow each other: each can be read, no count falls, labels have bounded values."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
SeriesName = tuple[str, Labels]

COUNTS = frozenset({"counter", "histogram", "summary"})
# Prometheus' own, if the configuration does not say otherwise.
TIMEOUT_S = 10.0
# There are some fifty routes, and as many codes of problems. What a caller can make up is soon more than that.
MOST_VALUES = 128
# There are as many of models as were published, and one of Galley itself.
VERSION = "version"


@dataclass
class Scrapes:
    """All scrapes of one stack so far: what each count was, and which values labels had."""

    may_go: Callable[[Labels], bool] = lambda _: False
    """Whose counts nobody needs any more: what is deleted may be gone, or begin anew."""
    count: int = 0
    series: int = 0
    """How many the last scrape had."""
    counts: dict[SeriesName, float] = field(default_factory=dict)
    """What only grows, as the last scrape had it."""
    _values: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def take(self, text: str) -> list[str]:
        """Take in one more scrape; return what is wrong with it, in words."""
        try:
            families = list(text_string_to_metric_families(text))
        except ValueError as err:
            return [f"a scrape that cannot be read: {err!r}"]

        found = dict(_samples(families))
        self.count, self.series = self.count + 1, len(found)
        for _, labels in found:
            for label, value in labels:
                self._values[label].add(value)
        counts = dict(_samples(each for each in families if each.type in COUNTS))
        fallen = [*self._fallen(counts)]
        self.counts = counts
        return fallen

    def unbounded(self, *, versions: int) -> list[str]:
        """Return which labels had more values than there may be; so many versions were published of any model."""
        most = {label: versions + 1 if label == VERSION else MOST_VALUES for label in self._values}
        return [
            f"label '{label}' had {len(values)} values, {most[label]} are expected: {sorted(values)[:5]}"
            for label, values in sorted(self._values.items())
            if len(values) > most[label]
        ]

    def _fallen(self, counts: dict[SeriesName, float]) -> Iterator[str]:
        for name, before in self.counts.items():
            value = counts.get(name, 0.0)
            if value < before and not self.may_go(name[1]):
                yield f"{written(name)} fell from {before:g} to {value:g}" + ("" if name in counts else ": it is gone")


def written(name: SeriesName) -> str:
    """Return the name of a series as a scrape has it."""
    labels = ",".join(f'{label}="{value}"' for label, value in name[1])
    return f"{name[0]}{{{labels}}}"


def _samples(families: Iterable[Metric]) -> Iterator[tuple[SeriesName, float]]:
    for family in families:
        for sample in family.samples:
            yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value
