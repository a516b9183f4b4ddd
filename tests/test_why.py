"""From what the weights can do back to updates, episodes, tasks, decisions: every number from the store."""

import json
import re
import sys
from pathlib import Path

import networkx as nx
import pytest
from demo_run import make_demo_run
from loop_driver import small_run

from actors.arena import Arena
from experiments import ablation, cli, why, why_picture
from memory import causes, held_out
from memory.artefacts import fetch_model
from memory.reader import RunReader
from protocols.errors import SettingError

FUNCTION = "zwc.kopado"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_run(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "played"
    folder.mkdir()
    settings = small_run(evaluation={"tasks": 4, "open_book_before": False})
    assert Arena(settings, folder, fetch_model("tiny-random"), lambda *_: None).run()
    return folder


def test_accuracy_by_version_is_that_of_the_held_out_attempts(demo: Path) -> None:
    with RunReader(demo) as reader:
        found = held_out.measured(reader, FUNCTION)
        for one in found:
            rewards = [
                row["reward"]
                for row in reader.episodes(None, purpose="evaluate", book="closed", round=one.round)
                if row["topics"] == [FUNCTION]
            ]
            assert one.attempts == len(rewards) and one.accuracy == sum(rewards) / len(rewards)
        whole = {one.round: one.accuracy for one in held_out.measured(reader)}
        recorded = {e["round"]: e["accuracy"] for e in reader.evaluations() if e["book"] == "closed"}
        assert whole == pytest.approx(recorded) and len(found) == len(whole) >= 4


def test_a_function_leads_to_the_samples_about_it(demo: Path) -> None:
    with RunReader(demo) as reader:
        told = why.of_function(reader, FUNCTION)
        versions = []
        seen: set[str] = set()
        for change in told.changes:
            assert change.difference == change.after.accuracy - change.before.accuracy
            for update in change.updates:
                versions.append(update.version)
                rows = [r for r in reader.trained_update(update.version) if r["topics"] == [FUNCTION]]
                assert update.about == len(rows)
                assert {one.task for one in update.learned} == {r["task_id"] for r in rows}
                assert sum(one.weight for one in update.learned) == sum(r["weight"] for r in rows)
                fresh = {r["id"] for r in rows} - seen
                assert update.new == len(fresh)
                seen |= {r["id"] for r in rows}
        assert versions == causes.versions(reader)
        with_proposal = [
            one for c in told.changes for u in c.updates for one in u.learned if one.origin == "proposed"
        ]
        for one in with_proposal:
            task = reader.row("SELECT * FROM proposals WHERE task_id = ?", [one.task])
            assert one.proposal and task and one.proposal.id == task["id"]
            assert {"proposal", "task", "group"} <= {decided.kind for decided in one.decisions}


def test_a_version_leads_to_everything_it_learned(demo: Path) -> None:
    with RunReader(demo) as reader:
        told = why.of_version(reader, 2)
        rows = reader.trained_update(2)
    assert told.update.about == len(rows) == sum(one.samples for one in told.update.learned)
    assert sum(shift.samples for shift in told.topics) == sum(len(r["topics"]) for r in rows)
    assert told.before and told.after and (told.before.version, told.after.version) == (1, 2)


def test_a_task_leads_to_its_attempts_and_who_learned_them(demo: Path) -> None:
    with RunReader(demo) as reader:
        version = why.of_version(reader, 3)
        learned = version.update.learned[0]
        told = why.of_task(reader, learned.task[:10])
        assert told.task == learned.task
        groups = reader.groups(None, task_id=told.task, purpose="collect")
    assert {g.id for g in told.groups} == {g["id"] for g in groups}
    assert sum(g.attempts for g in told.groups) == sum(g["attempts"] for g in groups)
    assert 3 in {v for g in told.groups for v in g.learned} == {u.version for u in told.updates}
    assert next(u for u in told.updates if u.version == 3).about == learned.samples


def test_the_text_is_a_tree_of_harmless_lines(tmp_path: Path) -> None:
    run = make_demo_run(tmp_path / "hostile", hostile=True)
    with RunReader(run) as reader:
        told = [why.of_version(reader, 1), why.of_function(reader, causes.topics(reader)[0])]
        told.append(why.of_task(reader, told[0].update.learned[0].task))
    for one in told:
        text = why.text(one)
        assert "update 1" in text and "├── " in text
        assert all(c.isprintable() or c == "\n" for c in text)
        for ending in why_picture.ENDINGS:
            why_picture.write(one, tmp_path / f"chain{ending}")
            assert (tmp_path / f"chain{ending}").stat().st_size > 500


def test_edges_lead_from_decisions_to_what_was_measured(demo: Path, tmp_path: Path) -> None:
    with RunReader(demo) as reader:
        told = why.of_version(reader, 4)
    why_picture.write(told, tmp_path / "why.graphml")
    made = nx.read_graphml(tmp_path / "why.graphml")
    assert nx.is_directed_acyclic_graph(made)
    assert all(made.nodes[a]["layer"] < made.nodes[b]["layer"] for a, b in made.edges)
    kinds = [kind for _, kind in made.nodes(data="kind")]
    assert set(kinds) == set(why_picture.KINDS)
    assert kinds.count("task") == len(told.update.learned)
    assert nx.ancestors(made, "update 4") | {"update 4", "measurement 4, round 4"} == set(made)
    shown = why_picture.graph(told, 2)
    assert sum(kind == "task" for _, kind in shown.nodes(data="kind")) == 2
    assert any("more tasks" in label for _, label in shown.nodes(data="label"))
    why_picture.write(told, tmp_path / "why.svg")
    lines = re.findall(
        r'id="line2d_\d+">\s*<path d="M \S+ \S+ \s*L \S+ \S+ ', (tmp_path / "why.svg").read_text()
    )
    assert len(lines) == why_picture.graph(told, why.SHOWN).number_of_edges()  # each of them is drawn


def test_leaving_a_function_out_is_learning_without_it(played: Path) -> None:
    with RunReader(played) as reader:
        name = why.of_version(reader, 1).topics[0].topic
        told = why.of_function(reader, name)
    found = ablation.ablate(played, told, [], quiet=True)
    run = played.parent / found.run
    with RunReader(run) as reader, RunReader(played) as source:
        learned = [row for u in causes.versions(reader) for row in reader.trained_update(u)]
        assert learned and not any(name in row["topics"] for row in learned)
        assert any(name in row["topics"] for row in source.trained_update(1))
        assert [e["round"] for e in reader.evaluations()] == [2]  # the end is what is compared
        before = source.overview()["attempts"]
    assert found.removed > 0 and found.removed + found.left == before
    assert found.overall is not None and found.overall.tasks == 4 and set(found.by_function) == {name}
    assert found.overall.low <= found.overall.mean <= found.overall.high
    assert name in ablation.text(found) and "held-out tasks" in ablation.text(found)
    assert ablation.ablate(played, told, [], quiet=True) == found  # not played again


def test_leaving_out_what_a_version_learned_first(played: Path) -> None:
    with RunReader(played) as reader:
        told = why.of_version(reader, 2)
        first = {row["id"] for row in reader.trained_update(2)} - {
            row["id"] for row in reader.trained_update(1)
        }
    found = ablation.ablate(played, told, ["evaluation.tasks=2"], quiet=True)
    assert found.removed == len(first) > 0
    assert found.overall is not None and found.overall.tasks == 2  # those that both answered
    with RunReader(played.parent / found.run) as reader:
        assert first.isdisjoint(row["id"] for row in reader.rows("SELECT id FROM attempts"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((), ["--function", "--task", "--version"]),
        (("--function", "zwc.kopada"), ["zwc.kopada", "nearest of", "zwc.kopado"]),
        (("--version", "99"), ["99", "nearest of 4 is 4"]),
        (("--version", "0"), ["the model as it came", "is 1"]),
        (("--task", "nothing"), ["nothing", "nearest of"]),
        (("--version", "1", "--picture", "a.pdf"), ["a.pdf", ".svg"]),
        (("--version", "1", "--picture", "no/such/folder.svg"), ["no/such/folder.svg"]),
        (("--version", "1", "--set", "seed=2"), ["--ablate"]),
    ],
)
def test_wrong_input_is_one_line(
    demo: Path,
    arguments: tuple[str, ...],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["taskspace", "why", str(demo), *arguments])
    monkeypatch.delenv("TASKSPACE_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    line = capfd.readouterr().err.rstrip("\n")
    assert line.startswith("taskspace: ") and "\n" not in line
    assert all(part in line for part in parts), line
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_object(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["taskspace", "why", str(demo), "--version", "2", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    told = json.loads(capfd.readouterr().out)
    assert told["run"] == "demo" and told["influence"] is None and told["experience_of"] is None
    assert told["why"]["update"]["version"] == 2 and len(told["why"]["update"]["learned"]) > why.SHOWN


def test_what_was_never_learned_cannot_be_left_out(demo: Path) -> None:
    with RunReader(demo) as reader:
        unused = next(
            task for task in causes.tasks(reader) if not reader.groups(1, task_id=task, purpose="collect")
        )
        told = why.of_task(reader, unused)
    with pytest.raises(SettingError, match="nothing to leave out"):
        ablation.ablate(demo, told, [], quiet=True)
