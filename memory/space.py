"""The task space: all revision trees of a run as one directed graph, grown group by group.

Nodes are ids of tasks and attempts. Edges say how one came from another (`kind`):

    task ──initial──▶ attempt ──improve | diverge──▶ attempt        task ──proposed──▶ task

Node attributes
    task:     kind="task", origin, domain, topics, status, round, depth (proposals it is away from a
              base task), attempts, verified, infra_errors, solve_rate, visits
    attempt:  kind="attempt", task, step, round, policy_version, reward, category, depth (earlier attempts in
              its history), index, visits

`visits` lists every group that started there, in order, as (round, policy_version, mean reward,
learnability): at a task for initial attempts, at an attempt for revisions of it. The same graph comes out of
the store and out of groups as they are admitted. Evaluation is not part of it, nor are held-out tasks:
nothing grows out of them.

Not here: which starts come next (`actors.choosing`), and how the graph looks (`ui`).
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import networkx as nx

from memory.codec import from_json
from memory.layout import Layout, Position
from protocols.credit import learnability
from protocols.records import Group, Purpose, Split, Step, Task, Verdict

if TYPE_CHECKING:
    from memory.reader import RunReader


class TaskSpace:
    """Grows by `add_task` and `add_group`; `graph` is for reading."""

    def __init__(self) -> None:
        self.graph = nx.DiGraph()
        self._layout = Layout()
        self._caught_up = 0  # `groups.seq` of the last group read from a store

    @classmethod
    def from_reader(cls, reader: "RunReader") -> "TaskSpace":
        """The space of a run."""
        space = cls()
        space.catch_up(reader)
        return space

    def catch_up(self, reader: "RunReader") -> int:
        """Add what the run admitted since the last call; returns how many groups that were.

        Reads no texts and no token ids. A space that grew by `add_group` cannot be caught up.
        """
        # Groups before tasks: the run goes on between the two statements, and no group may lack its task.
        found = reader.rows(
            """SELECT g.seq, g.task_id, g.step, g.parent_attempt_id, g.round, g.policy_version,
              a.id AS attempt, a.idx, a.reward, a.category, a.infra_error
            FROM groups g JOIN attempts a ON a.group_id = g.id
            WHERE g.seq > ? AND g.purpose = 'collect' ORDER BY g.seq, a.idx""",
            [self._caught_up],
        )
        for row in reader.rows(
            """SELECT id, origin, domain, topics_json, status, round, parent_id FROM tasks
            WHERE split = 'train' ORDER BY seq"""
        ):
            topics = tuple(from_json(row.pop("topics_json")))
            self._task(**row, topics=topics)
        played = 0
        for seq, rows in groupby(found, key=lambda row: row["seq"]):
            answers = list(rows)
            names = ("task_id", "step", "parent_attempt_id", "round", "policy_version")
            self._group(
                **{name: answers[0][name] for name in names},
                answers=[
                    (row["attempt"], row["idx"], row["reward"], row["category"], row["infra_error"])
                    for row in answers
                ],
            )
            self._caught_up = seq
            played += 1
        return played

    def add_task(self, task: Task, round: int = 0, status: str = "active") -> None:
        """Add a task, or give a known one its new status. A held-out one changes nothing."""
        if task.split is not Split.TRAIN:
            return
        self._task(
            id=task.id,
            origin=task.origin.value,
            domain=task.domain,
            topics=task.topics,
            status=status,
            round=round,
            parent_id=task.parent_id,
        )

    def add_group(self, group: Group, verdicts: Sequence[Verdict]) -> None:
        """Add a judged group. A known one, and one of an evaluation, changes nothing.

        Raises:
            KeyError: its task, or the attempt that it revises, is not in the space.
        """
        if group.purpose is not Purpose.COLLECT:
            return
        self._group(
            task_id=group.start.task_id,
            step=group.start.step.value,
            parent_attempt_id=group.start.parent_attempt_id,
            round=group.round,
            policy_version=group.policy_version,
            answers=[
                (attempt.id, attempt.index, verdict.reward, verdict.category, verdict.infra_error)
                for attempt, verdict in zip(group.attempts, verdicts)
            ],
        )

    def _task(self, id: str, parent_id: str | None, **attributes: Any) -> None:
        if id in self.graph:
            self.graph.nodes[id]["status"] = attributes["status"]
            return
        parent = self.graph.nodes[parent_id] if parent_id in self.graph else None
        self.graph.add_node(
            id,
            kind="task",
            **attributes,
            depth=0 if parent is None else parent["depth"] + 1,
            attempts=0,
            verified=0,
            infra_errors=0,
            solve_rate=None,
            visits=[],
        )
        if parent is not None:
            self.graph.add_edge(parent_id, id, kind="proposed")
        self._layout.add_task(id, attributes["topics"][0] if attributes["topics"] else "")

    def _group(
        self,
        task_id: str,
        step: str,
        parent_attempt_id: str | None,
        round: int,
        policy_version: int,
        answers: "Sequence[_Answer]",
    ) -> None:
        if any(answer[0] in self.graph for answer in answers):
            return
        origin = task_id if parent_attempt_id is None else parent_attempt_id
        start, task = self.graph.nodes[origin], self.graph.nodes[task_id]
        depth = 0 if parent_attempt_id is None else start["depth"] + 1
        for attempt_id, index, reward, category, infra_error in answers:
            self.graph.add_node(
                attempt_id,
                kind="attempt",
                task=task_id,
                step=step,
                round=round,
                policy_version=policy_version,
                reward=reward,
                category=category,
                depth=depth,
                index=index,
                visits=[],
            )
            self.graph.add_edge(origin, attempt_id, kind=step)
            self._layout.add_attempt(attempt_id, task_id)
            task["infra_errors"] += infra_error is not None
        rewards = [reward for _, _, reward, _, _ in answers if reward is not None]
        task["attempts"] += len(rewards)
        task["verified"] += sum(reward >= 1.0 for reward in rewards)
        task["solve_rate"] = task["verified"] / task["attempts"] if task["attempts"] else None
        mean = sum(rewards) / len(rewards) if rewards else None
        worth = learnability(rewards) if rewards else None
        start["visits"].append((round, policy_version, mean, worth))

    # --- questions ---

    def lineage(self, attempt_id: str) -> list[str]:
        """The way to an attempt: from its task's oldest ancestor over tasks and attempts to itself.

        Raises:
            KeyError: it is not in the space.
        """
        way = [attempt_id]
        if attempt_id not in self.graph:
            raise KeyError(attempt_id)
        while origins := list(self.graph.predecessors(way[-1])):
            way.append(origins[0])  # every node has at most one origin
        return way[::-1]

    def descendants(self, node_id: str) -> list[str]:
        """Everything that came from a node, nearest first; without itself.

        Raises:
            KeyError: it is not in the space.
        """
        if node_id not in self.graph:
            raise KeyError(node_id)
        return [found for _, found in nx.bfs_edges(self.graph, node_id)]

    def growth(self) -> list[dict[str, Any]]:
        """By round, in order: tasks and attempts so far, attempts by step, depths of that round.

        Rejected tasks do not count. `depth_mean` and `depth_max` are over the round's attempts; 0 without.
        """
        found: dict[int, dict[str, Any]] = {}
        for _, node in self.nodes():
            row = found.setdefault(
                node["round"], {"tasks": 0, "depths": [], **{step.value: 0 for step in Step}}
            )
            if node["kind"] == "attempt":
                row[node["step"]] += 1
                row["depths"].append(node["depth"])
            elif node["status"] != "rejected":
                row["tasks"] += 1
        tasks = attempts = 0
        curve = []
        for round in sorted(found):
            row = found[round]
            depths = row.pop("depths")
            tasks += row.pop("tasks")
            attempts += len(depths)
            curve.append(
                {
                    "round": round,
                    "tasks": tasks,
                    "attempts": attempts,
                    **row,
                    "depth_mean": sum(depths) / len(depths) if depths else 0.0,
                    "depth_max": max(depths, default=0),
                }
            )
        return curve

    def nodes(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """Ids with their attributes, in order of admission within tasks and within attempts."""
        return self.graph.nodes(data=True)

    def layout(self) -> dict[str, Position]:
        """A place (x, y) for every node, in task spacings. Places never change; new nodes get new ones."""
        return self._layout.positions


_Answer = tuple[Any, ...]  # attempt id, index, reward, category, infra error
