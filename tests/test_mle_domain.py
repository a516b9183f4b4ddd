"""The mle domain with the real sandbox: made competitions, scripts good and bad, prompts, other folders."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml

from actors.sandbox.pool import SandboxPool
from protocols.domain import make_domain
from protocols.domains.mle import examples, made, prompts
from protocols.domains.mle.competition import known
from protocols.domains.mle.domain import MleDomain
from protocols.errors import ArtefactError, SettingError
from protocols.iteration import start_of
from protocols.mle_settings import MleSettings
from protocols.records import Book, Program, Split, Step, Task, Turn, Verdict
from protocols.settings import RunSettings, SandboxSettings

LIMITS = SandboxSettings(workers=1, wall_s=60.0, cpu_s=30, memory_mb=1024)
GOOD = """import os
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTrees{kind}
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

folder = os.environ["PUBLIC_RESOURCE_PATH"]
train = pd.read_csv(os.path.join(folder, "train.csv"))
test = pd.read_csv(os.path.join(folder, "test.csv"))
sample = pd.read_csv(f"{{PUBLIC_RESOURCE_PATH}}/sample_submission.csv")
target = train.columns[-1]
if "text" in test.columns:
    model = make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), LogisticRegression(C=30))
    x, z = train, test
else:
    model = ExtraTrees{kind}(300, min_samples_leaf={leaf}, random_state=0, n_jobs=-1)
    x, z = train.drop(columns=["id", target]), test.drop(columns="id")
model.fit(x, train[target])
if {probabilities} and len(sample.columns) > 2:
    sample[sample.columns[1:]] = model.predict_proba(z)
elif {probabilities}:
    sample[target] = model.predict_proba(z)[:, 1]
else:
    sample[target] = model.predict(z)
sample.to_csv("submission.csv", index=False)
"""
COPY = """import pandas as pd
pd.read_csv(PUBLIC_RESOURCE_PATH + "/sample_submission.csv").to_csv("submission.csv", index=False)
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKSPACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def domain() -> MleDomain:
    found = make_domain(RunSettings(domain="mle"))
    assert isinstance(found, MleDomain)
    return found


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(LIMITS) as pool:
        yield pool


def fenced(script: str) -> str:
    return f"Here it is:\n```python\n{script}\n```"


def play(domain: MleDomain, pool: SandboxPool, task: Task, *scripts: str) -> list[Verdict]:
    programs = [domain.check(task, [fenced(script)]) for script in scripts]
    outcomes = pool.run([one for one in programs if isinstance(one, Program)])
    return [domain.judge(task, "a", outcome) for outcome in outcomes]


def every(domain: MleDomain) -> list[Task]:
    return domain.tasks(Split.TRAIN) + domain.tasks(Split.TEST)


def test_the_score_of_a_reference_model_is_no_part_of_a_made_task_s_name(domain: MleDomain) -> None:
    """Solvers end a little elsewhere on another processor."""
    there = MleDomain(domain.settings)
    for name in there.topics():
        one = there.competition(name)
        one.definition = one.definition.model_copy(update={"best": one.definition.best + 1e-4})
    assert [task.id for task in every(there)] == [task.id for task in every(domain)]
    assert [task.payload for task in every(there)] != [task.payload for task in every(domain)]


def test_there_are_three_of_each_and_kinds_are_mixed(domain: MleDomain) -> None:
    train, test = domain.tasks(Split.TRAIN), domain.tasks(Split.TEST)
    assert [len(train), len(test)] == [3, 3]
    assert not {t.topics for t in train} & {t.topics for t in test}
    assert set(domain.kinds) == {"classification", "images", "regression", "text"}
    assert {t.kind for t in train + test} == set(domain.kinds)
    assert len({t.payload["metric"] for t in train + test}) == 6
    assert len({t.id for t in train + test}) == 6
    assert [t.topics for t in domain.tasks(Split.TEST, "regression")] == [("petal-widths",)]
    assert len(domain.tasks(Split.TRAIN, limit=2)) == 2
    assert domain.topics() == made.TRAIN + made.TEST


