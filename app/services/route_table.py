"""A route made ready for requests: which variant a caller gets, and why, in microseconds."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from app.db.repositories.routes import RouteFacts
from app.services.allocation import BUCKETS, BucketTable, bucket_of


class Why(enum.StrEnum):
    """What decided which version answers."""

    ASKED = "version"
    DEFAULT = "default"
    BUCKET = "bucket"
    SUBJECT = "override_subject"
    CLIENT = "override_client"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The variant of a caller, the version or alias that it leads to, and what decided."""

    variant: str
    version: str
    why: Why


class RouteTable:
    """One revision of a route. Nothing in it changes; share it between threads."""

    def __init__(self, facts: RouteFacts) -> None:
        document = facts.document
        self.revision = facts.revision
        self._salt: str = document["salt"]
        self._versions = {variant["name"]: str(variant["version"]) for variant in document["variants"]}
        self._table = BucketTable.of(tuple((name, count) for name, count in facts.buckets))
        self._by_bucket = {name: self._choice(name, Why.BUCKET) for name in self._versions}
        self._by_subject = self._overrides(document["overrides"], "subject", Why.SUBJECT)
        self._by_client = self._overrides(document["overrides"], "client", Why.CLIENT)

    def choose(self, subject: str, client_id: str) -> Choice:
        """Return the choice for a caller; an override of its subject beats one of its client, and both its bucket."""
        # Most routes have no overrides: an empty dict is asked nothing.
        if self._by_subject and subject in self._by_subject:
            return self._by_subject[subject]
        if self._by_client and client_id in self._by_client:
            return self._by_client[client_id]

        return self._by_bucket[self._table.variant(self.bucket(subject))]

    def bucket(self, subject: str) -> int:
        """Return the bucket of a subject."""
        return bucket_of(self._salt, subject)

    def shares(self) -> dict[str, float]:
        """Return which part of all buckets each variant has."""
        counts = dict.fromkeys(self._versions, 0)
        counts.update(self._table.counts())
        return {name: count / BUCKETS for name, count in counts.items()}

    def _overrides(self, overrides: list[Mapping[str, str]], member: str, why: Why) -> dict[str, Choice]:
        return {item[member]: self._choice(item["variant"], why) for item in overrides if member in item}

    def _choice(self, name: str, why: Why) -> Choice:
        return Choice(variant=name, version=self._versions[name], why=why)
