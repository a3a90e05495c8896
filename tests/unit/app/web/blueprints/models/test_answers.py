"""From the catalogue's views to the members of an answer."""

from app.inference.messages import RunnerState
from app.services.model_catalog import ModelView, VersionView
from app.web.blueprints.models.answers import model_members, version_members
from tests.factories.catalog import make_facts
from tests.factories.versions import make_manifest
from tests.fakes.inference import make_record

FACTS = make_facts(3)
VERSION = VersionView(facts=FACTS, state="READY", runners=[make_record(FACTS.ref, state=RunnerState.READY)])
MODEL = ModelView(name="digits", default=3, aliases={"default": 3, "next": 4}, versions=[VERSION])


def test_model_summarises_its_versions() -> None:
    members = model_members(MODEL)

    assert {name: members[name] for name in ("name", "default", "aliases")} == {
        "name": "digits",
        "default": 3,
        "aliases": {"default": 3, "next": 4},
    }
    assert members["versions"] == [
        {
            "version": 3,
            "state": "READY",
            "reason": "",
            "task": "image-classification",
            "execution": "online",
            "pinned": False,
            "unloaded": False,
            "instances": 1,
            "size_bytes": 1,
            "created_at": FACTS.created_at,
            "created_by": "test",
        }
    ]


def test_version_tells_its_own_aliases_manifest_and_runners() -> None:
    members = version_members(MODEL, VERSION, make_manifest(name="digits", version=3))

    assert members["aliases"] == ["default"]
    assert members["digest"] == FACTS.digest
    assert members["manifest"]["labels"] == ["red", "green", "blue"]
    assert [(runner["pid"], runner["state"]) for runner in members["runners"]] == [(4711, "READY")]
