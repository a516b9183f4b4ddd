"""What can be done with a result, and the words for it: the steps of tasks that need three or more functions.

A step takes results of some forms and gives one form. {0} is the result in the words, and in the call; other
slots are parameters of the step's own (an amount, an axis, a limit). Words end in {0}, so that one can tell
what a step inside other steps is about.

Does not cover: what comes first, which is any recipe (`chains`).
"""

from dataclasses import dataclass

from protocols.domains.zwc.bank.stages import MAPS, REDUCTIONS
from protocols.records import Split

#: Forms of results: one number, a list of them, a table, more axes; one truth value, a list of them; one
#: complex number, a list of them; a text.
NUMBER, NUMBERS, TABLE, BLOCK = "number", "numbers", "table", "block"
TRUTH, TRUTHS, ONE_COMPLEX, COMPLEX, TEXT = "truth", "truths", "complex number", "complex numbers", "text"
_MANY = (NUMBERS, TABLE, BLOCK)
_ANY = (NUMBER, *_MANY)
_SAME = ""


@dataclass(frozen=True)
class Step:
    name: str  # original dotted name
    takes: tuple[str, ...]
    gives: str  # empty: the form that it took
    train: str
    test: str
    how: str = "{0}"  # arguments of the call
    own: tuple[tuple[str, str], ...] = ()  # parameters of its own: (name, generator in `values.OWN`)
    extra: str = ""  # words for them

    def phrase(self, split: Split) -> str:
        return self.train if split is Split.TRAIN else self.test

    def form(self, taken: str) -> str:
        return self.gives or taken


#: Stages that mean the same on tables, entry by entry.
_ENTRYWISE = ("sqrt", "square", "absolute", "sign", "floor", "ceil", "trunc", "log", "log2", "log10", "exp")
#: Stages that mean the same on tables, over all entries.
_OVERALL = ("mean", "sum", "prod", "max", "min", "ptp", "std", "var", "count_nonzero")

