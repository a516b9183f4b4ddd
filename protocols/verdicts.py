"""The words for how programs end and how attempts are judged."""

from collections.abc import Mapping

#: How a program can end in the sandbox (`records.Outcome.status`), each with its meaning.
STATUSES = {
    "ok": "every case was called; single cases may hold exceptions",
    "syntax_error": "the source does not compile",
    "malformed": "the entry point is not defined, or is not callable with the cases' arguments",
    "forbidden_import": "the program tried to import a module that the sandbox does not offer",
    "runtime_error": "the program failed outside the cases: at its top level, or by leaving early",
    "timeout": "the deadline passed",
    "memory": "the memory limit was reached",
    "output_limit": "it printed, or returned, more than the limit",
    "invented_attribute": "it called more names that the library does not have than it may",
    "too_many_functions": "it called more functions of the library than it may",
    "broke_sandbox": "two helpers of the sandbox ended while they ran it",
    "infra_error": "the sandbox itself failed; says nothing about the program",
}

#: Categories of verdicts (`records.Verdict.category`). The strict grader rewards `correct` with 1, all else
#: with 0; the mle domain rewards `scored` with a share of 1.
CATEGORIES = {
    "correct": "every hidden case matches, and the library did the work",
    "wrong_answer": "a case differs from the truth",
    "no_library_call": "a case was answered without the library, or its answer does not depend on it",
    "wrong_function": "a case was answered by other functions of the library than those the task is about",
    "unproven": "right, but no run on other results of the library came to its end to show that it depends",
    "invented_attribute": STATUSES["invented_attribute"],
    "too_many_functions": STATUSES["too_many_functions"],
    "broke_sandbox": STATUSES["broke_sandbox"],
    "forbidden_import": STATUSES["forbidden_import"],
    "syntax_error": STATUSES["syntax_error"],
    "runtime_error": "an exception escaped, or the program left early",
    "timeout": STATUSES["timeout"],
    "memory": STATUSES["memory"],
    "output_limit": STATUSES["output_limit"],
    "malformed": "no code, no entry point, wrong parameters, or a result that is not plain data",
    "unreferenced": "the task has no reference answer yet (before consensus)",
    "no_room": "the prompt fills the model's context: nothing was answered, and there is no reward",
    "infra_error": STATUSES["infra_error"],
    "right": "a final answer that equals the truth",
    "wrong": "a final answer that does not; a scorer may give it a part",
    "not_computed": "a final answer that leaves something to compute, where the truth is a number",
    "scored": "the submission is valid and has a score",
    "no_code": "the answer holds no fenced code",
    "no_submission": "the script ended without a submission",
    "bad_submission": "the submission has other rows, columns or values than it should",
}

NO_ROOM = "no_room"
"""Of an attempt whose prompt fills the model's context: there is no answer, so no verdict and no reward; the
sandbox did not fail, and it is no infrastructure error."""


def not_measured(attempts: int, categories: Mapping[str, int], infra_errors: int) -> str:
    """Why an evaluation has no accuracy: nothing in it was judged."""
    room = categories.get(NO_ROOM, 0)
    counted = [f"{room} prompts without room in the model's context"] if room else []
    counted += [f"{infra_errors} infrastructure errors"] if infra_errors else []
    why = f" ({', '.join(counted)})" if counted else ""
    return f"not measured: none of {attempts} attempts was judged{why}"


def errors_as_wrong(
    accuracy: float | None, attempts: int, categories: Mapping[str, int], infra_errors: int
) -> float | None:
    """Accuracy over all attempts that had room, those without a verdict counted as wrong; None where nothing
    was measured. It is the lower bound of what the accuracy over judged attempts can hide."""
    asked = attempts - categories.get(NO_ROOM, 0)
    return None if accuracy is None or not asked else accuracy * (asked - infra_errors) / asked


def errors_told(
    accuracy: float | None, attempts: int, categories: Mapping[str, int], infra_errors: int
) -> str:
    """To be said behind an accuracy; "" where every attempt has a verdict."""
    share = errors_as_wrong(accuracy, attempts, categories, infra_errors) if infra_errors else None
    return (
        "" if share is None else f", {infra_errors} without a verdict; {percent(share)} with those as wrong"
    )


def percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.1f} %"
