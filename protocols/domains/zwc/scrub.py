"""Takes original names out of texts: in code positions always, in prose where they are unmistakable.

Prose keeps ordinary words: "the mean along an axis" is English, `mean(a)`, 'mean', np.mean and mean.at are
code, and "argsort" is no English in any position. Standard library only.
"""

import re
from collections.abc import Collection, Mapping

_ENGLISH = """
absolute add all any append array average ceil choose clip compress copy correlate cos cross degrees delete
diagonal diff digitize divide dot e equal exp extract factorial fill fix flip floor full gradient greater
histogram identity inner insert inv inverse invert less log max maximum mean median min minimum mod mode
modf multiply negative norm outer pad partition percentile pi place poly positive power prod product put
quantile rank ravel real reciprocal remainder repeat require reshape resize roll rotate round select shape
sign sin size solve sort split square stack std subtract sum take tan tile trace transpose trim union unique
var variance where correlation covariance fabs comb dist fsum pow degrees radians perm tri
zeros ones roots conjugate piecewise empty block around squeeze spacing split nonzero trapezoid
"""
#: Original names that are ordinary words, parameters or mathematics too: bare in prose they stay.
WORDS = frozenset(_ENGLISH.split())


class Scrubber:
    """Rewrites texts for one library.

    `entries` maps original to obfuscated dotted names; `others` are functions of the real module that the
    library does not offer.
    """

    def __init__(
        self, package: str, module: str, entries: Mapping[str, str], others: Collection[str] = ()
    ) -> None:
        self.package = package
        self.array = f"{package.upper()}Array"
        self._names = re.compile(rf"\b{re.escape(package)}\.(?:{_alternatives(entries.values())})\b")
        self.public = {name: f"{package}.{public}" for name, public in entries.items()}
        for name, public in entries.items():  # bare, a name of a namespace means its function too
            self.public.setdefault(name.rpartition(".")[2], f"{package}.{public}")
        names = _alternatives(self.public)
        self.root = rf"(?:{re.escape(module)}|np)"
        self._known = re.compile(
            rf"(?:(?P<root>\b{self.root}\.)|(?<![\w.]))(?P<name>{names})(?!\w)(?P<after>\((?!s\))|\.(?=\w)|['`\"])?"
        )
        self._dispatcher = re.compile(rf"\b_({names})_dispatcher\b")
        self._unknown = re.compile(rf"\b{self.root}\.[\w.]*\w")
        unknown = _alternatives(set(others) - set(self.public))
        self._other = re.compile(rf"(?<![\w.])(?:`{{1,2}}(?=\w+`)|(?=\w+\())({unknown})(?!\w)")
        either = rf"(?:{names}|{unknown})"
        self._method = re.compile(
            rf"(?<![\w.])(?!{re.escape(package)}\.)[a-z]\w*\.(?!shape\b|size\b|ndim\b){either}(?!\w)|\.{either}\("
        )
        self._module = re.compile(rf"(?i)\b{re.escape(module)}\b|\bnumpy\b|\bnp\b")

    def __call__(self, text: str, keep: Collection[str] = (), known: Collection[str] | None = None) -> str:
        """The text without original names. Quoted names of `keep` (parameters) stay.

        `known`, where given, are the only public names that it may hold.
        """
        text = self.known(text, keep)
        if known is not None:
            allowed = {f"{self.package}.{name}" for name in known}
            text = self._names.sub(
                lambda name: name[0] if name[0] in allowed else f"another function of {self.package}", text
            )
        text = self._unknown.sub(f"another function of {self.package}", text)
        text = re.sub(r"\b(\w+\.)?ndarray(s?)\b", rf"{self.array}\2", text)
        return self._module.sub(self.package, re.sub(rf"\b([Aa])n (?={self.array})", r"\1 ", text))

    def known(self, text: str, keep: Collection[str] = ()) -> str:
        """Only the names of this library replaced."""

        def replace(match: re.Match[str]) -> str:
            name, after = match["name"], match["after"] or ""
            before = text[match.start() - 1 : match.start()]
            quoted = after in ("'", "`", '"') and before == after and name not in keep
            called = after == "(" or after == "."
            if match["root"] or called or quoted or (name not in WORDS and name not in keep):
                return self.public[name] + after
            return match[0]

        text = re.sub(
            rf"\b(?:{self.root}\.)?(?:linalg\.)?LinAlgError\b", "ValueError", text
        )  # as programs see it
        return self._known.sub(replace, self._dispatcher.sub(r"\1", text))

    def mentions_unknown(self, text: str, keep: Collection[str] = ()) -> bool:
        """Does it speak of the real module, or of functions and methods that this library does not have?"""
        rest = re.sub(rf"\b(?:{self.root}\.)?ndarray(s?)\b(?!\.\w)", self.array, self.known(text, keep))
        if self._module.search(rest) or re.search(r"\bndarray\b", rest) or self._method.search(rest):
            return True
        return any(match[1] not in keep for match in self._other.finditer(rest))


def _alternatives(names: Collection[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=lambda n: (-len(n), n)))) or "(?!)"
