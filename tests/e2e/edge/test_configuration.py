"""deploy/nginx.conf by itself, without a stack: quick, so that a slip of the pen is found before it is committed."""

import os
import re
import subprocess
from pathlib import Path

import psutil
import pytest
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException, UnsupportedTransferCoding

from deploy.refusals import refusal_of
from tests.factories.certificates import make_certificates
from tests.factories.nginx import CONFIG, WORKERS_USER, Nginx, listening, write_config
from tests.factories.parts import needed

TEXT = CONFIG.read_text()


def test_the_configuration_is_read_without_a_warning(tmp_path: Path) -> None:
    config = write_config(tmp_path, make_certificates(tmp_path), listening(8443, 8080))
    nginx = needed("nginx", package="nginx")
    command: list[str | Path] = [nginx, "-t", "-p", tmp_path, "-c", config, "-g", f"pid {tmp_path}/pid;"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
    assert "test is successful" in result.stderr
    assert "[warn]" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root may choose whom workers run as.")
def test_workers_are_not_who_opens_foreign_models(alone: Nginx) -> None:
    users = {worker.username() for worker in psutil.Process(alone.pid).children()}

    # Debian's own configuration says `nobody`, and so does a part of a root's stack that has no Landlock.
    assert users == {WORKERS_USER}


def members(name: str) -> dict[str, str]:
    """Return what a map of problems' members says, by code."""
    [entries] = re.findall(rf"map \$galley_code \$galley_{name} {{\n(.*?)\n    }}", TEXT, re.DOTALL)
    pairs = (line.strip().removesuffix(";").split(maxsplit=1) for line in entries.splitlines())
    return {code: said.strip("'\"") for code, said in pairs}


def test_every_problem_has_the_title_of_its_code_and_a_sentence() -> None:
    codes = set(re.findall(r"error_page [^;]*\$galley_form/(\w+);", TEXT))
    titles, details = members("title"), members("detail")
    defaulted = {"malformed_request"}

    assert codes - defaulted == set(titles) - {"default"} == set(details) - {"default"}
    for code in codes - defaulted:
        assert titles[code] == code.replace("_", " ").capitalize()
        assert details[code].endswith(".")
    assert titles["default"] == "Malformed request"


@pytest.mark.parametrize(
    "error",
    [
        LimitRequestHeaders("too many"),
        LimitRequestLine(9000, 4094),
        ParseException("noise"),
        RuntimeError("no client's doing"),
        UnsupportedTransferCoding("gzip"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_gunicorn_refuses_as_well_is_said_in_the_same_words(error: Exception) -> None:
    refusal, details = refusal_of(error), members("detail")

    assert details.get(refusal.code, details["default"]) == refusal.detail
