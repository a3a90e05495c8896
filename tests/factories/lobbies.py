"""Where clients of streams are received: a web worker's models and clients, with sessions and places in memory."""

import time
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from app.services.clients import ClientDraft
from app.services.scopes import Scope
from app.services.stream_sessions import SessionFacts
from app.services.token_codec import Claims
from app.services.tokens import Identity, TokenService
from app.settings import Settings
from app.web.sockets.keeper import Keeper
from app.web.sockets.reception import Reception
from model_store.manifest import Manifest, StateSpec, TensorSpec
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.stream_sessions import FakeSocketPlaces, FakeStreamSessions
from tests.fakes.token_codec import FakeTokenCodec

SHOP: Final = "shop"
BANK: Final = "bank"

_ids = count()


def stateful_manifest(**changes: Any) -> Manifest:
    """Return the manifest of a model of payments that remembers."""
    payment, memory, score, after = (
        TensorSpec(name=name, datatype="FP32", shape=[-1, size])
        for name, size in (("payment", 3), ("memory", 2), ("score", 1), ("after", 2))
    )
    fields: dict[str, Any] = {
        "task": "sequence-scoring",
        "inputs": [payment, memory],
        "outputs": [score, after],
        "state": [StateSpec(input="memory", output="after", shape=[2])],
        "labels": [],
    }
    return make_manifest(**{**fields, **changes})


def furnish(worker: WebWorker) -> None:
    """Publish a model of each stream and others that answer none, and make the clients `shop` and `bank`."""
    worker.publish(name="fraud", manifest=stateful_manifest())
    worker.publish(name="text", manifest=stateful_manifest(task="text-classification"))
    worker.publish(name="heavy", manifest=stateful_manifest(execution="heavy"))
    worker.publish(name="stateless", manifest=make_manifest(task="sequence-scoring"))
    worker.publish(name="digits")
    for client_id in (SHOP, BANK):
        worker.services.clients.create(ClientDraft(client_id=client_id, scopes=frozenset(Scope)), by="test")


def write_token(**changes: Any) -> str:
    """Return a token of `shop` that may do all, with `changes` made in its claims; the lobby's codec reads it."""
    now = time.time()
    claims: dict[str, Any] = {"sub": SHOP, "jti": f"token-{next(_ids)}", "iat": now, "exp": now + 3600}
    return FakeTokenCodec().encode(Claims(**{**claims, "scope": "infer", "models": ("*",), **changes}))


def make_identity(**changes: Any) -> Identity:
    """Return who holds a good token of `shop`, with `changes` made."""
    now = time.time()
    fields: dict[str, Any] = {"client_id": SHOP, "scopes": frozenset({Scope.INFER}), "model_globs": ("*",)}
    fields |= {"token_id": f"token-{next(_ids)}", "issued_at": now, "expires_at": now + 3600}
    return Identity(**{**fields, **changes})


def anything_goes(_facts: SessionFacts) -> None:
    """Let a session be resumed, whatever it is."""


@dataclass
class Lobby:
    """A reception, and what it goes by; `settings` as far as a test changes them."""

    worker: WebWorker
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        services = self.worker.services
        self.settings: Settings = replace(services.settings, **self.changes)
        self.sessions = FakeStreamSessions()
        self.places = FakeSocketPlaces(most=self.settings.max_sockets)
        self.keeper = Keeper(self.sessions, self.places)
        self.tokens = TokenService(self.settings, services.database, FakeTokenCodec())
        self.reception = Reception(
            settings=self.settings,
            tokens=self.tokens,
            router=services.routing,
            catalog=services.catalog,
            sessions=self.sessions,
            places=self.places,
        )
