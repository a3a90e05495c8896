"""The report has what was asked, what was struck, and what was broken."""

from tests.chaos.journal import Failure, Journal, Silence, Struck
from tests.chaos.report import tables
from tests.chaos.versions import versions


def journal() -> Journal:
    made = Journal()
    with made.work("payment", "1"):
        made.failed(Failure(kind="payment", symptom="redis_unavailable", began_s=1, ended_s=2))
    made.strike(Struck(name="kill Redis", whom="for 1.0 s", excuses=frozenset({"redis_unavailable"}), at_s=0.0))
    made.all_back()
    made.checked("once", 7)
    made.figures["series in the last scrape"] = "1234"
    return made


def test_a_good_run() -> None:
    text = "\n".join(table.markdown() for table in tables(journal()))

    assert "| none |" in text
    assert "| payment | 1 | 1 | redis_unavailable 1 |" in text
    assert "| kill Redis | 1 | 0.0 | < 2 | – |" in text
    assert "| once | answers to what was asked twice, or over a stream | 7 | 0 |" in text
    assert "| series in the last scrape | 1234 |" in text
    assert f"| Servers | {versions()} |" in text
    assert "| 0.0 | kill Redis | for 1.0 s | 0.0 |" in text


def test_blows_that_never_fell() -> None:
    run = journal()
    run.possible = frozenset({"reload nginx"})
    text = "\n".join(table.markdown() for table in tables(run))

    assert "| reload nginx | the run was too short |" in text
    assert "| fill the disk of jobs | no disk may be mounted here |" in text
    assert "No disk to fill could be mounted." in text

    run.possible = frozenset({"fill the disk of jobs"})
    assert "A disk to fill could be mounted." in "\n".join(table.markdown() for table in tables(run))


def test_a_bad_run() -> None:
    bad = journal()
    bad.broken("once", "answered\ntwice | or more")

    text = "\n".join(table.markdown() for table in tables(bad))
    assert "| once | 0.0 | answered twice / or more |" in text
    assert "| once | answers to what was asked twice, or over a stream | 7 | 1 |" in text


def test_the_longest_silence_that_a_blow_may_be_the_reason_for() -> None:
    run = journal()
    for kind, began_s, ended_s in [
        ("payment", 0.0, 2.5),
        ("image", 0.0, 4.0),
        ("job", 0.0, 90.0),
        ("image", 50.0, 99.0),
    ]:
        run.silences.append(Silence(kind=kind, began_s=began_s, ended_s=ended_s))

    # Not of posters, who wait for their jobs, nor when all was back.
    assert "| kill Redis | 1 | 0.0 | 4.0 | image |" in "\n".join(table.markdown() for table in tables(run))
