"""The documentation names what there is, and what it names is there."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from command import ROOT

from experiments import cli, config

DOCS = sorted((ROOT / "docs").glob("*.md"))
README = ROOT / "README.md"
PACKAGES = ("actors", "protocols", "memory", "ui", "experiments")


def text_of_docs() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in [README, *DOCS])


def shell_lines(text: str) -> list[str]:
    """Lines of fenced shell blocks, comments and prompts taken away."""
    blocks = re.findall(r"```(?:sh|bash|shell|console)\n(.*?)```", text, re.DOTALL)
    lines = [
        line.split(" #")[0].strip().removeprefix("$ ") for block in blocks for line in block.splitlines()
    ]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_is_in_the_docs(name: str) -> None:
    assert f"taskspace {name}" in text_of_docs()


def test_every_command_in_the_docs_is_there_with_its_options() -> None:
    group = typer.main.get_command(cli.app)
    seen = 0
    for path in [README, *DOCS]:
        for line in shell_lines(path.read_text(encoding="utf-8")):
            words = shlex.split(line)
            if words[0] != "taskspace":
                continue
            command = group.commands.get(words[1])  # type: ignore[attr-defined]
            assert command is not None, f"{path.name}: {line}"
            known = {opt for p in command.params for opt in [*p.opts, *getattr(p, "secondary_opts", [])]}
            for word in words[2:]:
                if word.startswith("--"):
                    assert word.split("=")[0] in known | {"--help"}, f"{path.name}: {line}"
            seen += 1
    assert seen >= 5


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_target_in_the_docs_is_there() -> None:
    targets = make_targets()
    for path in [README, *DOCS]:
        for line in shell_lines(path.read_text(encoding="utf-8")):
            if line.startswith("make "):
                assert line.split()[1] in targets, f"{path.name}: {line}"


def test_hosted_jobs_do_what_the_script_of_the_checkout_does() -> None:
    """Each line of .ci/run is a step of a job; the tests of its one call are spread over two."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    steps = {step["run"] for job in jobs.values() for step in job["steps"] if "run" in step}
    script = (ROOT / ".ci/run").read_text().splitlines()
    lines = [line.split("  #")[0] for line in script if line.startswith(("make ", ".ci/"))]
    assert lines[-1] == "make test ARGS='-m \"slow or not slow\" --durations=10'"
    assert steps == {*lines[:-1], "make test ARGS=--durations=10", "make test-slow ARGS=--durations=10"}
    assert {step.split()[1] for step in steps if step.startswith("make ")} <= make_targets()
    assert (ROOT / ".ci/packages").stat().st_mode & 0o111


def test_every_setting_in_the_docs_is_there() -> None:
    known = {key for key, _ in config.keys()}  # noqa: SIM118  (a function, not a dictionary)
    for path in [README, *DOCS]:
        for key in re.findall(r"--set ([a-z_.]+)=", path.read_text(encoding="utf-8")):
            assert key in known, f"{path.name}: --set {key}"


def test_an_installed_package_holds_all_of_its_files() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("actors", "protocols", "memory", "ui", "experiments"):
        folder = ROOT / package
        held = {path for pattern in about.get(package, []) for path in folder.glob(pattern)}
        files = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        assert files <= held, f"{package}: not in pyproject.toml's package-data: {sorted(files - held)}"


def test_the_first_screen_has_exactly_the_two_commands() -> None:
    first = README.read_text(encoding="utf-8").split("\n## ")[0]
    assert shell_lines(first) == ["make quickstart", "make test"]


def test_every_setting_has_a_docstring() -> None:
    missing = [key for key, field in config.keys() if not field.description]  # noqa: SIM118
    assert missing == []


@pytest.mark.parametrize("path", [README, *DOCS], ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
    for named in re.findall(r"`((?:actors|protocols|memory|ui|experiments|tests|docs)/[\w./-]*)`", text):
        assert (ROOT / named).exists(), f"{path.name}: {named}"


def test_every_module_says_what_it_does() -> None:
    silent = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
                silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_every_fault_that_is_known_has_its_test() -> None:
    rows = re.findall(r"^\| (?!kind|-)(.+) \|$", (ROOT / "docs" / "known-faults.md").read_text(), re.M)
    assert len(rows) > 15
    for row in rows:
        *_, source, test = (cell.strip() for cell in row.split(" | "))
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", one) for one in source.split(", ")), row
        file, _, name = test.strip("`").partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), row
