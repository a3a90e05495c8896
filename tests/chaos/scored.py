"""The reference of payments: one thread that scores them one by one, and keeps what the accounts come to."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from app.scenarios.fraud_events import FraudEvent
from tests.chaos.journal import Journal
from tests.chaos.likeness import SAME, differences
from tests.factories.account_states import AccountState
from tests.factories.scored_alone import ScoredAlone, parted

WRONG, STATE = "rightly", "state"


class Reference:
    """What payments are answered, and what their accounts come to, if one thread scores them one by one."""

    def __init__(self, alone: ScoredAlone, journal: Journal) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._alone, self._journal = alone, journal
        self._moves: dict[str, int] = {}

    async def compare(self, caller: str, events: Sequence[FraudEvent], scores: dict[str, float]) -> None:
        """Compare the scores that a caller was told, by event_id, of payments that are now all answered."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._alone.score, events)
        for event in events:
            self._moves[event.account_id] = self._moves.get(event.account_id, 0) + 1
        expected = {event.event_id: self._alone.scores[event.event_id] for event in events}
        self._journal.checked(WRONG, len(events))
        for what in differences(scores, expected):
            self._journal.broken(WRONG, f"{caller}: {what}")

    def compare_states(self, found: dict[str, AccountState]) -> int:
        """Compare what the server remembers of the accounts that were compared; return how many they are."""
        self._journal.checked(STATE, len(self._alone.states))
        for account, state in self._alone.states.items():
            for what in self._wrong_with(account, state, found.get(account)):
                self._journal.broken(STATE, f"account {account} {what}")
        return len(self._alone.states)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _wrong_with(self, account: str, state: bytes, found: AccountState | None) -> list[str]:
        if found is None:
            return ["is not known"]
        if found.moves != self._moves[account]:
            return [f"was moved {found.moves} times by {self._moves[account]} payments"]

        memory, past = parted(state)
        is_alike = all(abs(one - other) <= SAME for one, other in zip(found.memory, memory, strict=True))
        return [] if found.past == past and is_alike else ["has another past"]