def test_good_scripts_score_and_constant_ones_do_not(domain: MleDomain, pool: SandboxPool) -> None:
    """The script and its leaf size are no tuned reference: what anyone would write."""
    for task in every(domain):
        regression = task.payload["metric"] in ("rmse", "mae")
        good = GOOD.format(
            kind="Regressor" if regression else "Classifier",
            leaf=5 if task.payload["metric"] == "rmse" else 1,
            probabilities=task.payload["metric"] in ("auc", "log_loss"),
        )
        best, worst = play(domain, pool, task, good, COPY)
        assert best.category == "scored", (task.topics, best)
        assert best.reward is not None and best.reward > 0.6, (task.topics, best)
        assert worst.category == "scored" and worst.reward == pytest.approx(0.0, abs=0.02), (
            task.topics,
            worst,
        )
        assert worst.evidence["score"] == pytest.approx(task.payload["worst"], abs=1e-3)


def test_the_worked_examples_score(domain: MleDomain, pool: SandboxPool) -> None:
    shown = MleDomain(MleSettings(train=made.SHOWN, test=made.SHOWN, files=str(domain.folder)))
    for task in shown.tasks(Split.TRAIN):
        assert play(shown, pool, task, examples.SCRIPTS[task.topics[0]])[0].reward > 0.6  # type: ignore[operator]


def test_made_competitions_follow_from_the_seed(domain: MleDomain, tmp_path: Path) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    first = files(domain.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKSPACE_CACHE", str(tmp_path))
        assert files(made.folder(1)) == first
        other = files(made.folder(2))
        assert not list(tmp_path.glob("competitions/making-*"))
    assert other.keys() == first.keys() and other != first
    with (domain.folder / "wine-cultivars/prepared/public/test.csv").open() as file:
        test = list(csv.DictReader(file))
    with (domain.folder / "wine-cultivars/prepared/public/train.csv").open() as file:
        train = list(csv.DictReader(file))
    assert "cultivar" not in test[0] and not {r["id"] for r in test} & {r["id"] for r in train}
    rows = [tuple(v for k, v in r.items() if k not in ("id", "cultivar")) for r in train + test]
    assert len(set(rows)) == len(rows) == 178


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TASKSPACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ArtefactError, match=r"cannot be written .* set TASKSPACE_CACHE"):
        MleDomain(MleSettings()).tasks(Split.TRAIN)


