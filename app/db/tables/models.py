"""Published versions, the names that point at them, and the routes; the files are in the model store."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class ModelVersionRow(Base):
    """One immutable version that passed verification. `digest` is the SHA-256 of its manifest.

    A deleted version keeps its row: its number is never given again. `is_unloaded` is the wish that it does not
    run, `instances` how many runners it should have. `is_cached` and `is_cached_per_client` are what its manifest says
    of keeping its answers.
    """

    __tablename__ = "model_versions"

    model_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(32))
    execution: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    is_pinned: Mapped[bool]
    is_unloaded: Mapped[bool] = mapped_column(default=False)
    instances: Mapped[int] = mapped_column(default=1)
    is_cached: Mapped[bool] = mapped_column(default=True)
    is_cached_per_client: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    deleted_at: Mapped[datetime | None]


class AliasRow(Base):
    """A movable name of a version; `default` answers callers who name none.

    `previous_version` answers until the version it moved to is READY. Answers of callers who name the alias are kept
    for `cache_ttl_s` seconds; null leaves it to the setting, 0 keeps none.
    """

    __tablename__ = "aliases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_name", "version"],
            ["model_versions.model_name", "model_versions.version"],
            ondelete="RESTRICT",
        ),
    )

    model_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    previous_version: Mapped[int | None]
    cache_ttl_s: Mapped[int | None]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(64))


class AliasChangeRow(Base):
    """One move of an alias. None as `from_version` made it, None as `to_version` deleted it."""

    __tablename__ = "alias_changes"
    __table_args__ = (Index("ix_alias_changes_model_name", "model_name", "alias", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_name: Mapped[str] = mapped_column(String(128))
    alias: Mapped[str] = mapped_column(String(64))
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(512))


class RouteRow(Base):
    """How a model's traffic splits. `document` is the route as it was put, `buckets` who has which bucket.

    `revision` rises with each change; what is counted for an experiment is counted per revision.
    """

    __tablename__ = "routes"

    model_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    revision: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    buckets: Mapped[list[Any]] = mapped_column(JSON)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(String(64))
