"""Callers that post files of rows, and count what comes back of each row."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.chaos.caller import Caller
from tests.chaos.echo_model import NAME
from tests.chaos.journal import Failure
from tests.chaos.likeness import differences
from tests.chaos.questions import RIGHTLY, Known
from tests.chaos.releases import Releases
from tests.chaos.scored import Reference
from tests.chaos.tensors import Marks, row_request
from tests.factories.stream_load import as_sent, session_payments

JOBS = "/api/v1/jobs"
POLL_S = 0.5
PAGE = 100
MOST_ROWS = 8000
ACCOUNTS, EACH = 5, 60


class Order(Protocol):
    """What one job is asked."""

    form: Mapping[str, str]

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Its rows, as they are written."""

    async def check(self, caller: Caller, lines: Sequence[dict[str, Any]]) -> None:
        """Look at the results, of which there is one for each row, in order."""


@dataclass
class TensorOrder:
    """Rows of numbers for the model whose answers name its version."""

    numbers: list[list[float]]
    releases: Releases
    began_s: float
    form: Mapping[str, str] = field(default_factory=lambda: {"kind": "tensor", "model": NAME})

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The requests."""
        return [row_request(row, f"{row[1]:.0f}") for row in self.numbers]

    async def check(self, caller: Caller, lines: Sequence[dict[str, Any]]) -> None:
        """Each row has its own numbers, all of one version."""
        caller.journal.checked(RIGHTLY, len(lines))
        versions = {int(line["model_version"]) for line in lines}
        if len(versions) != 1 or not versions <= self.releases.allowed(self.began_s):
            caller.journal.broken(RIGHTLY, f"{caller.name}: versions {versions} answered one job")
        for row, line in zip(self.numbers, lines, strict=True):
            told, version = line["outputs"][0]["data"], int(line["model_version"])
            if told != [number + version for number in row] or line["id"] != f"{row[1]:.0f}":
                caller.journal.broken(RIGHTLY, f"{caller.name}: row {line['row']} of {row} is {told}")


@dataclass
class TasteOrder:
    """Users, whose rankings are known."""

    known: Known
    count: int
    form: Mapping[str, str] = field(default_factory=lambda: {"kind": "recommendations"})

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The users in turns."""
        return [self.known.questions[n % len(self.known.told)].request["json"] for n in range(self.count)]

    async def check(self, caller: Caller, lines: Sequence[dict[str, Any]]) -> None:
        """Each user has the ranking that was told when all was well."""
        caller.journal.checked(RIGHTLY, len(lines))
        for number, line in enumerate(lines):
            told = {name: value for name, value in line.items() if name != "row"}
            for what in differences(told, self.known.told[number % len(self.known.told)]):
                caller.journal.broken(RIGHTLY, f"{caller.name}, row {line['row']} of a job: {what}")


