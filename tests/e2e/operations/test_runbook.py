"""Each line of the runbook, done to a whole installation under load: so many requests are lost as it says."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_stream_rollout import is_over, move_default, publish_stricter
from tests.factories.full_stack import FullStack, running_full_stack
from tests.factories.log_rotation import rotate_logs
from tests.factories.redis_server import killed
from tests.factories.small_disk import SmallDisk, small_disk
from tests.factories.stack import ROOT, Stack, classify
from tests.factories.steady_load import SteadyLoad, steady_load
from tests.factories.stream_load import as_sent, session_payments
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

JOBS = "/api/v1/jobs"
PAYMENTS = "/api/v1/fraud/scores"
ROWS = 500
RELOADED_WITHIN_S = 400.0
PATIENCE_S = 120.0
DISK = "64m"
RESERVE = str(16 * 2**20)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """A disk of their own for the files of jobs."""
    with small_disk(tmp_path_factory.mktemp("operations") / "jobs", DISK) as disk:
        yield disk


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("operations") / "galley.env"
    path.write_text("WEB_WORKERS=2\n")
    return path


@pytest.fixture(scope="module")
def full(stack: Stack, disk: SmallDisk, settings_file: Path) -> Iterator[FullStack]:
    """A whole installation, whose settings lie in a file."""
    variables = {"SETTINGS_FILE": str(settings_file), "JOBS_URL": str(disk.folder), "JOB_DISK_RESERVE": RESERVE}
    with running_full_stack(stack, **variables, JOB_LEASE_S="5") as full:
        yield full


@contextmanager
def nothing_lost(full: FullStack, run: str) -> Iterator[SteadyLoad]:
    """Have the block done under load, and assert that every request, event and row of a job is answered."""
    with steady_load(full, run) as load:
        path = post_job(full)
        yield load
    assert load.lost() == []
    assert (load.wrong_streams(), load.unanswered_events()) == ([], 0)
    assert_job_whole(full, path)


def post_job(full: FullStack) -> str:
    with full.client() as client:
        answer = send_job(client)
    assert answer.status_code == 202, answer.text
    return f"{JOBS}/{answer.json()['id']}"


def send_job(client: httpx.Client) -> httpx.Response:
    lines = "".join(f'{{"user_id":{number},"k":3}}\n' for number in range(1, ROWS + 1))
    files = {"input": ("rows.ndjson", lines.encode())}
    return client.post(JOBS, data={"kind": "recommendations"}, files=files)


def assert_job_whole(full: FullStack, path: str) -> None:
    """Assert that a job comes to its end, with an answer to each row."""
    with full.client() as client:
        wait_until(lambda: is_over(client.get(path)), timeout_s=PATIENCE_S)
        answers = client.get(f"{path}/results").raise_for_status().text.splitlines()
    assert len(answers) == ROWS


def reload(full: FullStack) -> None:
    """Type `make reload`."""
    command = [sys.executable, "-m", "deploy.stack", "reload"]
    environment = full.stack.environment
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=RELOADED_WITHIN_S
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_code_and_settings(full: FullStack, settings_file: Path) -> None:
    def own() -> set[int]:
        titles = ("galley-controller", "galley-runner", "celery", "gunicorn: worker")
        return {process.pid for title in titles for process in full.stack.find(title)}

    before = own()
    settings_file.write_text("WEB_WORKERS=3\n")
    with nothing_lost(full, "reload"):
        reload(full)
        # The server of before finishes what it has.
        wait_until(lambda: not before & own(), timeout_s=PATIENCE_S)

    assert len(full.stack.find("gunicorn: worker")) == 3


def test_wrong_settings_change_nothing(full: FullStack, settings_file: Path) -> None:
    good, before = settings_file.read_text(), full.supervisorctl("pid", "all")
    settings_file.write_text("WEB_WORKERS=many\n")
    try:
        with pytest.raises(AssertionError, match="WEB_WORKERS"):
            reload(full)
    finally:
        settings_file.write_text(good)

    assert full.supervisorctl("pid", "all") == before


def test_rollout_and_rollback_of_a_version(full: FullStack) -> None:
    with full.client() as client:
        version = publish_stricter(client, full.stack.var_dir / "store" / "fraud" / "1")
    with nothing_lost(full, "rollout") as load:
        for number in (version, 1):
            move_default(full.stack, number)
            load.wait_more(40)

    versions = {answer["model"]["version"] for talk in load.streams.answers.values() for _, answer in talk}
    assert versions == {1, version}


def test_new_code_after_a_rollback_waits_for_no_runner_that_nobody_wishes_for(full: FullStack) -> None:
    with full.client() as client:
        version = publish_stricter(client, full.stack.var_dir / "store" / "fraud" / "1")
    for number in (version, 1):
        move_default(full.stack, number)
    with nothing_lost(full, "reload-rolled-back"):
        reload(full)


def test_restart_of_both_redis(full: FullStack) -> None:
    with nothing_lost(full, "redis") as load:
        for server in (full.redis, full.state_redis):
            server.restart()
            load.wait_more()


def test_restart_of_postgresql(full: FullStack) -> None:
    with nothing_lost(full, "postgres") as load:
        full.postgres.end()
        full.postgres.restart()
        load.wait_more()


def test_while_the_state_is_away_payments_are_refused_and_pictures_answered(full: FullStack) -> None:
    [payment] = session_payments("refused", accounts=1, each=1)
    body = {"event": as_sent(payment)}
    with full.client() as client:
        with killed(full.state_redis):
            refused = client.post(PAYMENTS, json=body)
            pictured = classify(client, full.stack.picture.read_bytes())
        wait_until(lambda: client.post(PAYMENTS, json=body).is_success, timeout_s=PATIENCE_S)

    assert (refused.status_code, refused.json()["code"]) == (503, "redis_unavailable")
    assert "retry-after" in refused.headers
    assert pictured.is_success


def test_while_postgresql_is_away_writes_are_refused_and_pictures_answered(full: FullStack) -> None:
    with full.client() as client:
        # Its token is known from now on.
        classify(client, full.stack.picture.read_bytes()).raise_for_status()
        full.postgres.end()
        try:
            refused = send_job(client)
            pictured = classify(client, full.stack.picture.read_bytes())
        finally:
            full.postgres.restart()
        wait_until(lambda: send_job(client).status_code == httpx.codes.ACCEPTED, timeout_s=PATIENCE_S)

    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert "retry-after" in refused.headers
    assert pictured.is_success


def test_restart_of_celery(full: FullStack) -> None:
    with nothing_lost(full, "celery"):
        full.supervisorctl("restart", "celery")


def test_nginx_with_another_configuration(full: FullStack) -> None:
    with nothing_lost(full, "nginx") as load:
        full.nginx.reload()
        load.wait_more()


def test_rotation_of_logs(full: FullStack, tmp_path: Path) -> None:
    log = full.nginx.access_log
    rotated = log.with_name("access.log.1")
    told = classifications(log)
    with nothing_lost(full, "logs") as load:
        rotate_logs(full.nginx.folder, tmp_path, nginx_pid=full.nginx.pid)
        assert rotated.exists()
        load.wait_more()

    sent = len(load.kept.outcomes) + len(load.fresh.outcomes)
    # Written a second late at most.
    wait_until(lambda: classifications(log) + classifications(rotated) >= told + sent, timeout_s=PATIENCE_S)


def classifications(log: Path) -> int:
    """Count the lines of pictures in a log."""
    return log.read_text().count("/images/classifications")


def test_full_disk(full: FullStack, disk: SmallDisk) -> None:
    filler = disk.folder / "filler"
    with nothing_lost(full, "disk"):
        filler.write_bytes(bytes(56 * 2**20))
        with full.client() as client:
            refused = send_job(client)
            filler.unlink()
            taken = send_job(client)

    assert (refused.status_code, refused.json()["code"]) == (503, "disk_full")
    assert "retry-after" in refused.headers
    assert taken.status_code == 202
