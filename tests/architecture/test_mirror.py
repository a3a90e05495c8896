"""Unit tests mirror the source, path for path."""

import pytest

from tests.architecture.source import ROOT, SourceFile, product_files, test_files

UNIT = "tests/unit/"

# Modules whose proof needs more than one process or a real outside part: where that proof stands.
PROVEN_ELSEWHERE: dict[str, str] = {
    "app/db/server_facts.py": "tests/integration/test_doctor.py",
    "app/infra/task_queue.py": "tests/integration/test_task_queue.py",
    "app/infra/redis.py": "tests/integration/test_redis.py",
    "app/inference/directory_publisher.py": "tests/integration/test_directory.py",
    "app/inference/directory_reader.py": "tests/integration/test_directory.py",
    "app/inference/heavy_queue.py": "tests/integration/test_heavy_queue.py",
    "app/inference/heavy_workers.py": "tests/integration/test_heavy_queue.py",
    "app/services/experiment_store.py": "tests/integration/test_experiment_store.py",
    "app/services/socket_places.py": "tests/integration/test_socket_places.py",
    "app/services/stream_sessions.py": "tests/integration/test_stream_sessions.py",
    "deploy/doctor/__main__.py": "tests/integration/test_doctor.py",
    "deploy/gunicorn.conf.py": "tests/e2e/watching/test_counts.py",
    "deploy/stack/__main__.py": "tests/e2e/test_endings.py",
    "deploy/stack/access_token.py": "tests/e2e/test_first_light.py",
    "deploy/stack/demo.py": "tests/e2e/test_first_light.py",
    "deploy/stack/launcher.py": "tests/e2e/test_endings.py",
    "deploy/stack/reload.py": "tests/e2e/operations/test_runbook.py",
    "workers/controller/controller.py": "tests/integration/test_controller.py",
    "workers/controller/desired.py": "tests/integration/test_desired.py",
    "workers/controller/fleet.py": "tests/integration/test_fleet.py",
    "workers/runner/sequence_store.py": "tests/integration/test_sequence_store.py",
    "workers/verification/child.py": "tests/integration/test_verification.py",
    "workers/verification/confinement.py": "tests/integration/test_confinement.py",
    "workers/verification/landlock.py": "tests/integration/test_confinement.py",
    "workers/verification/limited_process.py": "tests/integration/test_verification.py",
    "workers/verification/verify.py": "tests/integration/test_verification.py",
}

# A module of fewer lines of code in functions than this is proven through its callers.
WORTH_A_TEST = 12


def test_each_unit_test_names_a_module() -> None:
    """A unit test without its module is lost: the module was moved or renamed."""
    lost = [source.path for source in test_files() if source.path.startswith(UNIT) and _is_lost(source)]

    if lost:
        pytest.fail("These unit tests mirror no module:\n" + "\n".join(lost), pytrace=False)


def test_each_module_has_a_unit_test() -> None:
    """A module with code of its own is tested beside its path, or PROVEN_ELSEWHERE says where."""
    mirrored = {source.path for source in test_files()}
    bare = [
        f"{source.path} → {_mirror(source.path)}"
        for source in product_files()
        if _is_worth_a_test(source) and _mirror(source.path) not in mirrored and source.path not in PROVEN_ELSEWHERE
    ]

    if bare:
        pytest.fail("These modules have no unit test:\n" + "\n".join(bare), pytrace=False)


def test_proofs_elsewhere_exist() -> None:
    """Each exception names a module that is there, and a test that is there."""
    paths = [*PROVEN_ELSEWHERE, *PROVEN_ELSEWHERE.values()]

    assert [path for path in paths if not (ROOT / path).exists()] == []


def _is_lost(source: SourceFile) -> bool:
    folder, _, name = source.path.removeprefix(UNIT).rpartition("/")
    if not name.startswith("test_"):
        return False

    return all(_mirror(path.relative_to(ROOT).as_posix()) != source.path for path in (ROOT / folder).glob("*.py"))


def _is_worth_a_test(source: SourceFile) -> bool:
    is_migration = source.path.startswith("migrations/")
    return not is_migration and sum(function.body_lines for function in source.functions) >= WORTH_A_TEST


def _mirror(path: str) -> str:
    folder, _, name = path.rpartition("/")
    name = name.replace("__main__", "main")
    return f"{UNIT}{folder}/test_{name}" if folder else f"{UNIT}test_{name}"
