"""Docstrings of the real library (numpydoc or plain) taken apart and rewritten without original names.

A sentence that needs something the package does not have (a function that is not offered, a method of
arrays, a formula in LaTeX, a citation) is left out: what remains is true of the package. Does not cover:
examples (`examples`).
"""

import re
import textwrap
from collections.abc import Collection
from dataclasses import dataclass, field

from protocols.domains.zwc.scrub import Scrubber

_SECTION = re.compile(r"^(?P<title>[A-Z][\w ]*)\n-{3,}[ \t]*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^(?P<indent>[ \t]*)\.\. (?P<kind>[\w-]+)::[^\n]*\n?", re.MULTILINE)
_ROLE = re.compile(r":(?P<role>[\w:]+):`(?P<body>[^`]*)`")
_LIST = re.compile(r"[ \t*+|=-]|\d+\. |$")  # lines that stand for themselves
_KEPT_DIRECTIVES = ("note", "warning", "tip")
_KEPT_SECTIONS = ("Parameters", "Other Parameters", "Returns", "Yields", "Raises", "Notes")


@dataclass
class Docstring:
    """A docstring in parts. `sections` excludes the examples."""

    summary: str
    extended: str = ""
    sections: dict[str, str] = field(default_factory=dict)
    examples: str = ""


def parse(text: str) -> Docstring:
    """Take a cleaned (`inspect.getdoc`) docstring apart."""
    found = list(_SECTION.finditer(text))
    head = text[: found[0].start()] if found else text
    sections = {}
    for this, after in zip(found, [*found[1:], None], strict=False):
        sections[this["title"].strip()] = text[this.end() : after.start() if after else None].strip("\n")
    examples = sections.pop("Examples", "")
    if not found and ">>>" in head:  # no sections: examples are wherever prompts are
        first = head.index(">>>")
        start = head.rfind("\n\n", 0, first)
        head, examples = head[: max(start, 0)] or head[:first], head[max(start, 0) :]
    paragraphs = [p for p in re.split(r"\n\s*\n", _without_directives(head)) if p.strip()]
    paragraphs = [p for p in paragraphs if not re.match(r"\s*[\w.]+\(.*\)(\s*->.*)?\s*$", p, re.DOTALL)]
    if paragraphs and re.match(r"\s*\w+\(.*?\)( -> [^\n]*)?\n", paragraphs[0], re.DOTALL):
        paragraphs[0] = paragraphs[0].partition("\n")[2]
    summary = " ".join(paragraphs[0].split()) if paragraphs else ""
    return Docstring(summary, "\n\n".join(paragraphs[1:]), sections, examples)


def summary_sentence(doc: Docstring, scrub: Scrubber, keep: Collection[str]) -> str:
    """The first sentence of the summary, rewritten."""
    sentence = _sentences(_plain_roles(doc.summary))[:1]
    return scrub(sentence[0].replace("``", "`"), keep).rstrip(":.") + "." if sentence else ""


