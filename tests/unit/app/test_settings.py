"""Settings: defaults, what is refused, and that all problems are named at once."""

from pathlib import Path

import pytest

from app.scenarios.recommendations import MAX_USERS
from app.setting_rules import MOST_ROWS_OF_A_REQUEST, SettingsError
from app.settings import read_settings

SECRET = "5f1d0c9be2a34786a0f7c1d2e3b4a596"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Leave only the settings of this test in the environment."""
    for name in (
        "PORT",
        "HOST",
        "WEB_WORKERS",
        "ENVIRONMENT",
        "JWT_SECRET_FILE",
        "CORS_ORIGINS",
        "REDIS_URL",
        "STATE_REDIS_URL",
        "DATABASE_URL",
        "DATABASE_URL_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_SECRET", SECRET)
    return monkeypatch


def test_defaults_follow_var_dir(tmp_path: Path) -> None:
    """Everything that is written lies under VAR_DIR, sockets in a short folder."""
    settings = read_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database_url == f"sqlite:///{tmp_path}/galley.db"
    assert settings.store_url == str(tmp_path / "store")
    assert settings.redis_url == f"unix://{settings.run_dir}/redis.sock"


def test_what_must_not_be_lost_lies_in_the_same_redis_unless_another_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REDIS_URL", "redis://cache:6379")
    assert read_settings().state_redis_url == "redis://cache:6379"

    environment.setenv("STATE_REDIS_URL", "redis://state:6379")
    assert (read_settings().redis_url, read_settings().state_redis_url) == ("redis://cache:6379", "redis://state:6379")


def test_values_are_typed(environment: pytest.MonkeyPatch) -> None:
    """Numbers become numbers, lists become lists."""
    environment.setenv("PORT", "8123")
    environment.setenv("CORS_ORIGINS", "https://a.example, http://b.example:3000")

    settings = read_settings()

    assert settings.port == 8123
    assert settings.cors_origins == ["https://a.example", "http://b.example:3000"]


def test_all_problems_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    """Four wrong settings make one error with four names."""
    wrong = {"PORT": "http", "WEB_WORKERS": "0", "ENVIRONMENT": "test", "JWT_SECRET": "short"}
    for name, value in wrong.items():
        environment.setenv(name, value)

    with pytest.raises(SettingsError) as error:
        read_settings()

    assert all(f"  {name}: " in str(error.value) for name in wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "galley.db"),
        ("DATABASE_URL", "postgresql://host/galley"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost:6379"),
        ("STATE_REDIS_URL", "http://localhost:6379"),
        ("CORS_ORIGINS", "console.example"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://a.example,"),
    ],
)
def test_addresses_of_another_kind_are_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """They would fail in each process for itself, after the start."""
    environment.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        read_settings()


@pytest.mark.parametrize("limit", ["5000", "0/second", "5/fortnight", "5 per second", "5/second\n"])
def test_limits_have_one_form(environment: pytest.MonkeyPatch, limit: str) -> None:
    """A limit is amount/period."""
    environment.setenv("LIMIT_INFERENCE", limit)

    with pytest.raises(SettingsError, match="LIMIT_INFERENCE"):
        read_settings()


def test_secret_comes_from_its_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without JWT_SECRET the file is read, without its line end."""
    environment.delenv("JWT_SECRET")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "jwt_secret").write_text(SECRET + "\n")

    assert read_settings().jwt_secret == SECRET


@pytest.mark.parametrize(("queue", "images"), [(255, 32), (511, 512)])
def test_queue_holds_one_request(environment: pytest.MonkeyPatch, queue: int, images: int) -> None:
    """The users of one call, or its pictures, whichever may be more."""
    environment.setenv("MAX_IMAGES", str(images))
    environment.setenv("RUNNER_QUEUE_ROWS", str(queue))

    with pytest.raises(SettingsError, match=rf"RUNNER_QUEUE_ROWS: Must hold one request: 256 users, .* \({images}\)"):
        read_settings()
    environment.setenv("RUNNER_QUEUE_ROWS", str(queue + 1))
    assert read_settings().runner_queue_rows == queue + 1


def test_the_largest_request_is_that_of_recommendations() -> None:
    assert MOST_ROWS_OF_A_REQUEST == MAX_USERS


def test_chunks_have_memory_besides_their_version(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JOB_MEMORY", "1000")
    environment.setenv("JOB_MEMORY_LIMIT", "1000")

    with pytest.raises(SettingsError, match="JOB_MEMORY_LIMIT: Must be more than JOB_MEMORY"):
        read_settings()
    for allowed in ("1001", "0"):
        environment.setenv("JOB_MEMORY_LIMIT", allowed)
        assert read_settings().job_memory_limit == int(allowed)


def test_missing_secret_is_a_problem(environment: pytest.MonkeyPatch) -> None:
    """A key is never empty, though nobody set it."""
    environment.delenv("JWT_SECRET")

    with pytest.raises(SettingsError, match="32 bytes"):
        read_settings()


def test_production_refuses_a_made_up_secret(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file that `make run` writes does not count; one that the operator names does."""
    environment.delenv("JWT_SECRET")
    environment.setenv("ENVIRONMENT", "production")
    made_up = tmp_path / "secrets" / "jwt_secret"
    made_up.parent.mkdir()
    made_up.write_text(SECRET)

    with pytest.raises(SettingsError, match="JWT_SECRET"):
        read_settings()
    environment.setenv("JWT_SECRET_FILE", str(made_up))

    assert read_settings().jwt_secret == SECRET


def test_production_names_what_could_be_guessed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("JWT_SECRET", "please-change-me-to-something-random")
    environment.setenv("DATABASE_URL", "postgresql+psycopg://galley:short@host/galley")

    with pytest.raises(SettingsError, match=r"(?s)DATABASE_URL: .*16 characters.*JWT_SECRET: .*placeholder") as error:
        read_settings()
    assert "short" not in str(error.value)


def test_a_wrong_setting_and_a_weak_secret_are_named_once_each(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("REDIS_URL", "http://:short@host")

    with pytest.raises(SettingsError) as error:
        read_settings()
    assert str(error.value).count("REDIS_URL") == 1
    assert "redis://HOST" in str(error.value)


def test_settings_print_no_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql+psycopg://galley:hunter2@host/galley")
    environment.setenv("REDIS_URL", "redis://:hunter3@host")
    environment.setenv("STORE_URL", "ftp://galley:hunter4@host/store")

    printed = repr(read_settings())

    assert "token_lifetime_s=3600" in printed
    assert "hunter" not in printed
    assert SECRET not in printed


@pytest.mark.parametrize("seconds", ["0", "3301", "inf", "nan"])
def test_a_verification_may_not_outlast_its_task(environment: pytest.MonkeyPatch, seconds: str) -> None:
    """The task would be ended first, without a reason that its job could give."""
    environment.setenv("VERIFICATION_WALL_S", seconds)

    with pytest.raises(SettingsError, match="VERIFICATION_WALL_S"):
        read_settings()


def test_requests_are_measured_and_logged_unless_told_not_to(environment: pytest.MonkeyPatch) -> None:
    defaults = read_settings()
    environment.setenv("METRICS", "false")
    environment.setenv("ACCESS_LOG", "false")
    told = read_settings()

    assert (defaults.metrics, defaults.access_log) == (True, True)
    assert (told.metrics, told.access_log) == (False, False)
