"""The GPU script: its arithmetic against torch's own count, its table, and a whole run without a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.gpu.flops import body_parameters, peak_of, training_flops

SCRIPT = Path(__file__).parents[1] / "experiments" / "gpu" / "measure.py"


def test_the_formula_is_what_torch_counts():
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        num_hidden_layers=3, hidden_size=64, intermediate_size=160, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=500, tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    model, length = LlamaForCausalLM(config), 48
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.arange(length)[None], use_cache=False).logits.sum().backward()
    # eager attention computes the half above the diagonal, too
    causal = training_flops(config, length, length, [length], adapters=False)
    attention = 6 * 3 * 64 * length**2
    assert counter.get_total_flops() == pytest.approx(causal + attention, rel=0.02)


def test_parameters_and_peaks():
    from transformers import AutoConfig, AutoModelForCausalLM

    from memory.artefacts import fetch_model

    folder = fetch_model("tiny-random")
    model = AutoModelForCausalLM.from_pretrained(folder)
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.ndim > 1 and "embed" not in name)
    assert body_parameters(AutoConfig.from_pretrained(folder)) == matrices
    assert peak_of("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_of("Voodoo 2") is None


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, cwd="/")


def test_without_a_gpu_it_says_how_to_try_it():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = run()
    assert done.returncode == 2
    assert done.stderr == "measure: no CUDA device; try it out with --device cpu --scale tiny\n"


@pytest.mark.slow
def test_every_row_is_measured_anywhere(tmp_path):
    done = run("--device", "cpu", "--scale", "tiny", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    learners = [f"learner-tiny-{kind}-{what}" for what in ("full", "lora") for kind in ("sft", "grpo")]
    assert list(rows) == [*learners, "engine-tiny-4", "quickstart"]
    assert all(rows[name]["tokens_per_second"] > 0 for name in [*learners, "engine-tiny-4"])
    assert rows["quickstart"]["seconds"] > 0
    assert all(row["row"] in (tmp_path / "table.md").read_text() for row in rows.values())
    assert "ray" not in done.stderr