def prose(text: str, scrub: Scrubber, keep: Collection[str]) -> str:
    """Paragraphs rewritten sentence by sentence; lists and indented blocks by paragraph."""
    done: list[str] = []
    for paragraph in re.split(r"\n\s*\n", _without_directives(text)):
        if not paragraph.strip() or ">>>" in paragraph:  # only examples that were run are shown
            continue
        literal = bool(done) and done[-1].endswith("::") and paragraph.lstrip("\n")[:1] in (" ", "\t")
        indent = re.match(r"[ \t]*", paragraph.lstrip("\n"))[0]  # type: ignore[index]
        lines = paragraph.strip("\n").splitlines()
        if literal or any(not line.startswith(indent) or _LIST.match(line, len(indent)) for line in lines):
            text_ = _plain_roles(paragraph.strip("\n"))
            if not _unusable(text_, scrub, keep):
                done.append(scrub(text_, keep))
            elif literal:
                done.pop()  # what announced it
            continue
        kept = [
            scrub(s, keep)
            for s in _sentences(_plain_roles(" ".join(line.strip() for line in lines)))
            if not _unusable(s, scrub, keep)
        ]
        if kept:
            done.append(
                textwrap.fill(
                    " ".join(kept),
                    width=88,
                    initial_indent=indent,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
    if done and done[-1].endswith("::"):
        done.pop()
    return "\n\n".join(done)


def fields(text: str, scrub: Scrubber, keep: Collection[str]) -> str:
    """A section of `name : type` entries with indented descriptions (Parameters, Returns, Raises)."""
    done = []
    for entry in re.split(r"\n(?=\S)", _without_directives(text).strip("\n")):
        header, _, body = entry.partition("\n")
        names, colon, kind = header.partition(" : ")
        if not colon:
            names, kind = "", header
        kind = _plain_roles(kind)
        kind = scrub(kind, keep) if not _unusable(kind, scrub, keep) else "see below"
        described = prose(textwrap.dedent(body), scrub, keep) if body.strip() else ""
        if header.startswith("**") and not described:
            continue
        if names in scrub.public and names not in keep:  # a result named like its function
            names = "out"
        done.append(names + colon + kind + ("\n" + textwrap.indent(described, "    ") if described else ""))
    return "\n".join(done)


def see_also(text: str, scrub: Scrubber) -> str:
    """Only the entries that the package has."""
    done = []
    for entry in re.split(r"\n(?=\S)", _without_directives(text).strip("\n")):
        names, _, description = " ".join(_plain_roles(entry).split()).partition(" : ")
        known = [
            scrub.public[plain]
            for name in names.split(",")
            if (plain := re.sub(rf"^{scrub.root}\.", "", name.strip(" `"))) in scrub.public
        ]
        if not known:
            continue
        usable = description and not _unusable(description, scrub)
        done.append(", ".join(known) + (f" : {scrub(description)}" if usable else ""))
    return "\n".join(done)


def rewritten_sections(doc: Docstring, scrub: Scrubber, keep: Collection[str]) -> dict[str, str]:
    """The sections worth keeping, rewritten, in order."""
    made = {}
    for title in _KEPT_SECTIONS:
        if title in doc.sections:
            rewrite = prose if title == "Notes" else fields
            made[title] = rewrite(doc.sections[title], scrub, keep)
    if "See Also" in doc.sections:
        made["See Also"] = see_also(doc.sections["See Also"], scrub)
    return {title: body for title, body in made.items() if body.strip()}


def _sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.:!?])\s+(?=[A-Z`*(])", " ".join(text.split()))
    joined: list[str] = []
    for part in parts:  # "e.g. The" and "i.e. X" do not end a sentence
        if joined and re.search(r"\b(e\.g|i\.e|cf|etc|vs|Eq|Fig)\.$", joined[-1]):
            joined[-1] += " " + part
        else:
            joined.append(part)
    return [p for p in joined if p]


_UNUSABLE = re.compile(
    r"\\[a-zA-Z]|\[\d+\]_|\[[A-Z]\w*\d*\]_|https?://|`__?\b|:\w+:`|\b__\w+__\b"
    r"|sub-?class|numpy[a-z]|array_function|exceptions\.|MaskedArray|matrix object|Array.API"
    r"|[Vv]ersion \d|deprecated in|MATLAB|Matlab"
)


def _unusable(text: str, scrub: Scrubber, keep: Collection[str] = ()) -> bool:
    """Formulas, citations, links, and what the package does not have."""
    return bool(_UNUSABLE.search(text)) or scrub.mentions_unknown(text, keep)


def _plain_roles(text: str) -> str:
    """`:func:`name`` and its kin as `` `name` ``; roles of other documents stay, and end their sentence."""

    def plain(match: re.Match[str]) -> str:
        body = match["body"].lstrip("~.")
        if match["role"] in ("math", "func", "meth", "class", "attr", "mod", "obj", "data", "exc", "term"):
            return f"`{body}`" if "<" not in body else match[0]
        return match[0]

    return re.sub(r"`[~.]+(?=\w)", "`", _ROLE.sub(plain, text))


def _without_directives(text: str) -> str:
    """Drop directives (versions, plots, formulas, links) with their indented bodies; keep notes' bodies."""
    text = re.sub(r"^[ \t]*\.\. (_[^\n]*|\[[^\n]*)\n?", "", text, flags=re.MULTILINE)
    while match := _DIRECTIVE.search(text):
        indent = len(match["indent"].expandtabs())
        rest = text[match.end() :].splitlines(keepends=True)
        count = 0
        for line in rest:
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            count += 1
        body = "".join(rest[:count]) if match["kind"] in _KEPT_DIRECTIVES else "\n"
        if match["kind"] in _KEPT_DIRECTIVES:
            body = textwrap.indent(textwrap.dedent(body), match["indent"])
        text = text[: match.start()] + body + "".join(rest[count:])
    return text
