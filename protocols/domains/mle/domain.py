"""The mle domain: competitions that are answered with a script, which trains a model and writes a submission.

It wires competitions (`competition`, `made`), prompts (`prompts`), the script's way through the sandbox
(`harness`, `workbench`) and grading (`grading`) behind the `Domain` interface. The answers stay on this side:
a script can read its competition's public folder and nothing else.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from protocols.domain import GivenTasks
from protocols.domains.mle import competition, examples, grading, made, prompts
from protocols.domains.mle.competition import Competition
from protocols.domains.mle.prompts import Shown
from protocols.errors import SettingError
from protocols.fences import last_code_block
from protocols.iteration import start_of
from protocols.mle_settings import MleSettings
from protocols.records import Book, Origin, Outcome, Program, Prompt, Split, Start, Task, Verdict
from protocols.seeds import digest

#: Loaded in the sandbox before a script runs.
MODULES = ("protocols.domains.mle.workbench", "protocols.domains.mle.harness")
_MAIN = "from protocols.domains.mle.harness import run\n"


class MleDomain(GivenTasks):
    name = "mle"
    improve_reward: Literal["plain", "gain"] = "gain"
    iterate_keeps: Literal["last", "best"] = "best"
    programs = True

    def __init__(self, settings: MleSettings) -> None:
        self.settings = settings
        self.debug_depth = settings.debug_depth
        # Without an opening the first fence of an answer opens its block.
        self.stops: tuple[str, ...] = ("\n```",) if settings.opening != "none" else ()

    @cached_property
    def folder(self) -> Path:
        """Where the competitions lie."""
        if self.settings.files:
            return Path(self.settings.files).expanduser().absolute()
        return made.folder(self.settings.seed)

    @cached_property
    def splits(self) -> dict[Split, tuple[str, ...]]:
        """Names of competitions by split."""
        there = competition.names(self.folder)
        chosen = {}
        for split, wanted in ((Split.TRAIN, self.settings.train), (Split.TEST, self.settings.test)):
            unknown = [name for name in wanted if name not in there]
            if unknown:
                raise SettingError(
                    f"mle.{split}: {unknown[0]!r} is not in {self.folder}; choose among {', '.join(there)}"
                )
            chosen[split] = tuple(wanted) or self._usual(split, there)
            if not chosen[split]:
                raise SettingError(
                    f"mle.{split}: none of the competitions in {self.folder} says that it belongs there; "
                    f"name some of {', '.join(there)}"
                )
        return chosen

    def _usual(self, split: Split, there: Sequence[str]) -> tuple[str, ...]:
        if not self.settings.files:
            return made.TRAIN if split is Split.TRAIN else made.TEST
        return tuple(name for name in there if self.competition(name).definition.split == split)

    def competition(self, name: str) -> Competition:
        if name not in self._competitions:
            self._competitions[name] = competition.load(self.folder, name)
        return self._competitions[name]

    @cached_property
    def _competitions(self) -> dict[str, Competition]:
        return {}

    @cached_property
    def _shown(self) -> dict[str, Shown]:
        return {}

    def _seen(self, name: str) -> Shown:
        if name not in self._shown:
            self._shown[name] = prompts.shown(self.competition(name), self.settings)
        return self._shown[name]

    @cached_property
    def _every_example(self) -> list[tuple[Competition, Shown]]:
        place = made.folder(self.settings.seed)
        loaded = [competition.load(place, name) for name in made.SHOWN]
        return [(one, prompts.shown(one, self.settings)) for one in loaded]

    def _examples(self, task: Task) -> list[tuple[Shown, str]]:
        """Worked examples, that of the task's kind last; images are classified as tables are."""
        if not self.settings.demonstrations:
            return []
        own = task.kind if task.kind in ("regression", "text") else "classification"
        ordered = sorted(self._every_example, key=lambda one: one[0].definition.kind == own)
        return [
            (about, examples.SCRIPTS[one.name]) for one, about in ordered[-self.settings.demonstrations :]
        ]

    def _opening(self, task: Task) -> str:
        public = self.competition(task.topics[0]).public
        if self.settings.opening == "data" and not (
            (public / "train.csv").is_file() and (public / "test.csv").is_file()
        ):
            raise SettingError(
                f"mle.opening=data: {task.topics[0]} has no train.csv and test.csv; write mle.opening=import"
            )
        return examples.OPENINGS[self.settings.opening]

    @property
    def kinds(self) -> Sequence[str]:
        every = {name for names in self.splits.values() for name in names}
        return tuple(sorted({self.competition(name).definition.kind for name in every}))

    def topics(self) -> Sequence[str]:
        return tuple(dict.fromkeys(name for names in self.splits.values() for name in names))

    def tasks(self, split: Split, kind: str = "all", limit: int | None = None) -> list[Task]:
        """One for each competition. Its answers are read here, so that what is wrong with them shows now."""
        found = []
        for name in self.splits[split]:
            one = self.competition(name)
            if kind not in ("all", one.definition.kind):
                continue
            assert one.answers
            about = self._seen(name)
            payload = {"competition": name, **one.definition.model_dump(mode="json")}
            named = payload
            if not self.settings.files:  # a model's score is the processor's in its last digits
                named = {key: value for key, value in payload.items() if key not in ("worst", "best")}
            found.append(
                Task(
                    id=digest("mle", name, self.settings.seed if not self.settings.files else "", named),
                    domain="mle",
                    split=split,
                    kind=one.definition.kind,
                    origin=Origin.DATASET if self.settings.files else Origin.SEED,
                    statement=about.description,
                    topics=(name,),
                    payload=payload,
                )
            )
        return found[:limit]

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        plain = self.learning_prompt(task, start, book)
        first = start_of(task, book)
        return prompts.worked(plain, self._examples(task), first, self._opening(task))

    def learning_prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        return prompts.plain(self._seen(task.topics[0]), start)

    def check(self, task: Task, answers: Sequence[str]) -> Program | Verdict:
        script = last_code_block(answers[-1])
        if script is None or not script.strip():
            evidence = {"detail": "the answer holds no fenced code"}
            return Verdict(attempt_id="", reward=0.0, category="no_code", evidence=evidence)
        return Program(
            source=_MAIN,
            entry_point="run",
            cases=((script,),),
            library_name="",
            modules=MODULES,
            input=str(self.competition(task.topics[0]).public),
        )

    def judge(self, task: Task, attempt_id: str, outcome: Outcome) -> Verdict:
        return grading.judge(self.competition(task.topics[0]), attempt_id, outcome, task.payload)

    def feedback(self, task: Task, verdict: Verdict) -> str:
        return grading.feedback(verdict, self.settings.trace_chars, self.settings.show_score)
