"""Whether Galley can serve: each part says yes, or why not."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from app.db.migrate import current_revision, newest_revision
from app.db.repositories.models import VersionFacts
from app.db.session import Database
from app.errors import GalleyError
from app.inference.directory import DirectorySnapshot
from app.inference.messages import RunnerState
from app.services.catalog import DEFAULT_ALIAS, Catalog

# Heartbeats the directory may miss before the controller counts as gone.
MISSED_HEARTBEATS = 10


@dataclass(frozen=True)
class PartState:
    """One part: ready or not. A reason says why not, or what is amiss although it serves."""

    is_ready: bool
    reason: str = ""


Check = Callable[[], PartState]
READY = PartState(is_ready=True)


class ReadinessService:
    """Asks all parts; the whole is ready when every one is."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    def parts(self) -> dict[str, PartState]:
        """Ask every part now."""
        return {name: _ask(check) for name, check in self._checks.items()}


def _ask(check: Check) -> PartState:
    try:
        return check()
    except GalleyError as err:
        return PartState(is_ready=False, reason=err.detail)


def database_check(database: Database) -> Check:
    """Return the check that the database answers and has the schema this code needs."""

    # Reading all revisions takes milliseconds, and they do not change under a running process.
    newest = cache(newest_revision)

    def check() -> PartState:
        if current_revision(database) == newest():
            return READY

        return PartState(is_ready=False, reason="The database is not migrated; run `make db`.")

    return check


def directory_check(snapshot: Callable[[], DirectorySnapshot], *, heartbeat_s: float) -> Check:
    """Return the check that a directory of runners is known.

    An old one is told of but serves: runners outlive the controller, and a worker that Redis cannot reach knows
    them still. Were it counted as unready, one outage of Redis would take every worker out of its load balancer.
    """
    oldest_s = heartbeat_s * MISSED_HEARTBEATS

    def check() -> PartState:
        published_at = snapshot().published_at
        if not published_at:
            return PartState(is_ready=False, reason="The controller has not published the directory of runners yet.")

        age_s = time.time() - published_at
        return PartState(
            is_ready=True, reason=f"The directory of runners is {age_s:.0f} s old." if age_s > oldest_s else ""
        )

    return check


def models_check(
    catalog: Callable[[], Catalog], snapshot: Callable[[], DirectorySnapshot], *, heavy_slots: Callable[[], int]
) -> Check:
    """Return the check that every default or pinned version has a READY runner, or is meant to have none.

    The memory budget and whoever unloads a version mean it: an instance is no worse for that. Nor is it for heavy
    versions that no Celery worker runs: no other instance has one that does. The reason says so.
    """

    def check() -> PartState:
        directory = snapshot()
        ready = {(r.name, r.version) for r in directory.runners if r.state is RunnerState.READY}
        held = {(h.name, h.version) for h in directory.held_back}
        needed = list(_needed(catalog()))
        heavy = [facts for facts in needed if facts.execution == "heavy" and not facts.is_unloaded]
        online = [facts for facts in needed if facts.execution == "online"]
        missing = [facts for facts in online if (facts.ref.name, facts.ref.version) not in ready]
        absent = [one for one in missing if not one.is_unloaded and (one.ref.name, one.ref.version) not in held]
        if absent:
            return PartState(is_ready=False, reason=f"No runner is ready for {_listed(absent)}.")

        reasons = [f"Held back: {_listed(missing)}."] if missing else []
        if heavy and not heavy_slots():
            reasons.append(f"No Celery worker runs {_listed(heavy)}.")
        return PartState(is_ready=True, reason=" ".join(reasons))

    return check


def _needed(catalog: Catalog) -> Iterator[VersionFacts]:
    """Yield the versions that must be up: default or pinned."""
    for model in catalog.values():
        default = model.aliases.get(DEFAULT_ALIAS)
        for number, facts in model.versions.items():
            if facts.is_pinned or number == default:
                yield facts


def _listed(versions: Sequence[VersionFacts]) -> str:
    return ", ".join(str(facts.ref) for facts in sorted(versions, key=lambda facts: facts.ref))
