"""The text of a scrape: which lines there are is worked out when a series appears, each scrape fills in the values."""

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.infra.metric_series import Series, line_of


@dataclass(slots=True)
class _Buckets:
    """A histogram with its labels: files hold how many fell into each bucket, a scrape tells how many up to there."""

    count_line: str
    lines: list[tuple[float, str, int]] = field(default_factory=list)

    def text(self, values: Sequence[float]) -> Iterator[str]:
        total = 0.0
        for _, line, number in self.lines:
            total += values[number]
            yield f"{line}{total!r}\n"
        yield f"{self.count_line}{total!r}\n"


class _Family:
    """All series of one metric."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._lines: list[tuple[str, int]] = []
        self._histograms: dict[tuple[str, ...], _Buckets] = {}

    def add(self, series: Series, number: int) -> None:
        if "le" in series.labels and series.kind.metric_type == "histogram":
            labels = {label: value for label, value in series.labels.items() if label != "le"}
            histogram = self._histograms.get(tuple(labels.values()))
            if histogram is None:
                count_line = line_of(f"{series.family}_count", labels)
                histogram = self._histograms[tuple(labels.values())] = _Buckets(count_line)
            insort(histogram.lines, (float(series.labels["le"]), series.line, number))
        else:
            self._lines.append((series.line, number))

    def text(self, values: Sequence[float]) -> Iterator[str]:
        yield self._head
        for line, number in self._lines:
            yield f"{line}{values[number]!r}\n"
        for histogram in self._histograms.values():
            yield from histogram.text(values)


class Layout:
    """Where each series stands in the text: with the others of its metric, in the order in which they were met."""

    def __init__(self, series: Iterable[tuple[int, Series]]) -> None:
        families: dict[str, _Family] = {}
        for number, one in series:
            family = families.get(one.family)
            if family is None:
                family = families[one.family] = _Family(one.head)
            family.add(one, number)
        self._families = list(families.values())

    def text(self, values: Sequence[float]) -> bytes:
        """Return the text with these values, given by the numbers of the series."""
        return "".join(line for family in self._families for line in family.text(values)).encode()
