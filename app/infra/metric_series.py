"""What the entries of metrics files are about: each series is made out once, however many processes write it.

prometheus_client names an entry by a JSON array: the metric, the sample, its labels, and the metric's help.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

# What comes together over all processes, by the type that a file's name begins with.
SUM: Final = "sum"
MOST: Final = "max"
NEWEST: Final = "mostrecent"


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file holds: metrics of one type, whose values come together in one way."""

    metric_type: str
    combine: str = SUM

    @classmethod
    def of(cls, file_name: str) -> "FileKind":
        """Read the kind from a name like `gauge_livesum_77.db`.

        :raises ValueError: when it is one of those that nothing of Galley uses: they have a label for each process,
            and processes come and go without end.
        """
        metric_type, _, mode = file_name.rpartition("_")[0].partition("_")
        combine = mode.removeprefix("live") or SUM
        if combine not in {SUM, MOST, NEWEST}:
            raise ValueError(f"Values of '{file_name}' do not come together over processes.")

        return cls(metric_type, combine)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a scrape, but for its value."""

    kind: FileKind
    family: str
    help: str
    name: str
    labels: Mapping[str, str]
    line: str = field(init=False, compare=False)
    """What stands before the value, a space included."""

    def __post_init__(self) -> None:
        """Write the line down once: it is asked for again and again."""
        object.__setattr__(self, "line", line_of(self.name, self.labels))

    @classmethod
    def of(cls, key: bytes, kind: FileKind) -> "Series":
        """Read the key of an entry."""
        family, name, labels, text = orjson.loads(key)
        return cls(kind, family, text, name, dict(sorted(labels.items())))

    @property
    def head(self) -> str:
        """The lines that stand before all series of its metric."""
        # What counts is called by its samples' name in this format.
        name = f"{self.family}_total" if self.kind.metric_type == "counter" else self.family
        text = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {text}\n# TYPE {name} {self.kind.metric_type}\n"


def line_of(name: str, labels: Mapping[str, str]) -> str:
    """Return what stands before the value of a sample."""
    if not labels:
        return f"{name} "

    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{pairs}}} "


class SeriesTable:
    """All series that were ever met, by number. Two keys are of one series if they differ in its help alone."""

    def __init__(self) -> None:
        self.all: list[Series] = []
        self._by_key: dict[FileKind, dict[bytes, int]] = defaultdict(dict)
        self._by_line: dict[tuple[FileKind, str], int] = {}

    def known(self, kind: FileKind) -> Mapping[bytes, int]:
        """Return the numbers of the keys that were met in files of this kind; it grows with them."""
        return self._by_key[kind]

    def number(self, kind: FileKind, key: bytes) -> int:
        """Return the number of the series that a key of a file of this kind names."""
        known = self._by_key[kind]
        if key not in known:
            known[key] = self._meet(Series.of(key, kind))
        return known[key]

    def _meet(self, series: Series) -> int:
        number = self._by_line.setdefault((series.kind, series.line), len(self.all))
        if number == len(self.all):
            self.all.append(series)
        return number


def _escaped(value: str) -> str:
    if value.isalnum():
        return value

    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
