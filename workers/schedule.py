"""When beat sends which task: upkeep at minutes that nobody else picks, and what heals lost work every few seconds."""

from dataclasses import dataclass
from typing import Any, Final

from celery.schedules import crontab

from app.infra.task_names import TaskName


@dataclass(frozen=True)
class Appointment:
    """One task, and its times in UTC or the seconds between two of them."""

    task: TaskName
    at: crontab | float
    expires_s: float | None = None
    """A message that nobody took for so long counts for nothing: the next one was sent since."""


HEAL_EVERY_S: Final = 10.0
"""Whatever was lost, and what waited for an outage to end, goes on after so long."""

APPOINTMENTS = (
    Appointment(TaskName.DISPATCH_CHUNKS, HEAL_EVERY_S, expires_s=HEAL_EVERY_S),
    Appointment(TaskName.RESEND_JOBS, HEAL_EVERY_S, expires_s=HEAL_EVERY_S),
    Appointment(TaskName.PURGE_REVOCATIONS, crontab(minute="7")),
    Appointment(TaskName.PURGE_JOBS, crontab(minute="22")),
    Appointment(TaskName.SWEEP_STAGING, crontab(minute="37")),
    Appointment(TaskName.PURGE_OUTCOMES, crontab(hour="2", minute="47")),
    Appointment(TaskName.CHECK_STORE, crontab(hour="3", minute="17")),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return the schedule as Celery's configuration wants it."""
    return {item.task.name.lower(): _entry(item) for item in APPOINTMENTS}


def _entry(item: Appointment) -> dict[str, Any]:
    options = {} if item.expires_s is None else {"expires": item.expires_s}
    return {"task": item.task.value, "schedule": item.at, "options": options}
