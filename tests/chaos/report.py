"""What a run came to, as tables."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.chaos.blows import BLOWS, DISK
from tests.chaos.invariants import ALWAYS_ASKING, meets
from tests.chaos.journal import ANSWERED, LONG_S, Journal, Struck
from tests.chaos.versions import versions
from tests.load.machine import machine_facts
from tests.load.report import Table

LONGEST_CELL = 400
NOBODY = "–"
# What is counted where it is looked whether a rule holds.
CHECKED = {
    "answered": "pieces of work, each of which ended well",
    "rightly": "answers and rows that were compared with what must be told",
    "once": "answers to what was asked twice, or over a stream",
    "soon": f"times of more than {LONG_S:g} s without a good answer to a kind of caller that always asks",
    "in form": "answers over HTTP, good or bad",
    "explained": "failed tries",
    "rows": "rows of jobs",
    "apart": "tries to read the job of another",
    "kept": "jobs, versions and aliases at the end",
    "state": "accounts at the end",
    "back in time": "rounds, and the end",
    "scraped": "scrapes",
    "counted": "POSTs that were answered with 200",
    "nothing left": "processes at the end",
}
TOO_SHORT, NO_DISK = "the run was too short", "no disk may be mounted here"


def tables(journal: Journal) -> list[Table]:
    """Return what was broken, what was looked at, asked, and struck how often, what never, and all blows in order."""
    tables = (_verdict, _checks, _work, _kinds, _unstruck, _timeline, _figures)
    return [table(journal) for table in tables]


def _verdict(journal: Journal) -> Table:
    rows = [[violation.rule, f"{violation.at_s:.1f}", _cell(violation.what)] for violation in journal.violations]
    return Table(title="Broken invariants", columns=["rule", "at s", "what"], rows=rows or [["none", "", ""]])


def _checks(journal: Journal) -> Table:
    broken = Counter(violation.rule for violation in journal.violations)
    rows = [[rule, what, f"{journal.checks[rule]}", f"{broken[rule]}"] for rule, what in CHECKED.items()]
    return Table(title="What was looked at", columns=["rule", "what", "how many", "broken"], rows=rows)


def _work(journal: Journal) -> Table:
    refused = defaultdict[str, Counter[str]](Counter)
    for (kind, outcome), count in journal.counts.items():
        refused[kind][outcome] += count
    rows = [
        [kind, f"{outcomes.pop(ANSWERED, 0)}", f"{outcomes.total()}", _listed(outcomes)]
        for kind, outcomes in sorted(refused.items())
    ]
    return Table(
        title="What was asked",
        columns=["kind", "answered, each once and rightly", "tries besides", "refused with, or broken by"],
        rows=rows,
    )


def _kinds(journal: Journal) -> Table:
    by_name = defaultdict[str, list[Struck]](list)
    for blow in journal.struck:
        by_name[blow.name].append(blow)
    rows = [
        [name, f"{len(blows)}", f"{max(blow.back_s - blow.at_s for blow in blows):.1f}", *_silence(journal, blows)]
        for name, blows in sorted(by_name.items())
    ]
    return Table(
        title="Blows by kind",
        columns=["blow", "times", "longest until all was back, s", "longest without an answer, s", "to whom"],
        rows=rows,
        note="Until all was back: every part there and READY, with whatever else was struck at the same time. Without "
        f"a good answer to a kind of caller that always asks, in that time; less than {LONG_S:g} s is not noted.",
    )


def _silence(journal: Journal, blows: Iterable[Struck]) -> list[str]:
    met = [each for blow in blows for each in journal.silences if each.kind in ALWAYS_ASKING and meets(blow, each)]
    if not met:
        return [f"< {LONG_S:g}", NOBODY]

    longest = max(met, key=lambda silence: silence.length_s)
    return [f"{longest.length_s:.1f}", longest.kind]


def _unstruck(journal: Journal) -> Table:
    never = BLOWS.keys() - {blow.name for blow in journal.struck}
    rows = [[name, TOO_SHORT if name in journal.possible else NO_DISK] for name in sorted(never)]
    has_disk = any(BLOWS[name].part == DISK for name in journal.possible)
    note = "A disk to fill could be mounted." if has_disk else "No disk to fill could be mounted."
    return Table(title="Blows that never fell", columns=["blow", "why"], rows=rows or [["none", ""]], note=note)


def _timeline(journal: Journal) -> Table:
    rows = [
        [f"{blow.at_s:.1f}", blow.name, blow.whom, f"{blow.back_s - blow.at_s:.1f}"]
        for blow in sorted(journal.struck, key=lambda blow: blow.at_s)
    ]
    return Table(title="All blows", columns=["at s", "blow", "whom", "until all was back, s"], rows=rows)


def _figures(journal: Journal) -> Table:
    facts = {**journal.figures, **machine_facts(), "Servers": versions()}
    return Table(title="Figures and facts", columns=["", "value"], rows=[[name, told] for name, told in facts.items()])


def _listed(outcomes: Counter[str]) -> str:
    return ", ".join(f"{symptom} {count}" for symptom, count in sorted(outcomes.items())) or NOBODY


def _cell(text: str) -> str:
    """Return a text as one line that no table is broken by."""
    return " ".join(text.split()).replace("|", "/")[:LONGEST_CELL]
