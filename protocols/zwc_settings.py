"""Settings of the zwc domain."""

from typing import Literal

from pydantic import Field

from protocols.section import Section


class ZwcSettings(Section):
    files: str = ""
    """SE-Bench's own files instead of our task bank: a folder with its rows and api_doc.jsonl, or its id."""
    grader: Literal["strict", "authors"] = "strict"
    """What judges the tasks of `files`: the strict grader, or the decisions of the published evaluation."""
    module: str = "numpy"
    """The real module behind the obfuscated package."""
    package: str = "zwc"
    """The name the package is imported by."""
    seed: int = Field(7, ge=0)
    """Seed of the identifiers and of the task bank."""
    functions: int = Field(16, ge=0)
    """How many functions tasks are about, spread over the bank's order; 0 = all."""
    names: tuple[str, ...] = ()
    """Original names to use instead of the first `functions` ones."""
    documentation: Literal["brief", "full"] = "brief"
    """Length of the documentation in open-book prompts."""
    demonstrations: int = Field(3, ge=0, le=16)
    """Worked examples (of functions that no task is about) in open-book prompts."""
    multi_demonstrations: int = Field(0, ge=0, le=16)
    """Worked examples that combine functions, besides, in open-book prompts of multi-function tasks."""
    tasks_per_function: int = Field(8, ge=1, le=1000)
    """Training tasks made for each function."""
    test_tasks_per_function: int = Field(4, ge=1, le=1000)
    """Held-out tasks made for each function."""
    multi_least: int = Field(2, ge=2, le=5)
    """Functions that a multi-function task composes at least; 2 = two or three of them."""
    unknown_names: int = Field(8, ge=0, le=1000)
    """Names that the package does not have which a program may call before it is ended: nobody finds a
    function by trying names."""
    distinct_functions: int = Field(16, ge=1, le=1000)
    """Different functions of the package that a program may call."""
    feedback: bool = False
    """Whoever improves an answer is told the error that its program ended in."""
    multi_share: float = Field(0.0, ge=0, le=1)
    """Share of multi-function tasks among training starts."""