STEPS: tuple[Step, ...] = (
    *(Step(s.name, (NUMBERS,), NUMBERS, s.train, s.test) for s in MAPS.values()),
    *(Step(n, (TABLE, BLOCK), _SAME, MAPS[n].train, MAPS[n].test) for n in _ENTRYWISE),
    *(Step(s.name, (NUMBERS,), NUMBER, s.train, s.test) for s in REDUCTIONS.values()),
    *(Step(n, (TABLE, BLOCK), NUMBER, REDUCTIONS[n].train, REDUCTIONS[n].test) for n in _OVERALL),
    # of one number
    Step("square", (NUMBER,), NUMBER, "the square of {0}", "the second power of {0}"),
    Step("absolute", (NUMBER,), NUMBER, "the absolute value of {0}", "the size without sign of {0}"),
    Step("floor", (NUMBER,), NUMBER, "the rounded-down value of {0}", "the whole number just below {0}"),
    Step("ceil", (NUMBER,), NUMBER, "the rounded-up value of {0}", "the whole number just above {0}"),
    Step("cbrt", (NUMBER,), NUMBER, "the cube root of {0}", "the third root of {0}"),
    Step("sqrt", (NUMBER,), NUMBER, "the square root of {0}", "the root (square) of {0}"),
    # of a number or each of many
    Step("negative", _ANY, _SAME, "the opposite (sign flipped) of {0}", "the value of opposite sign to {0}"),
    Step(
        "log1p",
        _ANY,
        _SAME,
        "the natural logarithm of one more than {0}",
        "the base-e logarithm of 1 plus {0}",
    ),
    Step("rint", _ANY, _SAME, "the nearest whole number to {0}", "the closest whole number to {0}"),
    Step("arctan", _ANY, _SAME, "the arc tangent of {0}", "the angle whose tangent is {0}"),
    Step("tanh", _ANY, _SAME, "the hyperbolic tangent of {0}", "tanh of {0}"),
    Step("sin", _ANY, _SAME, "the sine (in radians) of {0}", "the radian sine of {0}"),
    Step("cos", _ANY, _SAME, "the cosine (in radians) of {0}", "the radian cosine of {0}"),
    Step(
        "add",
        _ANY,
        _SAME,
        "the sum of `{amount}` and {0}",
        "what adding `{amount}` makes of {0}",
        "{0}, {amount}",
        (("amount", "number"),),
        "an amount `{amount}`",
    ),
    Step(
        "subtract",
        _ANY,
        _SAME,
        "the difference after taking `{amount}` from {0}",
        "what subtracting `{amount}` makes of {0}",
        "{0}, {amount}",
        (("amount", "number"),),
        "an amount `{amount}`",
    ),
    Step(
        "multiply",
        _ANY,
        _SAME,
        "the product of `{factor}` and {0}",
        "what scaling by `{factor}` makes of {0}",
        "{0}, {factor}",
        (("factor", "step"),),
        "a factor `{factor}`",
    ),
    Step(
        "divide",
        _ANY,
        _SAME,
        "the quotient by `{divisor}` of {0}",
        "what dividing by `{divisor}` makes of {0}",
        "{0}, {divisor}",
        (("divisor", "step"),),
        "a divisor `{divisor}`",
    ),
    Step(
        "mod",
        _ANY,
        _SAME,
        "the never negative remainder by `{divisor}` of {0}",
        "the value modulo `{divisor}` of {0}",
        "{0}, {divisor}",
        (("divisor", "stride"),),
        "a divisor `{divisor}`",
    ),
    Step(
        "maximum",
        _ANY,
        _SAME,
        "the version raised to at least `{limit}` of {0}",
        "what a lower limit of `{limit}` makes of {0}",
        "{0}, {limit}",
        (("limit", "small"),),
        "a limit `{limit}`",
    ),
    Step(
        "minimum",
        _ANY,
        _SAME,
        "the version cut to at most `{limit}` of {0}",
        "what an upper limit of `{limit}` makes of {0}",
        "{0}, {limit}",
        (("limit", "high_enough"),),
        "a limit `{limit}`",
    ),
    Step(
        "clip",
        _ANY,
        _SAME,
        "the version limited to `{lowest}` up to `{highest}` of {0}",
        "what holding between `{lowest}` and `{highest}` makes of {0}",
        "{0}, {lowest}, {highest}",
        (("lowest", "low"), ("highest", "high")),
        "limits `{lowest}` and `{highest}`",
    ),
    # of a list, with a parameter
    Step(
        "roll",
        (NUMBERS,),
        NUMBERS,
        "the rotation by `{shift}` places of {0}",
        "the circular shift by `{shift}` of {0}",
        "{0}, {shift}",
        (("shift", "shift"),),
        "a shift `{shift}`",
    ),
    Step(
        "append",
        (NUMBERS,),
        NUMBERS,
        "the list extended at its end by `{entry}`, of {0}",
        "what appending `{entry}` makes of {0}",
        "{0}, {entry}",
        (("entry", "number"),),
        "an entry `{entry}`",
    ),
    Step(
        "percentile",
        (NUMBERS,),
        NUMBER,
        "the `{percent}`-th percentile of {0}",
        "the percentile number `{percent}` for {0}",
        "{0}, {percent}",
        (("percent", "percent"),),
        "a percentage `{percent}`",
    ),
    Step(
        "quantile",
        (NUMBERS,),
        NUMBER,
        "the quantile of {0} at `{level}`",
        "the `{level}` quantile for {0}",
        "{0}, {level}",
        (("level", "fraction"),),
        "a level `{level}`",
    ),
    # of a table
    Step("transpose", (TABLE,), TABLE, "the transpose of {0}", "the exchange of rows and columns in {0}"),
    Step("flipud", (TABLE,), TABLE, "the upside-down table of {0}", "the reversed order of rows in {0}"),
    Step(
        "fliplr", (TABLE,), TABLE, "the left-to-right mirror of {0}", "the reversed order of columns in {0}"
    ),
    Step("ravel", (TABLE, BLOCK), NUMBERS, "the flat list of {0}", "the one long list of {0}"),
    *(
        Step(
            name,
            (TABLE,),
            NUMBERS,
            f"the {noun} along axis `{{axis}}` of {{0}}",
            f"along axis `{{axis}}` the {noun} of {{0}}",
            "{0}, axis={axis}",
            (("axis", "axis"),),
            "an axis `{axis}`",
        )
        for name, noun in (
            ("sum", "totals"),
            ("mean", "averages"),
            ("max", "largest entries"),
            ("min", "smallest entries"),
            ("ptp", "ranges (largest minus smallest)"),
            ("median", "medians"),
            ("std", "population standard deviations"),
            ("argmax", "positions of the largest entries"),
            ("argmin", "positions of the smallest entries"),
        )
    ),
    *(
        Step(
            name,
            (TABLE,),
            TABLE,
            f"the {noun} along axis `{{axis}}` of {{0}}",
            f"along axis `{{axis}}` the {noun} of {{0}}",
            "{0}, axis={axis}",
            (("axis", "axis"),),
            "an axis `{axis}`",
        )
        for name, noun in (
            ("cumsum", "running totals"),
            ("sort", "sorted entries"),
            ("flip", "reversed entries"),
        )
    ),
    # of truth values
    Step(
        "logical_not", (TRUTH, TRUTHS), _SAME, "the opposite of {0}", "the exchange of true and false in {0}"
    ),
    Step("flip", (TRUTHS,), TRUTHS, "the reverse order of {0}", "the backward list of {0}"),
    Step("cumsum", (TRUTHS,), NUMBERS, "the running counts of true in {0}", "how many true so far in {0}"),
    Step(
        "flatnonzero", (TRUTHS,), NUMBERS, "the positions of true in {0}", "the places that hold true in {0}"
    ),
    Step("count_nonzero", (TRUTHS,), NUMBER, "the number of true values in {0}", "how many are true in {0}"),
    Step("mean", (TRUTHS,), NUMBER, "the share of true values in {0}", "which share is true in {0}"),
    Step(
        "argmax",
        (TRUTHS,),
        NUMBER,
        "the position of the first true in {0}",
        "the first place that is true in {0}",
    ),
    Step(
        "any",
        (TRUTHS,),
        TRUTH,
        "whether any is true in {0}",
        "true or false, by whether anything is true in {0}",
    ),
    Step(
        "all",
        (TRUTHS,),
        TRUTH,
        "whether all are true in {0}",
        "true or false, by whether everything is true in {0}",
    ),
    *(
        Step(
            "where",
            (taken,),
            given,
            f"the {noun} with `{{gain}}` for true and `{{loss}}` for false, by {{0}}",
            f"the {noun} `{{gain}}` (if true) or `{{loss}}` (if false), by {{0}}",
            "{0}, {gain}, {loss}",
            (("gain", "number"), ("loss", "number")),
            "numbers `{gain}` and `{loss}`",
        )
        for taken, given, noun in ((TRUTHS, NUMBERS, "list"), (TRUTH, NUMBER, "number"))
    ),
    # of complex numbers
    Step("absolute", (COMPLEX,), NUMBERS, "the absolute values of {0}", "the sizes of {0}"),
    Step("real", (COMPLEX,), NUMBERS, "the real parts of {0}", "what is real in {0}"),
    Step("imag", (COMPLEX,), NUMBERS, "the imaginary parts of {0}", "what is imaginary in {0}"),
    Step("absolute", (ONE_COMPLEX,), NUMBER, "the absolute value of {0}", "the size of {0}"),
    Step("real", (ONE_COMPLEX,), NUMBER, "the real part of {0}", "how much is real in {0}"),
    Step("imag", (ONE_COMPLEX,), NUMBER, "the imaginary part of {0}", "how much is imaginary in {0}"),
    Step("square", (COMPLEX,), COMPLEX, "the squares of {0}", "the squared values of {0}"),
    Step("cumsum", (COMPLEX,), COMPLEX, "the running totals of {0}", "the sums so far of {0}"),
    # to a text
    Step("array_str", (NUMBERS,), TEXT, "the printed text of {0}", "the string shown by printing {0}"),
    Step(
        "array2string",
        (NUMBERS,),
        TEXT,
        "the text, with `{mark}` between the entries, of {0}",
        "the string, parted by `{mark}`, of {0}",
        "{0}, separator={mark}",
        (("mark", "mark"),),
        "a separator `{mark}`",
    ),
    Step(
        "base_repr",
        (NUMBER,),
        TEXT,
        "the digits in base `{base}` of {0}",
        "the text to base `{base}` of {0}",
        "{0}, {base}",
        (("base", "base"),),
        "a base `{base}`",
    ),
    Step(
        "binary_repr",
        (NUMBER,),
        TEXT,
        "the `{digits}` binary digits of {0}",
        "the base-2 text in `{digits}` digits of {0}",
        "{0}, width={digits}",
        (("digits", "digit_count"),),
        "a number of digits `{digits}`",
    ),
)
