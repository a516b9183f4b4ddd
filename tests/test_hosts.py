"""A configuration file sends nothing to a server elsewhere, and no secret that is none of a server's."""

from pathlib import Path

import pytest

from experiments import config
from experiments.hosts import require_allowed
from protocols.errors import SettingError


def file(tmp_path: Path, **openai: str) -> str:
    path = tmp_path / "mine.yaml"
    lines = [f"    {name}: {value!r}" for name, value in openai.items()]
    path.write_text("\n".join(["engine:", "  kind: openai", "  openai:", *lines]))
    return str(path)


ELSEWHERE = [
    "https://api.example.com/v1",
    "http://10.0.0.7:8000/v1",
    "http://127.0.0.1.example.com/v1",
    "http://localhost.example.com/v1",
    "http://[2001:db8::1]/v1",
    "http://0x7f.example/v1",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_server_elsewhere_has_to_be_allowed(tmp_path: Path, url: str) -> None:
    preset = file(tmp_path, base_url=url)
    with pytest.raises(SettingError, match=r"base_url: .* would be sent to .*--allow-host") as told:
        require_allowed(preset, [], ["other.example.com"])
    host = str(told.value).rpartition(" ")[2]
    require_allowed(preset, [], [host])
    require_allowed(preset, [], [host.upper()])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1"])
def test_this_machine_is_allowed(tmp_path: Path, url: str) -> None:
    require_allowed(file(tmp_path, base_url=url), [], [])


def test_what_stands_on_the_command_line_is_the_users_choice(tmp_path: Path) -> None:
    preset = file(tmp_path, base_url=ELSEWHERE[0], api_key_env="AWS_SECRET_ACCESS_KEY")
    mine = ["engine.openai.base_url=https://api.example.com/v1", "engine.openai.api_key_env=MY_KEY"]
    require_allowed(preset, mine, [])
    with pytest.raises(SettingError, match="api_key_env"):
        require_allowed(preset, mine[:1], [])
    with pytest.raises(SettingError, match="--allow-host"):
        require_allowed(preset, mine[1:], [])


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "HOME", "SSH_AUTH_SOCK", "openai_api_key"])
def test_a_file_names_no_other_secret_even_for_this_machine(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=r"api_key_env: a file may choose OPENAI_API_KEY"):
        require_allowed(file(tmp_path, api_key_env=name), [], [])
    require_allowed(file(tmp_path, api_key_env="VLLM_API_KEY"), [], [])


@pytest.mark.parametrize("key", ["sk-proj-abc123", "sk_live_abc", "Bearer x", "x" * 300, 7, "", "A" * 65])
def test_a_key_in_place_of_its_variables_name_is_not_repeated(key: object) -> None:
    with pytest.raises(SettingError, match="not the name of an environment variable") as told:
        config.resolve({"engine": {"openai": {"api_key_env": key}}})
    assert len(str(key)) < 3 or str(key) not in str(told.value)


@pytest.mark.parametrize(
    "text", ["engine: 3", "engine: {openai: [1]}", "engine: {openai: {base_url: 7}}", ""]
)
def test_what_is_no_section_is_left_to_the_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    require_allowed(str(tmp_path / "mine.yaml"), [], [])
    require_allowed("quickstart", [], [])
