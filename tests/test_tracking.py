"""Trackers: each number of the store once, at its step, over resumptions; and they never end a run."""

import importlib.util
import json
import sys
import threading
import types
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import pytest
from command import refused, taskspace
from demo_run import DemoRun, make_demo_run
from loop_driver import small_run

from experiments import config, runs
from experiments.tracking import live, trackers
from experiments.tracking.feeding import NOTES, Feed, notes
from experiments.tracking.live import LiveTracking, told
from experiments.tracking.points import Point, Sent, news
from memory.reader import RunReader
from protocols.errors import SettingError, StoreError
from protocols.settings import RunSettings
from protocols.tracking_settings import TrackingSettings

Series = dict[str, list[tuple[int, float]]]


class Recorder:
    """A tracker that keeps what it gets, by run id; told to fail, it does."""

    kept: ClassVar[dict[str, list[Point]]]
    closed: ClassVar[list[bool]]
    fail = ""
    hold: threading.Event | None = None

    def __init__(self, run_dir: Path, settings: TrackingSettings, config: Any, id: str) -> None:
        self.id = id or f"{run_dir.name}-{len(self.kept)}"
        self.where = f"recorder {self.id}"

    def write(self, points: list[Point]) -> None:
        if self.hold is not None:
            self.hold.wait()
        if self.fail:
            raise RuntimeError(self.fail)
        self.kept[self.id] += points

    def close(self, finished: bool) -> None:
        self.closed.append(finished)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    fresh = type("Fresh", (Recorder,), {"kept": defaultdict(list), "closed": []})
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", fresh)
    return fresh


