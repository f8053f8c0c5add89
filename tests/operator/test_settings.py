"""Settings: where they come from, what they default to, and how wrong ones are told."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsInvalid
from bot.settings import Rate, Settings, env_names, example

ROOT = Path(__file__).parents[2]


def load(tmp_path: Path, dotenv: str = "", **env: str) -> Settings:
    """Settings from this environment, this `.env` and the secrets in `tmp_path / "secrets"`."""
    (tmp_path / ".env").write_text(dotenv)
    return Settings.load(env=env, env_file=tmp_path / ".env", secrets_dir=tmp_path / "secrets")


def problems(tmp_path: Path, dotenv: str = "", **env: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(tmp_path, dotenv, **env)
    return caught.value.problems


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    """With nothing configured the defaults hold, which are safe."""
    settings = load(tmp_path)
    assert settings == Settings()
    assert (settings.hear, settings.collect, settings.channel_turns) == ("threads", True, 3)
    assert (settings.transcript_days, settings.transcript_messages, settings.why_days) == (30, 1000, 7)
    assert settings.person_rate == Rate(count=10, per_s=600.0)
    assert settings.workspace_daily_tokens == 1_000_000
    assert (settings.platforms, settings.has_model) == ((), False)


def test_conventional_names_are_used_where_the_ecosystem_has_them(tmp_path: Path) -> None:
    """Tokens, keys and addresses keep their usual names; all else is PARLEY_ and the field's name."""
    plain = {name for name in env_names().values() if not name.startswith("PARLEY_")}
    assert plain == {
        "DISCORD_TOKEN",
        "DISCORD_API_BASE",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_API_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "REDIS_URL",
    }
    assert env_names()["turns"] == "PARLEY_TURNS"


def test_environment_comes_before_dotenv_and_dotenv_before_secrets(tmp_path: Path) -> None:
    """Of the sources the environment counts first, then `.env`, then /run/secrets."""
    (tmp_path / "secrets").mkdir()
    for name in ("openai_api_key", "DISCORD_TOKEN", "parley_model"):
        (tmp_path / "secrets" / name).write_text("from-secrets\n")
    (tmp_path / "secrets" / "another_programs_secret").write_bytes(b"\xff")
    settings = load(tmp_path, "DISCORD_TOKEN=from-dotenv\nPARLEY_MODEL=from-dotenv\n", PARLEY_MODEL="from-env")
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "from-secrets"
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "from-dotenv"
    assert settings.model == "from-env"


def test_name_file_reads_the_value_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE names a file that holds the value, also for a named provider's key."""
    (tmp_path / "key").write_text("sk-from-file\n")
    (tmp_path / "prompt").write_text("You are Ada.\nBe brief.\n")
    settings = load(
        tmp_path,
        OPENAI_API_KEY_FILE=str(tmp_path / "key"),
        PARLEY_SYSTEM_PROMPT_FILE=str(tmp_path / "prompt"),
        PARLEY_PROVIDER_GROQ_URL="https://api.groq.com/openai/v1",
        PARLEY_PROVIDER_GROQ_KEY_FILE=str(tmp_path / "key"),
    )
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "sk-from-file"
    assert settings.system_prompt == "You are Ada.\nBe brief."
    groq = settings.providers["groq"]
    assert groq.key is not None
    assert (groq.base_url, groq.key.get_secret_value(), groq.wire) == (
        "https://api.groq.com/openai/v1",
        "sk-from-file",
        "auto",
    )


@pytest.mark.parametrize("name", ["OPENAI", "DEFAULT"])
def test_a_named_provider_does_not_take_the_main_ones_name(tmp_path: Path, name: str) -> None:
    """`openai` and `default` are the names of the server at OPENAI_BASE_URL."""
    assert problems(tmp_path, **{f"PARLEY_PROVIDER_{name}_URL": "http://localhost/v1"}) == [
        f"PARLEY_PROVIDER_{name}_URL: should be another name than openai or default. "
        f"Example: PARLEY_PROVIDER_GROQ_URL=https://api.groq.com/openai/v1"
    ]


