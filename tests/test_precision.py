"""The number format that `auto` stands for."""

import pytest
import torch

from actors import precision
from actors.engines.transformers_engine import TransformersEngine
from actors.learning.sft import SftLearner
from memory.artefacts import fetch_model
from protocols.settings import EngineSettings, LearnerSettings

CPU = torch.device("cpu")


@pytest.mark.parametrize("there", [True, False])
def test_auto_is_what_the_device_has_arithmetic_for_and_a_wanted_format_is_kept(monkeypatch, there):
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: there)
    assert precision.dtype_on(CPU, "auto") is (torch.bfloat16 if there else torch.float32)
    assert precision.dtype_on(CPU, "bfloat16") is torch.bfloat16
    assert precision.dtype_on(CPU, "float32") is torch.float32


def test_a_processor_without_avx512_is_not_given_bfloat16():
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        assert precision.dtype_on(CPU, "auto") is torch.float32
    elif torch.cpu._is_amx_tile_supported():
        assert precision.dtype_on(CPU, "auto") is torch.bfloat16


@pytest.mark.parametrize("there", [True, False])
def test_engine_and_learner_compute_in_the_same_format(monkeypatch, tmp_path, there):
    monkeypatch.setattr(precision, "_has_bfloat16", lambda device: there)
    model = fetch_model("tiny-random")
    engine = TransformersEngine(model, EngineSettings(kind="transformers"))
    learner = SftLearner(model, LearnerSettings(), tmp_path, 1)
    assert engine.model.dtype is learner.model.dtype is precision.dtype_on(CPU, "auto")
    assert precision.named(engine.model.dtype) in engine.why