def installed(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def wanted(run_dir: Path) -> Series:
    """What a tracker of the whole run has to hold, from the store."""
    with RunReader(run_dir) as reader:
        points, _ = news(reader, Sent())
    return series(points)


def series(points: list[Point]) -> Series:
    found: Series = defaultdict(list)
    for p in points:
        found[p.name].append((p.step, p.value))
    return dict(found)


def test_points_are_what_the_store_holds(tmp_path: Path) -> None:
    found = wanted(make_demo_run(tmp_path / "demo", rounds=2))
    with RunReader(tmp_path / "demo") as reader:
        closed = [e for e in reader.evaluations() if e["book"] == "closed"]
        updates, rounds = reader.updates(), reader.rounds()
    assert found["version/closed_book_accuracy"] == [(e["policy_version"], e["accuracy"]) for e in closed]
    losses = [loss for update in updates for loss in update["losses"]]
    assert found["step/loss"] == list(enumerate(losses, 1))
    assert len(found["step/grad_norm"]) == len(found["step/learning_rate"]) == len(losses)
    assert found["version/loss"] == [(u["version"], u["losses"][-1]) for u in updates]
    for name in ("attempts", "verified", "mean_reward", "proposals", "infra_errors"):
        assert found[f"round/{name}"] == [(r["round"], r[name]) for r in rounds]


def test_a_growing_run_gives_each_number_once(tmp_path: Path) -> None:
    gathered: list[Point] = []
    sent = Sent()
    with DemoRun(tmp_path / "demo") as run, RunReader(tmp_path / "demo") as reader:
        for _ in range(3):
            points, sent = news(reader, sent)
            gathered += points
            assert news(reader, sent) == ([], sent)
            run.play_round()
        gathered += news(reader, sent)[0]
    assert {name: sorted(s) for name, s in series(gathered).items()} == wanted(tmp_path / "demo")


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    with DemoRun(tmp_path / "demo") as run:
        run.play_round()
        run.store.db.execute('UPDATE updates SET metrics_json = \'{"kl": 1e999, "entropy": 0.5}\'')
        run.store.db.conn.commit()
    found = wanted(tmp_path / "demo")
    assert "version/kl" not in found and found["version/entropy"] == [(1, 0.5)]


def events(folder: Path) -> Series:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    read.Reload()
    tags = read.Tags()["scalars"]
    return {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in tags}


def test_tensorboard_holds_what_the_store_holds_over_two_sessions(tmp_path: Path) -> None:
    settings = TrackingSettings(to=("tensorboard",))
    with DemoRun(tmp_path / "demo") as run:
        for _ in range(2):
            run.play_round()
            feed = Feed("tensorboard", tmp_path / "demo", settings, {})  # a process of its own each time
            with RunReader(tmp_path / "demo") as reader:
                assert feed.forward(reader) > 0 == feed.forward(reader)
            feed.close(True)
    found, right = events(tmp_path / "demo" / "tensorboard"), wanted(tmp_path / "demo")
    assert found.keys() == right.keys()
    for name, values in right.items():
        assert [step for step, _ in sorted(found[name])] == [step for step, _ in values]
        # Event files hold 32 bits.
        assert [v for _, v in sorted(found[name])] == pytest.approx([v for _, v in values], rel=1e-6)


def test_a_run_and_its_resumption_are_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tmp_path / "small"
    settings = small_run(rounds=1, tracking={"to": "tensorboard"})
    assert runs.execute(runs.Prepared(settings, run_dir, resumed=False)) == 0
    assert f"tracking: tensorboard --logdir {run_dir / 'tensorboard'}" in capsys.readouterr().err
    first = events(run_dir / "tensorboard")
    prepared = runs.resume(run_dir, None, ["rounds=2"])
    assert runs.execute(prepared, quiet=True) == 0
    second, right = events(run_dir / "tensorboard"), wanted(run_dir)
    assert [s for s, _ in second["version/closed_book_accuracy"]] == [0, 1, 2]
    assert len(second["step/loss"]) == len(right["step/loss"]) > len(first["step/loss"])
    assert [s for s, _ in second["step/loss"]] == list(range(1, len(right["step/loss"]) + 1))


def test_a_tracker_that_fails_is_told_of_once_and_ends_nothing(
    tmp_path: Path, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hush-hush")
    recorder.fail = "server said no to hush-hush"
    said: list[str] = []
    settings = RunSettings.model_validate({"tracking": {"to": ["mlflow", "tensorboard"]}})
    with (
        DemoRun(tmp_path / "demo") as run,
        LiveTracking(settings, tmp_path / "demo", said.append) as tracking,
    ):
        for _ in range(2):
            run.play_round()
            tracking.notify("round", {})
    failures = [line for line in said if "mlflow failed" in line]
    assert len(failures) == 1
    assert "server said no to <MLFLOW_TRACKING_TOKEN>" in failures[0]
    assert f"taskspace track {tmp_path / 'demo'} --to mlflow" in failures[0]
    assert events(tmp_path / "demo" / "tensorboard").keys() == wanted(tmp_path / "demo").keys()
    assert "mlflow" not in notes(tmp_path / "demo")  # all of it can be sent later

    recorder.fail = ""
    feed = Feed("mlflow", tmp_path / "demo", settings.tracking, {})
    with RunReader(tmp_path / "demo") as reader:
        feed.forward(reader)
    assert series(recorder.kept[notes(tmp_path / "demo")["mlflow"].id]) == wanted(tmp_path / "demo")


def test_a_tracker_that_hangs_holds_nothing_up(tmp_path: Path, recorder: type[Recorder]) -> None:
    recorder.hold = threading.Event()
    said: list[str] = []
    settings = RunSettings.model_validate({"tracking": {"to": "mlflow", "deadline_s": 0.2}})
    with (
        DemoRun(tmp_path / "demo") as run,
        LiveTracking(settings, tmp_path / "demo", said.append) as tracking,
    ):
        tracking.notify("evaluation", {})
        run.play_round()
    assert said == [
        "tracking: mlflow did not take everything within 0.2 s; send the rest with: "
        f"taskspace track {tmp_path / 'demo'}"
    ]
    recorder.hold.set()


def test_a_store_that_cannot_be_read_now_is_asked_again(
    tmp_path: Path, recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = make_demo_run(tmp_path / "demo", rounds=1)
    asked = threading.Event()
    busy = [True]

    def open_store(path: Path) -> RunReader:
        if busy.pop() if busy else False:
            asked.set()
            raise StoreError("run.db: is busy")
        return RunReader(path)

    monkeypatch.setattr(live, "RunReader", open_store)
    said: list[str] = []
    settings = RunSettings.model_validate({"tracking": {"to": "mlflow"}})
    with LiveTracking(settings, demo, said.append) as tracking:
        tracking.notify("round", {})
        assert asked.wait(30)
    assert said == ["tracking: recorder demo-0"]
    assert series(recorder.kept["demo-0"]) == wanted(demo)


def test_a_tracker_hears_whether_the_run_is_complete(tmp_path: Path, recorder: type[Recorder]) -> None:
    make_demo_run(tmp_path / "demo", rounds=1)
    settings = RunSettings.model_validate({"tracking": {"to": "mlflow"}})
    for complete in (False, True):
        (tmp_path / "demo" / NOTES).unlink(missing_ok=True)
        with LiveTracking(settings, tmp_path / "demo", lambda line: None) as tracking:
            tracking.complete = complete
    assert recorder.closed == [False, True]


def test_notes_that_are_damaged_count_as_none(tmp_path: Path) -> None:
    assert notes(tmp_path) == {}
    (tmp_path / NOTES).write_text('{"tensorboard": {"id"')
    assert notes(tmp_path) == {}


class FakeClient:
    """MLflow's client as far as it is used, with the same names and bounds."""

    runs: ClassVar[dict[str, Any]]

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def get_experiment_by_name(self, name: str) -> Any:
        return None

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.runs["r1"] = {"uri": self.uri, "experiment": experiment, "metrics": [], "params": {}}
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="r1"))

    def update_run(self, run_id: str, status: str) -> None:
        self.runs[run_id]["status"] = status

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= 1000 and len(params) <= 100
        assert all(len(p.value) <= 500 for p in params)
        self.runs[run_id]["metrics"] += [(m.key, m.step, m.value) for m in metrics]
        self.runs[run_id]["params"] |= {p.key: p.value for p in params}

    def set_terminated(self, run_id: str, status: str) -> None:
        self.runs[run_id]["status"] = status


def test_mlflow_gets_settings_once_and_goes_on_with_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(**names: str) -> Any:
        def make(*values: Any) -> Any:
            return types.SimpleNamespace(**dict(zip(names, values)))

        return make

    client = type("Client", (FakeClient,), {"runs": {}})
    entities = types.SimpleNamespace(
        Metric=of(key="", value="", timestamp="", step=""), Param=of(key="", value="")
    )
    monkeypatch.setitem(sys.modules, "mlflow", types.SimpleNamespace(MlflowClient=client, entities=entities))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    flat = config.flat(small_run()) | {"long": "x" * 9000, "nothing": None, "empty": ""}
    with DemoRun(tmp_path / "demo") as run:
        for _ in range(2):
            run.play_round()
            feed = Feed("mlflow", tmp_path / "demo", TrackingSettings(to=("mlflow",)), flat)
            with RunReader(tmp_path / "demo") as reader:
                feed.forward(reader)
            feed.close(True)
    (kept,) = client.runs.values()
    assert kept["uri"] == f"sqlite:///{tmp_path / 'demo' / 'mlflow.db'}" and kept["experiment"] == "taskspace"
    assert kept["params"].keys() == flat.keys() and kept["params"]["seed"] == "3"
    assert kept["status"] == "FINISHED"
    found: Series = defaultdict(list)
    for name, step, value in kept["metrics"]:
        found[name].append((step, value))
    assert found == wanted(tmp_path / "demo")


@pytest.mark.skipif(not installed("mlflow"), reason="mlflow is not installed")
def test_mlflow_itself(tmp_path: Path) -> None:
    run_dir = make_demo_run(tmp_path / "demo", rounds=2)
    feed = Feed("mlflow", run_dir, TrackingSettings(to=("mlflow",)), {"seed": 1})
    with RunReader(run_dir) as reader:
        feed.forward(reader)
    feed.close(True)
    from mlflow import MlflowClient

    client, id = MlflowClient(f"sqlite:///{run_dir / 'mlflow.db'}"), notes(run_dir)["mlflow"].id
    assert client.get_run(id).info.status == "FINISHED"
    for name, values in wanted(run_dir).items():
        assert sorted((m.step, m.value) for m in client.get_metric_history(id, name)) == sorted(values)


class FakeWandb(types.ModuleType):
    """wandb as far as it is used; its own step only rises, as there."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.inits: list[dict[str, Any]] = []
        self.rows: list[dict[str, float]] = []
        self.axes: dict[str, str] = {}
        self.ended: list[int] = []

    def Settings(self, **values: Any) -> dict[str, Any]:
        return values

    def init(self, **values: Any) -> Any:
        self.inits.append(values)
        return types.SimpleNamespace(
            id=values["id"] or "w1",
            dir=f"{values['dir']}/wandb/offline-run/files",
            url="https://host/run",
            define_metric=lambda name, step_metric: self.axes.__setitem__(name, step_metric),
            log=self.rows.append,
            finish=lambda exit_code: self.ended.append(exit_code),
        )


def test_wandb_gets_metrics_by_axis_and_nothing_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    settings = TrackingSettings(to=("wandb",), offline=True)
    with DemoRun(tmp_path / "demo") as run:
        for _ in range(2):
            run.play_round()
            feed = Feed("wandb", tmp_path / "demo", settings, {"seed": 1})
            with RunReader(tmp_path / "demo") as reader:
                feed.forward(reader)
            assert feed.where == f"wandb sync {tmp_path / 'demo' / 'wandb' / 'offline-run'}"
            feed.close(True)
    assert [made["id"] for made in fake.inits] == [None, "w1"]
    assert {made["mode"] for made in fake.inits} == {"offline"}
    assert fake.inits[0]["settings"]["x_disable_machine_info"] and fake.inits[0]["settings"]["disable_git"]
    assert fake.axes == {f"{axis}/*": axis for axis in ("version", "step", "round")}
    found: Series = defaultdict(list)
    for row in fake.rows:
        (axis,) = {"version", "step", "round"} & row.keys()
        for name in row.keys() - {axis}:
            found[name].append((int(row[axis]), row[name]))
    assert found == wanted(tmp_path / "demo")
    assert fake.ended == [0, 0]


@pytest.mark.skipif(not installed("wandb"), reason="wandb is not installed")
def test_wandb_itself_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    run_dir = make_demo_run(tmp_path / "demo", rounds=1)
    feed = Feed("wandb", run_dir, TrackingSettings(to=("wandb",), offline=True), {"seed": 1})
    with RunReader(run_dir) as reader:
        feed.forward(reader)
    feed.close(True)
    (made,) = (run_dir / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"closed_book_accuracy" in made.read_bytes()
    for path in (run_dir / "wandb").rglob("*"):
        assert path.is_dir() or b"k" * 40 not in path.read_bytes()


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load("smoke", ["tracking.to=wandb"]).tracking.to == ("wandb",)
    assert config.load("smoke", ["tracking.to=[wandb, wandb]"]).tracking.to == ("wandb",)
    with pytest.raises(SettingError, match="password"):
        config.load("smoke", ["tracking.uri=https://me:secret@host"])
    with pytest.raises(SettingError, match="'tensorboard', 'mlflow', 'wandb'"):
        config.load("smoke", ["tracking.to=[comet]"])
    config.require_resumable(small_run(), small_run(tracking={"to": ["wandb"]}), "run")  # no other experiment


def test_a_missing_library_and_a_missing_key_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mlflow").mkdir()  # a folder of that name is no library
    monkeypatch.setattr(trackers.importlib.util, "find_spec", missing("mlflow"))
    with pytest.raises(SettingError, match="mlflow is not installed; run: pip install mlflow-skinny"):
        trackers.require(TrackingSettings(to=("mlflow",)))
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: types.SimpleNamespace(origin="x"))
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    online = TrackingSettings(to=("wandb",))
    with pytest.raises(SettingError, match="wandb has no key; run: wandb login"):
        trackers.require(online)
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    trackers.require(online)
    (tmp_path / ".netrc").unlink()
    trackers.require(TrackingSettings(to=("wandb",), offline=True))


def missing(name: str) -> Any:
    """`find_spec` as it is where only a folder has the name."""
    from importlib.machinery import ModuleSpec

    return lambda wanted: ModuleSpec(wanted, None) if wanted == name else importlib.util.find_spec(wanted)


def test_messages_are_short_and_hold_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "abcdef")
    line = told(ValueError("bad key abcdef\n" + "x" * 5000))
    assert line.startswith("ValueError: bad key <WANDB_API_KEY> x") and len(line) == 300


def test_the_command_sends_what_is_left_and_says_where(tmp_path: Path) -> None:
    make_demo_run(tmp_path / "runs" / "demo", rounds=1)
    sent = taskspace("track", "demo", "--to", "tensorboard", "--json", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    told = json.loads(sent.stdout)["trackers"]["tensorboard"]
    expected = sum(map(len, wanted(tmp_path / "runs" / "demo").values()))
    assert told == {"sent": expected, "where": "tensorboard --logdir runs/demo/tensorboard"}
    again = taskspace("track", "demo", "--to", "tensorboard", cwd=tmp_path)
    assert again.stdout == "tensorboard: 0 numbers sent\n"


def test_the_command_on_wrong_input(tmp_path: Path) -> None:
    run = make_demo_run(tmp_path / "runs" / "demo", rounds=0)
    assert "no tracker; write e.g. --to tensorboard" in refused("track", "demo", cwd=tmp_path)
    line = refused("track", "demo", "--to", "tensorbord", cwd=tmp_path)
    assert "--to tensorbord: unknown; did you mean tensorboard?" in line
    assert "no run.db there" in refused("track", "other", "--to", "wandb", cwd=tmp_path)
    with DemoRun(tmp_path / "runs" / "open"):
        assert "in use by process" in refused("track", "open", "--to", "tensorboard", cwd=tmp_path)
    assert not (run / NOTES).exists()