def test_a_named_provider_may_come_from_several_sources(tmp_path: Path) -> None:
    """Its address from `.env`, its key from a secret."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "parley_provider_groq_key").write_text("gsk_1\n")
    groq = load(tmp_path, "PARLEY_PROVIDER_GROQ_URL=http://localhost/v1\n").providers["groq"]
    assert groq.key is not None
    assert (groq.base_url, groq.key.get_secret_value()) == ("http://localhost/v1", "gsk_1")


def test_settings_without_load_read_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Settings()` is the defaults alone and `Settings(model=...)` that and them, whatever surrounds the process."""
    (tmp_path / ".env").write_text("PARLEY_MODEL=from-dotenv\n")
    monkeypatch.chdir(tmp_path)
    for name in ("PARLEY_TURNS", "turns", "TURNS"):
        monkeypatch.setenv(name, "7")
    assert (Settings().turns, Settings().model) == (100, "")
    assert (Settings(model="one").model, Settings(model="one").turns) == ("one", 100)
    assert Settings.load(secrets_dir=tmp_path / "none").turns == 7
    monkeypatch.delenv("PARLEY_TURNS")
    assert Settings.load(secrets_dir=tmp_path / "none").turns == 100


def test_dotenv_may_refer_to_other_variables(tmp_path: Path) -> None:
    """As python-dotenv and Compose do it."""
    assert load(tmp_path, "HOST=db\nREDIS_URL=redis://${HOST}/0\n").redis_url == "redis://db/0"


def test_name_and_name_file_together_are_a_problem(tmp_path: Path) -> None:
    """Where both are set, neither is silently preferred."""
    assert problems(tmp_path, OPENAI_API_KEY="sk-1", OPENAI_API_KEY_FILE="/nowhere") == [
        "OPENAI_API_KEY_FILE: OPENAI_API_KEY is set as well. Keep one of the two. Example: OPENAI_API_KEY_FILE=/nowhere"
    ]


def test_an_empty_value_is_the_same_as_none(tmp_path: Path) -> None:
    """`NAME=` and `NAME=" "` leave the default, as the lines of a copied .env.example do."""
    assert load(tmp_path, 'OPENAI_API_KEY=\nPARLEY_TURNS=" "\n', REDIS_URL="") == Settings()


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Every wrong setting is told, each in one line with the variable's name and an example."""
    wrong = {
        "PARLEY_TURNS": "many",
        "PARLEY_HEAR": "everything",
        "PARLEY_PERSON_RATE": "10",
        "PARLEY_ALLOWED_PEOPLE": "300,slack:U1",
        "PARLEY_TEMPERATURE": "3",
        "PARLEY_COLLECT": "maybe",
        "PARLEY_CALL_S": "0",
        "OPENAI_BASE_URL": "api.groq.com",
        "REDIS_URL": "localhost",
        "PARLEY_PROVIDER_GROQ_WIRE": "smoke",
        "PARLEY_MODLE": "gpt-6-luna",
    }
    told = problems(tmp_path, "this is no line of a .env\n", **wrong)
    named = {line.partition(":")[0] for line in told}
    assert named == {*wrong, "PARLEY_PROVIDER_GROQ_URL", f"{tmp_path / '.env'}, line 1"}
    assert all("\n" not in line for line in told)
    assert all("Example: " in line or "Did you mean PARLEY_MODEL?" in line for line in told)
    assert (
        "PARLEY_HEAR: input should be 'off', 'threads' or 'all' (it is 'everything'). Example: PARLEY_HEAR=threads"
        in told
    )


@pytest.mark.parametrize(
    "name",
    ["DISCORD_TOKEN", "OPENAI_API_KEY", "SLACK_BOT_TOKEN", "REDIS_URL", "PARLEY_PROVIDER_X_KEY", "OPENAI_BASE_URL"],
)
def test_a_problem_never_shows_a_secret(tmp_path: Path, name: str) -> None:
    """What was wrong about a secret or an address is told without its value."""
    assert "hunter2" not in "\n".join(problems(tmp_path, **{name: "hunter2 hunter2"}))


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    """Neither tokens, keys nor the store's address (it carries a password) are in the printed form."""
    env = {
        "DISCORD_TOKEN": "hunter2",
        "SLACK_BOT_TOKEN": "xoxb-hunter2",
        "SLACK_APP_TOKEN": "xapp-hunter2",
        "OPENAI_API_KEY": "hunter2",
        "REDIS_URL": "redis://:hunter2@localhost",
        "PARLEY_PROVIDER_X_URL": "http://localhost",
        "PARLEY_PROVIDER_X_KEY": "hunter2",
    }
    settings = Settings.load(env=env, env_file=None)
    assert "hunter2" not in f"{settings!r} {settings}"
    assert settings.redis_url == "redis://:hunter2@localhost"
    assert (settings.platforms, settings.has_model) == (("discord", "slack"), True)


