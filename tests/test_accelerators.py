"""What cannot work on GPUs is refused before anything is loaded; the numbers are fed in."""

import importlib.util
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import accelerators, preflight
from protocols.errors import SettingError
from protocols.settings import RunSettings

LLAMA = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096,
         "max_position_embeddings": 8192}  # fmt: skip
GB = 10**9
APART = {"resources": {"engine": {"num_gpus": 1}, "learner": {"num_gpus": 1}}}


def run_of(**changes) -> RunSettings:
    return RunSettings.model_validate(changes)


@pytest.mark.parametrize("role", ["engine", "learner"])
@pytest.mark.parametrize(("nodes", "where"), [(None, "this machine"), ({"a": {"CPU": 4.0}}, "the cluster")])
def test_a_gpu_that_is_not_there(role, nodes, where, tmp_path):
    settings = run_of(**{role: {"device": "cuda"}})
    with pytest.raises(SettingError, match=f"{role}.device: cuda, but {where} has no GPU that works"):
        accelerators.check(settings, 0, tmp_path, [], nodes)
    asking = run_of(runtime={"resources": {role: {"num_gpus": 1}}})
    with pytest.raises(SettingError, match=f"{role} asks for 1 num_gpus, but {where} has no GPU"):
        accelerators.check(asking, 0, tmp_path, [], nodes)
    accelerators.check(settings, 0, tmp_path, [80 * GB], {"a": {"GPU": 1.0}} if nodes else None)


def test_the_cache_of_a_token_is_that_of_the_model():
    # Llama 3 8B: 2 (keys, values) x 32 layers x 8 heads x 128 x 2 bytes
    assert accelerators.cache_bytes(LLAMA, "bfloat16") == 2 * 32 * 8 * 128 * 2
    assert accelerators.cache_bytes({}, "bfloat16") == 0


def test_a_learner_that_does_not_fit_and_one_that_just_does():
    settings = run_of(learner={"device": "cuda"}, engine={"kind": "scripted"}, runtime=APART)
    needed = 8_000_000_000 * 16 + accelerators.CONTEXT_BYTES
    accelerators.require_room(settings, 8_000_000_000, LLAMA, needed)
    with pytest.raises(
        SettingError, match=r"GPU memory: learner need at least 128\.5 GB, and a GPU has 128\.5"
    ):
        accelerators.require_room(settings, 8_000_000_000, LLAMA, needed - 1)


def test_an_engine_over_more_gpus_fits_where_over_one_it_does_not():
    def engine(parallel: int) -> RunSettings:
        vllm = {"tensor_parallel": parallel, "memory_share": 0.85}
        return run_of(engine={"kind": "vllm", "vllm": vllm}, learner={"device": "cpu"}, runtime=APART)

    with pytest.raises(SettingError, match=r"0\.85 of a GPU \(engine\.vllm\.memory_share\).*tensor_parallel"):
        accelerators.require_room(engine(1), 8_000_000_000, LLAMA, 16 * GB)
    accelerators.require_room(engine(2), 8_000_000_000, LLAMA, 16 * GB)


def test_sharing_a_gpu_is_counted_together():
    settings = run_of(engine={"kind": "vllm"}, runtime={"layout": "colocated", **APART})
    apart = run_of(engine={"kind": "vllm"}, runtime=APART)
    accelerators.require_room(apart, GB, {}, 24 * GB)
    with pytest.raises(SettingError, match=r"engine and learner together need at least .* the GPU that they"):
        accelerators.require_room(settings, GB, {}, 24 * GB)


@given(st.integers(1, 10**11), st.integers(1, 64), st.integers(0, 10**12))
def test_a_larger_gpu_never_refuses_what_a_smaller_one_takes(parameters, parallel, gpu):
    settings = run_of(engine={"kind": "vllm", "vllm": {"tensor_parallel": parallel}}, runtime=APART)
    try:
        accelerators.require_room(settings, parameters, LLAMA, gpu)
    except SettingError:
        return
    accelerators.require_room(settings, parameters, LLAMA, 2 * gpu)


def test_a_clusters_gpus_by_their_kind():
    nodes = {"head": {"CPU": 8.0}, "a": {"GPU": 1.0, "accelerator_type:L4": 1.0},
             "b": {"GPU": 8.0, "accelerator_type:H100": 1.0}, "c": {"accelerator_type:X9": 1.0}}  # fmt: skip
    assert accelerators.sizes_of(nodes) == [24 << 30, 80 << 30]


def test_on_gpus_the_hosts_memory_holds_no_copies():
    with pytest.raises(SettingError, match="memory: about 145"):
        preflight.check_memory(8_000_000_000, 4 * GB)
    preflight.check_memory(8_000_000_000, 4 * GB, 0)


def test_vllm_asked_for_and_not_installed(monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "vllm" else find(name, *more)
    )
    with pytest.raises(SettingError, match=r"engine\.kind: vllm, which is not installed here; pip install"):
        accelerators.check(run_of(engine={"kind": "vllm"}), 0, tmp_path, [], None)


@pytest.mark.slow
def test_a_model_that_vllm_does_not_know_and_one_that_it_knows(tmp_path):
    pytest.importorskip("vllm")
    small = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
             "vocab_size": 100, "intermediate_size": 64}  # fmt: skip
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small | {"architectures": ["LlamaForCausalLM"]}))
    accelerators.require_known(str(tmp_path), "mine")
    config.write_text(json.dumps(small | {"architectures": ["WibbleForCausalLM"]}))
    with pytest.raises(
        SettingError, match=r"model\.name mine: vLLM does not support .*'WibbleForCausalLM'.*set"
    ):
        accelerators.require_known(str(tmp_path), "mine")
