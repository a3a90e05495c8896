"""Settings: defaults, what is refused, and that all problems are named at once."""

from pathlib import Path

import pytest

from app.settings import LONGEST_RUN_DIR, SettingsError, read_settings, secret_to_make, short_run_dir

SECRET = "a-secret-of-more-than-thirty-two-bytes"


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
        "DATABASE_URL",
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


def test_secret_to_make(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing key may be made up in development, never in production, and not when one is given."""
    assert secret_to_make() is None
    environment.delenv("JWT_SECRET")
    assert secret_to_make() == tmp_path / "secrets" / "jwt_secret"
    environment.setenv("ENVIRONMENT", "production")
    assert secret_to_make() is None


def test_queue_holds_the_images_of_one_request(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RUNNER_QUEUE_ROWS", "31")

    with pytest.raises(SettingsError, match="RUNNER_QUEUE_ROWS: Must hold"):
        read_settings()


def test_run_dir_is_short_enough_for_sockets() -> None:
    """A long VAR_DIR gets a short run folder, always the same, and another one another."""
    long, other = Path("/var") / ("a" * 80), Path("/var") / ("b" * 80)

    assert len(bytes(short_run_dir(long))) <= LONGEST_RUN_DIR
    assert short_run_dir(long) == short_run_dir(long) != short_run_dir(other)
    assert short_run_dir(Path("/var/galley")) == Path("/var/galley/run")


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


@pytest.mark.parametrize("seconds", ["0", "3301", "inf", "nan"])
def test_a_verification_may_not_outlast_its_task(environment: pytest.MonkeyPatch, seconds: str) -> None:
    """The task would be ended first, without a reason that its job could give."""
    environment.setenv("VERIFICATION_WALL_S", seconds)

    with pytest.raises(SettingsError, match="VERIFICATION_WALL_S"):
        read_settings()