def test_variables_that_others_put_into_a_container_are_left_alone(tmp_path: Path) -> None:
    """What our image sets and what Kubernetes sets beside a Service called "parley" is not taken for a misspelling."""
    others = {
        "PARLEY_CONTAINER": "1",
        "PARLEY_PORT": "tcp://10.0.0.1:80",
        "PARLEY_PORT_80_TCP_ADDR": "10.0.0.1",
        "PARLEY_SERVICE_HOST": "10.0.0.1",
        "PARLEY_SERVICE_PORT_HTTP": "80",
    }
    assert load(tmp_path, **others) == Settings()


def test_half_a_slack_is_a_problem(tmp_path: Path) -> None:
    """Slack's tokens work only together."""
    assert [line.partition(":")[0] for line in problems(tmp_path, SLACK_BOT_TOKEN="xoxb-1")] == ["SLACK_BOT_TOKEN"]
    assert [line.partition(":")[0] for line in problems(tmp_path, SLACK_APP_TOKEN="xapp-1")] == ["SLACK_APP_TOKEN"]
    load(tmp_path, SLACK_BOT_TOKEN="xoxb-1", SLACK_SIGNING_SECRET="1")


def test_swapped_slack_tokens_are_told(tmp_path: Path) -> None:
    """A bot token where the app-level token belongs, and the other way round."""
    told = problems(tmp_path, SLACK_BOT_TOKEN="xapp-1", SLACK_APP_TOKEN="xoxb-1")
    assert len(told) == 2


def test_an_unreadable_dotenv_is_a_problem(tmp_path: Path) -> None:
    """A `.env` that is no UTF-8 text, or a folder, is told instead of ignored."""
    (tmp_path / "bad").write_bytes(b"OPENAI_API_KEY=\xff")
    for path in (tmp_path / "bad", tmp_path):
        with pytest.raises(SettingsInvalid, match="cannot read"):
            Settings.load(env={}, env_file=path)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/10m", Rate(count=10, per_s=600.0)),
        ("1/s", Rate(count=1, per_s=1.0)),
        ("500/2h", Rate(count=500, per_s=7200.0)),
        ("3/d", Rate(count=3, per_s=86400.0)),
        ("0/h", Rate(count=0, per_s=3600.0)),
        ("0", Rate(count=0, per_s=1.0)),
    ],
)
def test_a_rate_is_a_count_and_a_time(tmp_path: Path, text: str, rate: Rate) -> None:
    """`10/10m` is ten in ten minutes; a count of 0 is no limit."""
    assert load(tmp_path, PARLEY_PERSON_RATE=text).person_rate == rate


def test_lists_are_separated_by_commas_or_spaces(tmp_path: Path) -> None:
    """Ids keep their order, and each is kept once."""
    settings = load(tmp_path, PARLEY_DENIED_CHANNELS="slack:C2, discord:1 slack:C2,", PARLEY_FALLBACK_MODELS="a/b,c")
    assert settings.denied_channels == ("slack:C2", "discord:1")
    assert settings.fallback_models == ("a/b", "c")


@given(st.sampled_from(sorted(env_names())), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_taken_or_told(name: str, text: str) -> None:
    """Whatever stands in a variable, loading ends with settings or with lines that name that variable."""
    variable = env_names()[name]
    told: list[str] = []
    try:
        Settings.load(env={variable: text}, env_file=None, secrets_dir=Path("/nowhere"))
    except SettingsInvalid as error:
        told = error.problems
    assert all(variable in line for line in told)


def test_every_example_can_be_used(tmp_path: Path) -> None:
    """What an error or the documentation gives as an example is a setting that works."""
    env = {variable: example(name) for name, variable in env_names().items()}
    load(tmp_path, **env)


def test_the_generated_pages_are_fresh() -> None:
    """docs/settings.md and .env.example are what docs/generate_settings.py makes of the code."""
    script = [sys.executable, "docs/generate_settings.py", "--check"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