@dataclass
class PaymentOrder:
    """Payments of accounts that nobody else moves."""

    name: str
    reference: Reference
    form: Mapping[str, str] = field(default_factory=lambda: {"kind": "fraud"})

    def __post_init__(self) -> None:
        self._events = session_payments(self.name, accounts=ACCOUNTS, each=EACH)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The payments."""
        return [{"event": as_sent(event)} for event in self._events]

    async def check(self, caller: Caller, lines: Sequence[dict[str, Any]]) -> None:
        """Each payment has the score of one thread alone."""
        await self.reference.compare(caller.name, self._events, {line["event_id"]: line["score"] for line in lines})


@dataclass
class Poster:
    """A caller that posts one job after the other."""

    caller: Caller
    marks: Marks
    known: Known
    releases: Releases
    reference: Reference
    ids: list[str] = field(default_factory=list)

    async def post_on(self, others: Sequence["Poster"], *, rng: random.Random) -> None:
        """Post jobs of each kind, and look whether the jobs of others can be seen."""
        turn = 0
        while not self.caller.over.is_set():
            turn += 1
            order = self._order(turn, rng)
            with self.caller.journal.work("job", f"{self.caller.name} {turn}"):
                while not await self._is_done(order, f"{self.caller.name}-{turn}-{len(self.ids)}"):
                    await asyncio.sleep(POLL_S)
            for other in others:
                await self._spy_on(other)
            await self._tidy_up()

    async def wrong_at_the_end(self) -> list[str]:
        """Return what is wrong with the list of its jobs, in words."""
        told, page = list[str](), 1
        while len(told) < page * PAGE:
            answer = await self.caller.ask("job", "GET", f"{JOBS}?page={page}&page_size={PAGE}")
            told += [job["id"] for job in answer.json()]
            if len(answer.json()) < PAGE:
                break
            page += 1
        self.caller.journal.checked("kept", len(self.ids))
        return [] if sorted(told) == sorted(self.ids) else [f"{len(told)} jobs are listed of {len(self.ids)} posted"]

    def _order(self, turn: int, rng: random.Random) -> Order:
        match turn % 3:
            case 0:
                return TasteOrder(self.known, rng.randint(1, MOST_ROWS // 4))
            case 1:
                rows = [self.marks.take() for _ in range(rng.randint(1, MOST_ROWS))]
                return TensorOrder(rows, self.releases, self.caller.journal.now_s())
            case _:
                return PaymentOrder(f"{self.caller.name}-job-{turn}", self.reference)

    async def _is_done(self, order: Order, key: str) -> bool:
        began_s, rows = self.caller.journal.now_s(), order.rows
        job = await self._ended(await self._post(order.form, rows, key))
        if job["state"] == "succeeded":
            await self._check(order, job["id"], len(rows))
            return True

        code, ended_s = job["error"]["code"], self.caller.journal.now_s()
        self.caller.journal.failed(
            Failure(kind="job", symptom=code, began_s=began_s, ended_s=ended_s, what=f"{job['id']} {job['error']}")
        )
        return False

    async def _post(self, form: Mapping[str, str], rows: Sequence[Mapping[str, Any]], key: str) -> str:
        content = await asyncio.to_thread(lambda: "".join(f"{json.dumps(row)}\n" for row in rows).encode())
        files = {"input": ("rows.ndjson", content)}
        answer = await self.caller.ask(
            "job", "POST", JOBS, good=(202,), data=form, files=files, headers={"Idempotency-Key": key}
        )
        self.ids.append(answer.json()["id"])
        return self.ids[-1]

    async def _ended(self, job_id: str) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = (await self.caller.ask("job", "GET", f"{JOBS}/{job_id}")).json()
            if job["finished_at"] is not None:
                return job
            await asyncio.sleep(POLL_S)

    async def _check(self, order: Order, job_id: str, count: int) -> None:
        lines = await self.caller.read("job", f"{JOBS}/{job_id}/results")
        self.caller.journal.checked("rows", count)
        errors = await self.caller.read("job", f"{JOBS}/{job_id}/errors")
        if [line["row"] for line in lines] != [*range(1, count + 1)] or errors:
            what = f"job {job_id} of {count} rows has {len(lines)} results, {len(errors)} errors {errors[:2]}"
            self.caller.journal.broken("rows", what)
            return

        await order.check(self.caller, lines)

    async def _tidy_up(self) -> None:
        """Delete all jobs but the last, which others may look for."""
        for job_id in self.ids[:-1]:
            # 404: an earlier try came through.
            await self.caller.ask("job", "DELETE", f"{JOBS}/{job_id}", good=(200, 204, 404))
            self.ids.remove(job_id)

    async def _spy_on(self, other: "Poster") -> None:
        for job_id in other.ids[-1:]:
            answer = await self.caller.ask("job", "GET", f"{JOBS}/{job_id}/results", good=(200, 404))
            self.caller.journal.checked("apart")
            if answer.status_code == 200:
                self.caller.journal.broken("apart", f"{self.caller.name} reads job {job_id} of {other.caller.name}")