SCRIPTS = {
    "import os\n": ("no_submission", "it ended without writing"),
    "open('submission.csv', 'w').write('id,y\\n1,2\\n')\n": (
        "bad_submission",
        "column 'cultivar' is missing",
    ),
    "open('submission.csv', 'wb').write(bytes(range(256)))\n": ("bad_submission", "column 'id' is missing"),
    "import os\nos.mkdir('submission.csv')\n": ("no_submission", "it ended without"),
    "print(1\n": ("syntax_error", "line 1: print(1\nSyntaxError: '(' was never closed"),
    "import pandas as pd\n\ndef f(path):\n    return pd.read_csv(path)\n\nf('none.csv')\n": (
        "runtime_error",
        "line 6: f('none.csv')\nline 4: return pd.read_csv(path)\nFileNotFoundError",
    ),
    "raise SystemExit('bad data')\n": ("runtime_error", "SystemExit: bad data"),
    "import torch\n": ("runtime_error", "line 1: import torch\nModuleNotFoundError"),
    "input()\n": ("runtime_error", "EOFError"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_that_fail_say_how(domain: MleDomain, pool: SandboxPool, script: str) -> None:
    task = domain.tasks(Split.TRAIN)[0]
    verdict = play(domain, pool, task, script)[0]
    category, told = SCRIPTS[script]
    assert (verdict.category, verdict.reward) == (category, 0.0), verdict
    assert told in domain.feedback(task, verdict)


@pytest.mark.parametrize("end", ["exit()", "quit()", "import sys; sys.exit(0)", "raise SystemExit"])
def test_scripts_may_leave_when_they_are_done(domain: MleDomain, pool: SandboxPool, end: str) -> None:
    task = domain.tasks(Split.TRAIN)[0]
    assert play(domain, pool, task, COPY + end + "\n")[0].category == "scored"
    guarded = (
        "def main():\n    " + COPY.replace("\n", "\n    ") + "\nif __name__ == '__main__':\n    main()\n"
    )
    assert play(domain, pool, task, guarded)[0].category == "scored"


def test_the_same_script_scores_the_same(domain: MleDomain) -> None:
    script = GOOD.format(kind="Classifier", leaf=1, probabilities=False).replace(", random_state=0", "")
    task = domain.tasks(Split.TRAIN)[0]
    seen = set()
    for _ in range(2):
        with SandboxPool(LIMITS) as pool:
            seen |= {v.evidence["score"] for v in play(domain, pool, task, script, script)}
    assert len(seen) == 1


def test_an_answer_without_code(domain: MleDomain) -> None:
    task = domain.tasks(Split.TRAIN)[0]
    for text in ("I would use a forest.", "```python\n\n```", ""):
        verdict = domain.check(task, [text])
        assert isinstance(verdict, Verdict) and (verdict.category, verdict.reward) == ("no_code", 0.0)
    program = domain.check(task, ["```python\nold\n```", fenced("a = 1") + "\nor\n" + fenced("b = 2")])
    assert isinstance(program, Program) and program.cases == (("b = 2",),)


# -- prompts


def asked(domain: MleDomain, task: Task, step: Step = Step.INITIAL, *history: Turn) -> str:
    return domain.prompt(task, start_of(task, Book.CLOSED, step, history), Book.CLOSED).messages[-1].content


def turn(script: str, feedback: str = "") -> Turn:
    return Turn(attempt_id="a", response=fenced(script), reward=0.0, feedback=feedback)


def test_a_prompt_goes_from_the_script_to_the_rules(domain: MleDomain) -> None:
    task = domain.tasks(Split.TRAIN)[0]
    first = asked(domain, task)
    order = [prompts.EMPTY, prompts.IMPROVE, "Macro F1", "train.csv (118 rows, 15 columns):", prompts.RULES]
    places = [first.index(part) for part in order]
    assert places == sorted(places)
    improve = asked(domain, task, Step.IMPROVE, turn("a = 1"), turn("b = 2"))
    assert "b = 2" in improve and "a = 1" not in improve and prompts.EMPTY not in improve
    debug = asked(domain, task, Step.IMPROVE, turn("b = 2", "line 1: b\nNameError"))
    assert prompts.DEBUG in debug and prompts.IMPROVE not in debug and "line 1: b\nNameError" in debug
    diverge = asked(domain, task, Step.DIVERGE, turn("b = 2", "line 1: b\nNameError"))
    assert prompts.DIVERGE in diverge and prompts.DEBUG not in diverge
    scored = asked(domain, task, Step.IMPROVE, turn("b = 2", "Score: 0.5 (macro_f1, higher is better)"))
    assert prompts.IMPROVE in scored and "Score: 0.5" in scored and "It failed" not in scored


def test_no_prompt_holds_an_answer(domain: MleDomain) -> None:
    """The ids of test rows with their labels, as the private file has them."""
    for task in every(domain):
        text = asked(domain, task)
        with (domain.folder / task.topics[0] / "prepared/private/test.csv").open() as file:
            lines = file.read().splitlines()[1:]
        sample = domain.folder / task.topics[0] / "prepared/public/sample_submission.csv"
        known_lines = set(sample.read_text().splitlines())
        told = set(text.splitlines())
        assert not told & (set(lines) - known_lines)


def test_previews_are_bounded(domain: MleDomain) -> None:
    brief = MleDomain(MleSettings(preview_lines=1, preview_chars=30, description_chars=100, preview_files=2))
    for task in every(brief):
        text = asked(brief, task)
        assert "and 1 more files" in text
        assert len(text) < len(asked(domain, task))
    none = MleDomain(MleSettings(preview_lines=0))
    assert "train.csv (118 rows, 15 columns)\n" in asked(none, none.tasks(Split.TRAIN)[0])


def test_worked_examples_are_shown_but_not_learned(domain: MleDomain) -> None:
    small = MleDomain(MleSettings(demonstrations=2, opening="import"))
    task = small.tasks(Split.TRAIN)[0]
    start = start_of(task, Book.CLOSED)
    prompt, learned = small.prompt(task, start, Book.CLOSED), small.learning_prompt(task, start, Book.CLOSED)
    assert [m.role for m in prompt.messages] == ["system"] + ["user", "assistant"] * 2 + ["user"]
    assert prompt.prefill == "```python\nimport" and small.stops == ("\n```",)
    assert learned == domain.prompt(task, start, Book.CLOSED) and learned.prefill == "" and domain.stops == ()
    for one in every(small):  # the last example is of the task's own kind
        shown = small.prompt(one, start, Book.CLOSED).messages[-2].content
        model = {"regression": "RandomForestRegressor", "text": "TfidfVectorizer"}.get(one.kind, "KNeighbors")
        assert model in shown


def test_an_answer_that_is_opened_with_the_data(domain: MleDomain, pool: SandboxPool, others: Path) -> None:
    open_ = MleDomain(MleSettings(demonstrations=3, opening="data"))
    task = open_.tasks(Split.TRAIN)[0]
    prompt = open_.prompt(task, start_of(task, Book.CLOSED), Book.CLOSED)
    shown = [m.content for m in prompt.messages if m.role == "assistant"]
    assert len(shown) == 3 and all(text.startswith(prompt.prefill) for text in shown)
    rest = "train.tail()\nopen('submission.csv', 'w').write('id')\n"
    verdict = play(open_, pool, task, prompt.prefill.removeprefix("```python\n") + rest)[0]
    assert verdict.category == "bad_submission"  # the data was read
    other = MleDomain(MleSettings(files=str(others), opening="data"))
    pizza = other.tasks(Split.TRAIN)[0]
    with pytest.raises(SettingError, match=r"mle.opening=data: random-acts-of-pizza has no train.csv"):
        other.prompt(pizza, start_of(pizza, Book.CLOSED), Book.CLOSED)


# -- folders of others


def prepared(folder: Path, name: str, files: dict[str, str], answers: str) -> None:
    """A competition as MLE-bench leaves it: nothing of ours beside it."""
    public, private = folder / name / "prepared" / "public", folder / name / "prepared" / "private"
    public.mkdir(parents=True)
    private.mkdir()
    for file, text in {"description.md": f"# {name}\nDo it.", **files}.items():
        (public / file).write_text(text)
    (private / "test.csv").write_text(answers)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """The shapes of three of the benchmark's competitions, with rows of our own."""
    folder = tmp_path / "data"
    prepared(
        folder,
        "spooky-author-identification",
        {
            "train.csv": 'id,text,author\nid1,"It was, once",EAP\nid2,Night,HPL\n',
            "test.csv": "id,text\nid3,Fog\nid4,Rain\n",
            "sample_submission.csv": "id,EAP,HPL,MWS\nid3,0.4,0.3,0.3\nid4,0.4,0.3,0.3\n",
        },
        "id,EAP,HPL,MWS\nid3,1,0,0\nid4,0,0,1\n",
    )
    prepared(
        folder,
        "random-acts-of-pizza",
        {
            "train.json": '[{"request_id": "t1", "text": "hungry", "requester_received_pizza": true}]',
            "test.json": '[{"request_id": "t2", "text": "pizza?"}, {"request_id": "t3", "text": "please"}]',
            "sampleSubmission.csv": "request_id,requester_received_pizza\nt2,0\nt3,0\n",
        },
        "request_id,requester_received_pizza\nt2,0\nt3,1\n",
    )
    prepared(
        folder,
        "nomad2018-predict-transparent-conductors",
        {"test.csv": "id,spacegroup\n1,33\n2,194\n", "train.csv": "id,spacegroup\n1,33\n"},
        "id,spacegroup,formation_energy_ev_natom,bandgap_energy_ev\n1,33,0.1,1.5\n2,194,0.2,3.0\n",
    )
    return folder


def test_prepared_competitions_work_as_they_are(others: Path, pool: SandboxPool) -> None:
    domain = MleDomain(MleSettings(files=str(others)))
    train, test = domain.tasks(Split.TRAIN), domain.tasks(Split.TEST)
    assert [t.topics[0] for t in train] == ["random-acts-of-pizza", "spooky-author-identification"]
    assert [t.topics[0] for t in test] == ["nomad2018-predict-transparent-conductors"]
    assert 'a list of 1):\n{"request_id": "t1"' in asked(domain, train[0])
    pizza = """import json, os
with open(os.path.join(os.environ["PUBLIC_RESOURCE_PATH"], "test.json")) as file:
    rows = json.load(file)
with open("submission.csv", "w") as file:
    file.write("request_id,requester_received_pizza\\n")
    for row in rows:
        file.write(f"{row['request_id']},{float('please' in row['text'])}\\n")
"""
    assert play(domain, pool, train[0], pizza)[0].reward == 1.0
    verdict = play(domain, pool, train[1], COPY)[0]
    # By hand: -(ln 0.4 + ln 0.3) / 2 = 1.0601, and (1.0601 - 1.5) / (0 - 1.5).
    assert verdict.evidence["score"] == pytest.approx(1.0601, abs=1e-4)
    assert verdict.reward == pytest.approx(0.2933, abs=1e-4)
    said = "id,formation_energy_ev_natom,bandgap_energy_ev\n2,.2,3\n1,.1,1.5"
    exact = f"open('submission.csv', 'w').write({said!r})"
    assert play(domain, pool, test[0], exact)[0].reward == 1.0


def test_a_compact_description_is_taken_where_there_is_one(others: Path) -> None:
    (others / "random-acts-of-pizza" / "description_obfuscated.md").write_text("In short.")
    brief = MleDomain(MleSettings(files=str(others)))
    full = MleDomain(MleSettings(files=str(others), description="full"))
    assert "In short." in asked(brief, brief.tasks(Split.TRAIN)[0])
    assert "Do it." in asked(full, full.tasks(Split.TRAIN)[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train": ("spooky",)}, "mle.train: 'spooky' is not in .* choose among"),
        ({"files": "/nowhere"}, "mle.files: /nowhere is not a folder"),
    ],
)
def test_wrong_choices_are_one_line(others: Path, settings: dict, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        MleDomain(MleSettings(**{"files": str(others)} | settings)).tasks(Split.TRAIN)


def test_what_is_wrong_with_a_folder_is_said_before_anything_is_played(others: Path) -> None:
    def fails(said: str) -> None:
        with pytest.raises(ArtefactError, match=said):
            MleDomain(MleSettings(files=str(others))).tasks(Split.TRAIN)

    pizza = others / "random-acts-of-pizza"
    (pizza / "prepared/public/description.md").rename(pizza / "d")
    fails("description.md is missing")
    (pizza / "d").rename(pizza / "description.md")
    (pizza / "prepared/private/test.csv").unlink()
    fails("no answers in")
    shutil.rmtree(pizza)
    shutil.rmtree(others / "spooky-author-identification")
    with pytest.raises(SettingError, match=r"mle\.train: none of the competitions"):
        MleDomain(MleSettings(files=str(others))).tasks(Split.TRAIN)
    prepared(others, "new", {"train.csv": "a\n1\n"}, "id,y\n1,2\n")
    with pytest.raises(ArtefactError, match=r"nothing is known about its grading; write .*competition\.yaml"):
        MleDomain(MleSettings(files=str(others), train=("new",))).tasks(Split.TRAIN)
    text = yaml.safe_dump(
        {"metric": "mae", "id": "id", "targets": ["y"], "worst": 5, "best": 0, "kind": "own"}
    )
    (others / "new" / "competition.yaml").write_text(text)
    domain = MleDomain(MleSettings(files=str(others), train=("new",)))
    assert domain.tasks(Split.TRAIN)[0].kind == "own" and "own" in domain.kinds
    assert "new" not in known()
