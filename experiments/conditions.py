"""Conditions of a measurement besides the book: the original module, or a memory of verified answers.

    numpy     the same tasks under the module's own name, which the model knows
    memory    past answers to training tasks in the prompt, the documentation closed, the weights as they are
    opened    closed book, the answer opened for the model as in the open book: the name has to be known, not
              the form of an answer, which reinforcement learning on opened answers never teaches

The memory baseline is in the manner of ExpeL, which SE-Bench (arXiv 2602.04811) compares with; how that was
set up there is not known, so the number of answers is a setting and the ranking is ours: the similarity of
statements. Does not cover: training.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from actors.similarity import similarity
from memory.reader import RunReader
from protocols.domain import Domain, register
from protocols.domains.zwc.domain import ZwcDomain
from protocols.domains.zwc.prompts import opening, question
from protocols.errors import SettingError
from protocols.records import Book, Message, Prompt, Record, Split, Start, Task
from protocols.settings import RunSettings


class Note(Record):
    """A verified answer to a training task."""

    task: Task
    response: str


class Condition(Record):
    numpy: bool = False
    memory: Path | None = None  # run folder whose verified answers are remembered
    memory_k: int = 4  # answers in a prompt
    opened: bool = False

    def applied(self, settings: RunSettings) -> RunSettings:
        """The settings with the domain that makes the difference.

        Raises:
            SettingError: the conditions exclude each other, or there is nothing to remember.
        """
        asked = {"numpy": self.numpy, "memory": self.memory is not None, "opened": self.opened}
        chosen = [name for name, wanted in asked.items() if wanted]
        if not chosen:
            return settings
        if len(chosen) > 1:
            raise SettingError(f"--{' and --'.join(chosen)}: choose one of them")
        if settings.domain != "zwc" or settings.zwc.files:
            raise SettingError(f"--{chosen[0]}: needs tasks of zwc's own bank")
        if self.numpy:
            return settings.model_copy(update={"domain": "zwc-original"})
        if self.opened:
            return settings.model_copy(update={"domain": "zwc-opened"})
        notes = remembered(self.memory or Path(), settings)

        def make(asked: RunSettings) -> Domain:
            return RememberingDomain(asked, notes, self.memory_k)

        register("zwc-remembering", make)
        return settings.model_copy(update={"domain": "zwc-remembering"})


def remembered(run_dir: Path, settings: RunSettings) -> list[Note]:
    """The first verified answer to each of a run's training tasks.

    Raises:
        SettingError: no run there, it was played with other names, or nothing was verified.
    """
    if not (run_dir / "run.db").is_file():
        raise SettingError(f"--memory {run_dir}: no run.db there; give a run's folder, or its name")
    with RunReader(run_dir) as reader:
        theirs = reader.config()["zwc"]
        found = reader.verified_attempts("t.status = 'active' AND NOT a.flipped")
    ours = settings.zwc.model_dump(mode="json")
    for key in ("module", "package", "seed"):
        if theirs[key] != ours[key]:
            raise SettingError(
                f"--memory {run_dir}: its zwc.{key} is {theirs[key]!r}, not {ours[key]!r}; its answers use "
                "other names"
            )
    notes = {
        one.task.id: Note(task=one.task, response=one.attempt.response)
        for one in reversed(found)
        if one.task.split is Split.TRAIN
    }
    if not notes:
        raise SettingError(f"--memory {run_dir}: holds no verified answer; choose a run that collected some")
    return list(notes.values())


class RememberingDomain(ZwcDomain):
    """zwc with the most similar remembered answers, never its own, in front of each closed-book question."""

    name = "zwc-remembering"

    def __init__(self, settings: RunSettings, notes: Sequence[Note], count: int) -> None:
        grader = settings.verifier
        super().__init__(settings.zwc, grader.relative_tolerance, grader.absolute_tolerance)
        self._notes = notes
        self._count = count

    @cached_property
    def _statements(self) -> list[str]:
        return [note.task.statement for note in self._notes]

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        prompt = super().prompt(task, start, book)
        others = [i for i, statement in enumerate(self._statements) if statement != task.statement]
        ranked = sorted(others, key=lambda i: (similarity(task.statement, self._statements[i]), -i))
        system, *rest = prompt.messages
        messages = [system]
        for i in ranked[-self._count :]:  # the most similar one last, next to the question
            note = self._notes[i]
            messages.append(Message(role="user", content=question(note.task, self.settings.package)))
            messages.append(Message(role="assistant", content=note.response))
        return msgspec.structs.replace(prompt, messages=(*messages, *rest))


class OpenedDomain(ZwcDomain):
    """zwc with closed-book answers that begin as open-book answers do: import, and the function's head."""

    name = "zwc-opened"

    def prompt(self, task: Task, start: Start, book: Book) -> Prompt:
        prompt = super().prompt(task, start, book)
        return msgspec.structs.replace(prompt, prefill=opening(task, self.settings.package))


def _opened(settings: RunSettings) -> Domain:
    grader = settings.verifier
    return OpenedDomain(settings.zwc, grader.relative_tolerance, grader.absolute_tolerance)


register("zwc-opened", _opened)
