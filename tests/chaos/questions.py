"""Callers that ask what was asked before anything was broken, and must be told the same."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.caller import Caller
from tests.chaos.likeness import differences

RIGHTLY = "rightly"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request, of a kind, and how it is put."""

    kind: str
    path: str
    request: Mapping[str, Any]


@dataclass
class Known:
    """What one caller asks, and what it was told when all was well."""

    caller: Caller
    questions: Sequence[Question]
    told: list[Any] = field(default_factory=list)

    async def learn(self) -> None:
        """Ask each question once."""
        self.told = [await self._ask(question) for question in self.questions]

    async def ask_on(self, *, pace_s: float, rng: random.Random) -> None:
        """Ask them over and over, in any order."""
        while not self.caller.over.is_set():
            number = rng.randrange(len(self.questions))
            question = self.questions[number]
            with self.caller.journal.work(question.kind, f"{self.caller.name} {number}"):
                self.caller.journal.checked(RIGHTLY)
                for what in differences(await self._ask(question), self.told[number]):
                    self.caller.journal.broken(RIGHTLY, f"{self.caller.name}, {question.kind} {number}: {what}")
            await asyncio.sleep(rng.uniform(0, 2 * pace_s))

    async def _ask(self, question: Question) -> Any:
        answer = await self.caller.ask(question.kind, "POST", question.path, **question.request)
        return answer.json()


def picture_questions(pictures: Sequence[bytes]) -> list[Question]:
    """Ask for the labels of pictures, so that they are computed each time."""
    return [
        Question(
            kind="image",
            path="/api/v1/images/classifications",
            request={"content": picture, "headers": {"Content-Type": "image/png", "Cache-Control": "no-store"}},
        )
        for picture in pictures
    ]


def taste_questions(users: Sequence[int]) -> list[Question]:
    """Ask for recommendations, every other time past what is kept."""
    return [
        Question(
            kind="recommendation",
            path="/api/v1/recommendations",
            request={"json": {"user_id": user}, "headers": {"Cache-Control": "no-cache"} if user % 2 else {}},
        )
        for user in users
    ]
