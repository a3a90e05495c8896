"""When beat sends which task: upkeep, at minutes that nobody else picks."""

from dataclasses import dataclass
from typing import Any

from celery.schedules import crontab

from app.infra.task_names import TaskName


@dataclass(frozen=True)
class Appointment:
    """One task and its times, in UTC."""

    task: TaskName
    at: crontab


APPOINTMENTS = (
    # Jobs wait for it: a lost worker's lease ends after a minute.
    Appointment(TaskName.RESEND_JOBS, crontab()),
    Appointment(TaskName.PURGE_REVOCATIONS, crontab(minute="7")),
    Appointment(TaskName.SWEEP_STAGING, crontab(minute="37")),
    Appointment(TaskName.PURGE_OUTCOMES, crontab(hour="2", minute="47")),
    Appointment(TaskName.CHECK_STORE, crontab(hour="3", minute="17")),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Return the schedule as Celery's configuration wants it."""
    return {item.task.name.lower(): {"task": item.task.value, "schedule": item.at} for item in APPOINTMENTS}
