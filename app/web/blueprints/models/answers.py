"""From the catalogue's views to the members of an answer."""

from typing import Any

import msgspec

from app.inference.directory import RunnerRecord
from app.services.model_catalog import ModelView, VersionView
from model_store.manifest import Manifest


def model_members(model: ModelView) -> dict[str, Any]:
    """Return a model with the summary of each version."""
    return {
        "name": model.name,
        "default": model.default,
        "aliases": model.aliases,
        "versions": [_summary(version) for version in model.versions],
    }


def version_members(model: ModelView, version: VersionView, manifest: Manifest) -> dict[str, Any]:
    """Return one version of `model` whole."""
    number = version.facts.ref.version
    return {
        **_summary(version),
        "name": model.name,
        "digest": version.facts.digest,
        "aliases": [alias for alias, target in model.aliases.items() if target == number],
        "manifest": msgspec.to_builtins(manifest),
        "runners": [_runner(record) for record in version.runners],
    }


def _summary(version: VersionView) -> dict[str, Any]:
    facts = version.facts
    return {
        "version": facts.ref.version,
        "state": version.state,
        "reason": version.reason,
        "task": facts.task,
        "execution": facts.execution,
        "pinned": facts.is_pinned,
        "unloaded": facts.is_unloaded,
        "instances": facts.instances,
        "size_bytes": facts.size_bytes,
        "created_at": facts.created_at,
        "created_by": facts.created_by,
    }


def _runner(record: RunnerRecord) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(record)
    return members
