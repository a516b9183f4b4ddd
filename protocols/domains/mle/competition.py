"""Competitions in MLE-bench's prepared layout, and what is known about grading them.

    FOLDER/NAME/prepared/public/...      what scripts may read: train and test data, a sample submission
    FOLDER/NAME/prepared/private/...     the answers
    FOLDER/NAME/prepared/public/description.md     (or FOLDER/NAME/description.md)
    FOLDER/NAME/competition.yaml         metric, columns, scores; not needed for those in known.yaml

Does not cover: what submissions are worth (`grading`), and the competitions that are made (`made`).
"""

import csv
import functools
import io
import math
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from protocols import plain_yaml
from protocols.domains.mle.metrics import METRICS, Table, Unusable, plain, table
from protocols.errors import ArtefactError, SettingError
from protocols.section import Section

DEFINITION = "competition.yaml"
DESCRIPTIONS = {"compact": ("description_obfuscated.md", "description.md"), "full": ("description.md",)}
_ANSWERS = ("test.csv", "answers.csv")
csv.field_size_limit(1 << 20)


class Definition(Section):
    """What competition.yaml says."""

    metric: str
    """One of `metrics.METRICS`."""
    id: str
    """Column that tells rows apart, in the answers and in submissions."""
    targets: tuple[str, ...] = Field(min_length=1)
    """Columns to predict; for log_loss one for each class."""
    worst: float
    """Score that is worth 0."""
    best: float
    """Score that is worth 1."""
    answers: str = ""
    """File of the answers in prepared/private; "" = test.csv or answers.csv."""
    within: tuple[float, float] | None = None
    """Least and greatest value that a submission may hold."""
    skip: float | None = None
    """Rows of the answers with this value in every target are not graded."""
    kind: str = "tabular"
    """Label by which competitions can be chosen."""
    split: Literal["train", "test"] | None = None
    """Where it belongs if the settings do not say."""


class Competition:
    """One competition. Its answers are read, and tried with its metric, when they are first needed."""

    def __init__(self, folder: Path, definition: Definition) -> None:
        self.folder = folder
        self.definition = definition

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def public(self) -> Path:
        return self.folder / "prepared" / "public"

    def description(self, which: str) -> str:
        """Its text.

        Raises:
            ArtefactError: there is none.
        """
        for name in DESCRIPTIONS[which]:
            for folder in (self.folder, self.folder / "prepared", self.public):
                if (folder / name).is_file():
                    return (folder / name).read_text(encoding="utf-8", errors="replace").strip()
        raise ArtefactError(f"competition {self.name}: {self.public / 'description.md'} is missing")

    @functools.cached_property
    def answers(self) -> tuple[list[str], Table]:
        """Ids in their order, and what is true for them.

        Raises:
            ArtefactError: they are missing, lack a column, or do not fit the metric.
        """
        path = self._answers_path()
        wanted = self.definition
        try:
            columns = read_columns(path.read_text(encoding="utf-8"), [wanted.id, *wanted.targets])
            _require_one_answer(columns)
            ids, truth = aligned(columns, METRICS[wanted.metric].values)
            perfect = METRICS[wanted.metric].compute(*without(truth, truth, wanted.skip))
            if not math.isfinite(perfect):
                raise ValueError(f"the answers themselves score {perfect}")
        except (Unusable, ValueError, ArithmeticError, OSError, csv.Error) as error:
            raise ArtefactError(
                f"competition {self.name}: metric {wanted.metric} fails on the answers in {path} "
                f"({_line(error)}); correct {DEFINITION} or the file"
            ) from None
        return ids, truth

    def _answers_path(self) -> Path:
        private = self.folder / "prepared" / "private"
        names = (self.definition.answers,) if self.definition.answers else _ANSWERS
        for name in names:
            if (private / name).is_file():
                return private / name
        raise ArtefactError(
            f"competition {self.name}: no answers in {private} (looked for {' and '.join(names)}); "
            f"prepare it again, or name the file in {DEFINITION}"
        )


def _require_one_answer(columns: list[list[str]]) -> None:
    """Raises:
    ValueError: there are no rows, or two of them cannot be told apart though their answers differ.
    """
    if not columns[0]:
        raise ValueError("there is a header, and no row")
    known: dict[str, tuple[str, ...]] = {}
    for text, *answer in zip(*columns):
        first = known.setdefault(plain(text), (text, *answer))
        if first[1:] != tuple(answer) or first[0].strip() != text.strip():
            raise ValueError(f"the ids {first[0][:40]!r} and {text[:40]!r} are one, and their answers two")


