"""Model folders that cannot work are found before the start, in one line; those that nearly can, work."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from actors.engines.chat import encode_prompt
from experiments import config
from experiments.model_checks import _config, check_adapters, check_tokenizer
from experiments.preflight import parameters_of
from memory.artefacts import fetch_model
from protocols.errors import EngineError, SettingError
from protocols.records import Message, Prompt
from protocols.settings import ModelSettings

USER_ONLY = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}[assistant] "
)
SILENT = USER_ONLY.replace("{{ raise_exception('System role not supported') }}", "").replace(
    "[{{ m['role'] }}] {{ m['content'] }}\n",
    "{% if m['role'] != 'system' %}[{{ m['role'] }}] {{ m['content'] }}\n{% endif %}",
)
ASKED = Prompt(messages=(Message(role="system", content="Be brief."), Message(role="user", content="1 + 1")))


def folder(tmp_path: Path, template: str | None = None, **config_changes: Any) -> Path:
    made = tmp_path / "model"
    shutil.copytree(fetch_model("tiny-random"), made)
    if template is not None:
        (made / "chat_template.jinja").write_text(template)
    told = json.loads((made / "config.json").read_text()) | config_changes
    (made / "config.json").write_text(json.dumps(told))
    return made


def tokenizer(made: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(made)


@pytest.mark.parametrize("template", [USER_ONLY, SILENT])
def test_a_system_message_goes_to_the_first_user_where_the_template_knows_no_such_role(
    tmp_path: Path, template: str
) -> None:
    made = folder(tmp_path, template)
    check_tokenizer(ModelSettings(name=str(made)), made)
    found = tokenizer(made)
    assert found.decode(encode_prompt(found, ASKED)[0]) == "[user] Be brief.\n\n1 + 1\n[assistant] "
    alone = Prompt(messages=ASKED.messages[:1])
    assert found.decode(encode_prompt(found, alone)[0]) == "[user] Be brief.\n[assistant] "


def test_a_template_with_the_role_gets_the_message_as_it_is() -> None:
    found = tokenizer(fetch_model("tiny-random"))
    text = found.decode(encode_prompt(found, ASKED)[0])
    assert "<|im_start|>system\nBe brief.<|im_end|>" in text and "user\n1 + 1<|im_end|>" in text


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}", "{{ messages[0].nothing.at_all }}", "{{ raise_exception('no') }}"]
)
def test_a_broken_template_is_one_line(tmp_path: Path, template: str) -> None:
    made = folder(tmp_path, template)
    with pytest.raises(
        SettingError, match=r"model.name .*model: the chat template of .* cannot be used"
    ) as told:
        check_tokenizer(ModelSettings(name=str(made)), made)
    assert "\n" not in str(told.value)
    with pytest.raises(EngineError, match="cannot be used"):
        encode_prompt(tokenizer(made), ASKED)


def test_a_tokenizer_that_knows_more_than_the_model_is_one_line(tmp_path: Path) -> None:
    made = folder(tmp_path, vocab_size=256)
    with pytest.raises(SettingError, match=r"its tokenizer has ids up to 258, its embeddings 256 rows"):
        check_tokenizer(ModelSettings(name=str(made)), made)


def test_a_damaged_tokenizer_is_one_line(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "tokenizer.json").write_text("{")
    with pytest.raises(SettingError, match="its tokenizer cannot be read"):
        check_tokenizer(ModelSettings(name=str(made)), made)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("target", [["lm_head"], ["embed_tokens", "q_proj"], r".*(lm_head|v_proj)"])
def test_adapters_of_what_is_not_learned_are_refused(tmp_path: Path, tied: bool, target: Any) -> None:
    made = folder(tmp_path, tie_word_embeddings=tied)
    settings = config.resolve(
        {"model": {"name": str(made)}, "learner": {"lora": {"rank": 2, "target_modules": target}}}
    )
    with pytest.raises(
        SettingError, match=r"learner.lora.target_modules: .*(lm_head|embed_tokens).* gets no adapter"
    ):
        check_adapters(settings, made)


def test_adapters_of_layers_are_accepted_and_of_nothing_refused(tmp_path: Path) -> None:
    made = folder(tmp_path)
    values = {"model": {"name": str(made)}, "learner": {"lora": {"rank": 2, "target_modules": ["q_proj"]}}}
    check_adapters(config.resolve(values), made)
    values["learner"]["lora"]["target_modules"] = ["nothing_here"]
    with pytest.raises(SettingError, match=r"learner\.lora\.target_modules"):
        check_adapters(config.resolve(values), made)


def test_a_model_that_brings_code_is_refused_and_its_code_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    ran = tmp_path / "ran"
    (folder / "config.json").write_text(
        json.dumps({"model_type": "mine", "auto_map": {"AutoConfig": "mine.MineConfig"}})
    )
    code = f"open({str(ran)!r}, 'w')\nfrom transformers import PretrainedConfig\n"
    code += "class MineConfig(PretrainedConfig): pass\n"
    (folder / "mine.py").write_text(code)
    with pytest.raises(SettingError, match="code of its own"):
        _config(ModelSettings(name="mine"), folder)
    assert not ran.exists()


@pytest.mark.parametrize("text", ['{"a":', "", "[1]", "null", "\ufeff{}"])
def test_a_config_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SettingError, match=r"its config.json cannot be read"):
        parameters_of(tmp_path)
