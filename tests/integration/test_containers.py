"""The images and the compose file, as far as can be seen without an engine: form, sources, commands, configurations."""

import re
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.factories.commands import ROOT, names_in, words_of
from tests.factories.parts import needed_script

DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
PARTS = ("web", "prepare", "controller", "celery-batch", "celery-heavy", "celery-upkeep")
# They run to their end.
ERRANDS = ("prepare", "backup")
# What the web tier must never need.
HEAVY = ("torch", "pyarrow", "sklearn", "PIL")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed and say nothing of errors; return what it said."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_compose_file_has_the_form_of_the_specification() -> None:
    run(needed_script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_dockerfile_follows_good_practice() -> None:
    run(needed_script("hadolint"), "--no-color", DOCKERFILE)


def test_all_that_is_copied_is_in_the_checkout_and_sent_to_the_builder() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(copied) == sent


def test_what_an_operator_writes_is_neither_committed_nor_sent_to_the_builder() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert {"deploy/secrets", "deploy/galley.env"} <= {
            line.rstrip("/") for line in (ROOT / name).read_text().splitlines()
        }


@pytest.mark.parametrize("name", PARTS)
def test_containers_start_what_systemd_starts(name: str) -> None:
    unit = (DEPLOY / "systemd" / f"galley-{name}.service").read_text().replace("%%h", "%h")
    [command] = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)

    assert names_in(SERVICES[name]["command"]) == words_of(command)


def test_what_saves_postgresql_is_of_its_servers_version() -> None:
    text = DOCKERFILE.read_text()
    [client] = re.findall(r"postgresql-client-(\d+)", text[text.index(" AS worker\n") :])
    [debian] = re.findall(r"^FROM python:[\d.]+-slim-(\w+) AS base$", text, re.MULTILINE)

    assert SERVICES["postgres"]["image"] == f"postgres:{client}-{debian}"


def test_images_start_what_their_containers_start() -> None:
    [web, worker] = [
        yaml.safe_load(found) for found in re.findall(r"^CMD (\[.+\])$", DOCKERFILE.read_text(), re.MULTILINE)
    ]

    assert (web, worker) == (SERVICES["web"]["command"], SERVICES["controller"]["command"])
    assert 'ENTRYPOINT ["tini", "--"]' in DOCKERFILE.read_text()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_pinned_bounded_and_kept_up(name: str) -> None:
    service = SERVICES[name]

    assert service["image"].startswith("galley-") or re.search(r":v?\d+\.?\d", service["image"])
    assert service["restart"] == ("no" if name in ERRANDS else "unless-stopped")
    assert name == "prepare" or service["deploy"]["resources"]["limits"]["memory"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]


def test_bodies_on_their_way_do_not_end_nginx() -> None:
    """What lies in a tmpfs counts as memory: without a size of its own, strangers' uploads would have nginx killed."""
    [size] = [
        found[1]
        for path in SERVICES["nginx"]["tmpfs"]
        if (found := re.fullmatch(r"/var/cache/nginx:size=(\d+)g", path))
    ]
    memory = SERVICES["nginx"]["deploy"]["resources"]["limits"]["memory"]

    assert int(size) < int(memory.removesuffix("g"))


def test_only_nginx_keeps_rights_of_root() -> None:
    assert {name for name, service in SERVICES.items() if "cap_add" in service} == {"nginx"}


def test_no_part_of_celery_ends_another() -> None:
    owners = {name: service["pid"] for name, service in SERVICES.items() if "pid" in service}

    assert owners == {name: "service:pids" for name in SERVICES if name.startswith("celery-")}
    assert SERVICES["pids"]["command"] == ["sleep", "infinity"]
    # Where it is the same folder by process id, it is one space of these.
    folders = {SERVICES[name]["environment"]["PROMETHEUS_MULTIPROC_DIR"] for name in owners}
    assert len(folders) == 1


def test_a_backup_is_made_as_systemd_makes_it_and_only_when_it_is_named() -> None:
    unit = (DEPLOY / "systemd" / "galley-backup.service").read_text()
    [command] = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    [folder] = re.findall(r"^ReadWritePaths=(.+)$", unit, re.MULTILINE)
    backup = SERVICES["backup"]

    assert backup["profiles"] == ["backup"]
    assert " ".join(backup["command"]).replace("/backups", folder) == command.removeprefix("/opt/galley/.venv/bin/")
    assert f"${{BACKUPS_DIR:-{folder}}}:/backups" in backup["volumes"]


def test_what_answers_callers_and_keeps_data_is_asked_for_its_health() -> None:
    unasked = {name for name, service in SERVICES.items() if "healthcheck" not in service}

    assert unasked == {"net", "pids", *PARTS, *ERRANDS} - {"web"}


def test_web_may_be_replaced_beneath_those_who_share_its_network() -> None:
    sharing = {name for name, service in SERVICES.items() if service.get("network_mode") == "service:net"}

    assert sharing == {"web", "nginx", "prometheus", "grafana"}
    assert [name for name in sharing if SERVICES[name].keys() & {"ports", "networks"}] == []
    assert SERVICES["web"]["environment"]["HOST"] == "127.0.0.1"
    assert SERVICES["net"]["ports"][2:] == ["127.0.0.1:3000:3000"]


def test_secrets_come_as_files_only() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    variables = {name for service in SERVICES.values() for name in service.get("environment", {})} - {"PROMETHEUS_URL"}

    assert used == set(yaml.safe_load(COMPOSE.read_text())["secrets"])
    assert [name for name in variables if re.search("PASSWORD|SECRET|_URL", name) and not name.endswith("_FILE")] == []


def test_files_that_are_mounted_are_in_the_checkout() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    mounted = [volume.split(":")[0] for volume in volumes if volume.startswith("./")]

    assert [path for path in mounted if not (DEPLOY / path).exists()] == []


@pytest.mark.long
def test_the_web_image_needs_no_torch(tmp_path: Path) -> None:
    """What `pip install .` installs is enough to import the application, and holds nothing that runs models."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt", "README.md"):
        (metadata / name).write_text((ROOT / name).read_text())
    run(*pip, "--constraint", "constraints.txt", ".", cwd=metadata)

    say = f"import sys, deploy.doorkeeper.__main__, wsgi; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    environment = {"VAR_DIR": str(tmp_path / "var"), "JWT_SECRET": "k" * 40, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, "-c", say], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    installed = run(python, "-m", "pip", "list", "--format", "freeze").lower()
    assert [name for name in ("torch", "pyarrow", "scikit-learn", "pillow") if f"\n{name}==" in installed] == []
