"""Model folders that cannot work are found before the start, in one line; those that nearly can, work."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.engines.chat import encode_prompt
from experiments import config
from experiments.model_checks import _config, check_adapters, check_tokenizer, check_weights
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


@pytest.mark.parametrize(
    ("template", "role"),
    [
        ("{% for m in messages %}[{{ m['role'] }}]\n{% endfor %}[assistant] ", "system|user"),
        ("[user] {{ messages[0]['content'] }}\n[assistant] ", "user"),
        ("[user] {{ messages[-1]['content'] }}\n[assistant] ", "system|user"),
        ("{% for m in messages if m['role'] != 'assistant' %}{{ m['content'] }}\n{% endfor %}", "assistant"),
        ("{% for m in messages %}{{ m['content'][:6] }}\n{% endfor %}[assistant] ", "system|user"),
    ],
    ids=["all", "later", "earlier", "answers", "ends"],
)
def test_a_template_that_leaves_out_what_is_said_is_one_line(
    tmp_path: Path, template: str, role: str
) -> None:
    made = folder(tmp_path, template)
    with pytest.raises(
        SettingError, match=f"its chat template leaves out what a message of role ({role}) says"
    ):
        check_tokenizer(ModelSettings(name=str(made)), made)


def _without(made: Path, part: str) -> None:
    held = load_file(made / "model.safetensors")
    kept = {name: tensor for name, tensor in held.items() if not re.search(part, name)}
    assert len(kept) < len(held)
    save_file(kept, made / "model.safetensors", metadata={"format": "pt"})


def test_whole_weights_are_accepted_in_both_formats(tmp_path: Path) -> None:
    made = folder(tmp_path)
    check_weights(ModelSettings(name=str(made)), made)
    torch.save(load_file(made / "model.safetensors"), made / "pytorch_model.bin")
    (made / "model.safetensors").unlink()
    check_weights(ModelSettings(name=str(made)), made)


@pytest.mark.parametrize("part", ["layers.1.", "embed_tokens|lm_head", "model.norm", "q_proj"])
def test_weights_that_are_missing_are_told_before_the_start(tmp_path: Path, part: str) -> None:
    made = folder(tmp_path)
    _without(made, part)
    with pytest.raises(SettingError, match=rf"hold no weights for \d+ of its parameters \(e.g. .*({part})"):
        check_weights(ModelSettings(name=str(made)), made)


def test_weights_of_another_shape_are_told(tmp_path: Path) -> None:
    made = folder(tmp_path, intermediate_size=96)
    with pytest.raises(
        SettingError, match=r"another shape than config.json says \(e.g. .*128.*instead of .*96"
    ):
        check_weights(ModelSettings(name=str(made)), made)


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer"),
        (b"", "its weights cannot be read"),
        (b"<html>404</html>", "its weights cannot be read"),
    ],
)
def test_files_that_hold_no_weights_are_one_line(tmp_path: Path, left: bytes, why: str) -> None:
    made = folder(tmp_path)
    (made / "model.safetensors").write_bytes(left)
    with pytest.raises(SettingError, match=f"model.name .*{why}") as told:
        check_weights(ModelSettings(name=str(made)), made)
    assert "\n" not in str(told.value)


def test_a_download_that_was_cut_and_one_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    made = folder(tmp_path)
    whole = (made / "model.safetensors").read_bytes()
    (made / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SettingError, match="its weights cannot be read"):
        check_weights(ModelSettings(name=str(made)), made)
    (made / "model.safetensors").unlink()
    with pytest.raises(SettingError, match="its weights cannot be read"):
        check_weights(ModelSettings(name=str(made)), made)


def test_a_broken_config_is_not_called_a_tokenizer(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "config.json").write_text("{")
    with pytest.raises(SettingError, match="its config cannot be read"):
        check_tokenizer(ModelSettings(name=str(made)), made)


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
    for targets in (["nothing_here"], ["q_proj", "nothing_here"], ["proj"], "nothing_here.*", ["norm"]):
        values["learner"]["lora"]["target_modules"] = targets
        with pytest.raises(SettingError, match=r"learner\.lora\.target_modules") as told:
            check_adapters(config.resolve(values), made)
        assert len(str(told.value)) < 420


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