def without(truth: Table, said: Table, skip: float | None) -> tuple[Table, Table]:
    """Both tables without the rows that are not graded."""
    if skip is None:
        return truth, said
    kept = ~(truth == skip).all(axis=1)
    return truth[kept], said[kept]


def read_columns(text: str, names: list[str], most: int | None = None) -> list[list[str]]:
    """These columns of a CSV text; more than `most` rows are not read.

    Raises:
        Unusable: it is no table, lacks a column, or a row of it is too short or too many.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=False)
    try:
        header = [name.strip() for name in next(rows, [])]
        missing = [name for name in names if name not in header]
        if missing:
            raise Unusable(f"column {missing[0]!r} is missing; there are {', '.join(header[:8])}"[:300])
        places = [header.index(name) for name in names]
        columns: list[list[str]] = [[] for _ in names]
        for number, row in enumerate((row for row in rows if row), 1):
            if most is not None and number > most:
                raise Unusable(f"more than {most} rows")
            if len(row) != len(header):
                raise Unusable(f"row {number} has {len(row)} values, the header {len(header)}")
            for column, place in zip(columns, places, strict=True):
                column.append(row[place])
    except csv.Error as error:
        raise Unusable(f"not a table ({error})") from None
    return columns


def aligned(columns: list[list[str]], values: Literal["labels", "numbers"]) -> tuple[list[str], Table]:
    """Ids in their order, and the targets in the same one; the first column holds the ids."""
    ids = [plain(text) for text in columns[0]]
    made = table(columns[1:], values)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return [ids[i] for i in order], made[order]


def load(folder: Path, name: str) -> Competition:
    """The competition of that name.

    Raises:
        ArtefactError: it is not there, or what is known about it does not suffice; one line says what.
    """
    here = folder / name
    found = Competition(here, _definition(here))
    if not found.public.is_dir() or not any(found.public.iterdir()):
        raise ArtefactError(f"competition {name}: {found.public} is missing or empty; prepare it first")
    return found


def names(folder: Path) -> list[str]:
    """Competitions in a folder.

    Raises:
        SettingError: it is no folder, or holds none.
    """
    if not folder.is_dir():
        raise SettingError(f"mle.files: {folder} is not a folder; give one with NAME/prepared/public in it")
    found = sorted(p.name for p in folder.iterdir() if (p / "prepared").is_dir())
    if not found:
        raise SettingError(f"mle.files: {folder} holds no competition (NAME/prepared/public); prepare one")
    return found


@functools.cache
def known() -> dict[str, dict[str, Any]]:
    """What is known about the competitions of the paper, by name."""
    return yaml.safe_load(Path(__file__).with_name("known.yaml").read_text(encoding="utf-8"))


def _definition(here: Path) -> Definition:
    path = here / DEFINITION
    if path.is_file():
        try:
            data = plain_yaml.load(path.read_text(encoding="utf-8"))
            if not isinstance(data, dict):
                raise ValueError("it holds no settings")
        except (yaml.YAMLError, ValueError, OSError) as error:
            raise ArtefactError(f"{path}: cannot be read ({_line(error)}); correct it") from None
    elif here.name in known():
        data = known()[here.name]
    else:
        raise ArtefactError(
            f"competition {here.name}: nothing is known about its grading; write {path} with metric, id, "
            "targets, worst and best"
        )
    try:
        made = Definition(**data)
    except (ValidationError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in first["loc"])
        raise ArtefactError(f"{path}: {where}: {first['msg']}; correct it") from None
    if made.metric not in METRICS:
        raise ArtefactError(f"{path}: metric {made.metric!r} is unknown; choose {', '.join(METRICS)}")
    for name in ("within", "skip"):
        if getattr(made, name) is not None and METRICS[made.metric].values == "labels":
            raise ArtefactError(
                f"{path}: {name}: only for metrics of numbers, and {made.metric} is one of labels"
            )
    told = {"worst": made.worst, "best": made.best, "skip": made.skip}
    for name, number in told.items():
        if number is not None and not math.isfinite(number):
            raise ArtefactError(f"{path}: {name}: {number} is no number to compare with; correct it")
    if made.within is not None and not made.within[0] < made.within[1]:
        raise ArtefactError(f"{path}: within: {made.within[0]:g} is not below {made.within[1]:g}; correct it")
    rising = METRICS[made.metric].better == "higher"
    if made.best == made.worst or (made.best > made.worst) is not rising:
        raise ArtefactError(
            f"{path}: best {made.best:g} is not {'above' if rising else 'below'} worst {made.worst:g}, "
            f"though a {'higher' if rising else 'lower'} {made.metric} is better; correct them"
        )
    return made


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
