"""Steps on numbers, lists of numbers and tables, and the table of all steps."""

from protocols.domains.zwc.bank.other_steps import OTHER_STEPS
from protocols.domains.zwc.bank.stages import MAPS, REDUCTIONS
from protocols.domains.zwc.bank.step import BLOCK, NUMBER, NUMBERS, SAME, TABLE, Step

_MANY = (NUMBERS, TABLE, BLOCK)
_ANY = (NUMBER, *_MANY)
#: Stages that mean the same on tables, entry by entry.
_ENTRYWISE = ("sqrt", "square", "absolute", "sign", "floor", "ceil", "trunc", "log", "log2", "log10", "exp")
#: Stages that mean the same on tables, over all entries.
_OVERALL = ("mean", "sum", "prod", "max", "min", "ptp", "std", "var", "count_nonzero")

STEPS: tuple[Step, ...] = (
    *(Step(s.name, (NUMBERS,), NUMBERS, s.train, s.test) for s in MAPS.values()),
    *(Step(n, (TABLE, BLOCK), SAME, MAPS[n].train, MAPS[n].test) for n in _ENTRYWISE),
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
    Step("negative", _ANY, SAME, "the opposite (sign flipped) of {0}", "the value of opposite sign to {0}"),
    Step(
        "log1p",
        _ANY,
        SAME,
        "the natural logarithm of one more than {0}",
        "the base-e logarithm of 1 plus {0}",
    ),
    Step("rint", _ANY, SAME, "the nearest whole number to {0}", "the closest whole number to {0}"),
    Step("arctan", _ANY, SAME, "the arc tangent of {0}", "the angle whose tangent is {0}"),
    Step("tanh", _ANY, SAME, "the hyperbolic tangent of {0}", "the tangent (hyperbolic) of {0}"),
    Step("sin", _ANY, SAME, "the sine (in radians) of {0}", "the radian sine of {0}"),
    Step("cos", _ANY, SAME, "the cosine (in radians) of {0}", "the radian cosine of {0}"),
    Step(
        "add",
        _ANY,
        SAME,
        "the sum of `{amount}` and {0}",
        "what adding `{amount}` makes of {0}",
        "{0}, {amount}",
        (("amount", "number"),),
        "an amount `{amount}`",
    ),
    Step(
        "subtract",
        _ANY,
        SAME,
        "the difference after taking `{amount}` from {0}",
        "what subtracting `{amount}` makes of {0}",
        "{0}, {amount}",
        (("amount", "number"),),
        "an amount `{amount}`",
    ),
    Step(
        "multiply",
        _ANY,
        SAME,
        "the product of `{factor}` and {0}",
        "what scaling by `{factor}` makes of {0}",
        "{0}, {factor}",
        (("factor", "step"),),
        "a factor `{factor}`",
    ),
    Step(
        "divide",
        _ANY,
        SAME,
        "the quotient by `{divisor}` of {0}",
        "what dividing by `{divisor}` makes of {0}",
        "{0}, {divisor}",
        (("divisor", "step"),),
        "a divisor `{divisor}`",
    ),
    Step(
        "mod",
        _ANY,
        SAME,
        "the never negative remainder by `{divisor}` of {0}",
        "the value modulo `{divisor}` of {0}",
        "{0}, {divisor}",
        (("divisor", "stride"),),
        "a divisor `{divisor}`",
    ),
    Step(
        "maximum",
        _ANY,
        SAME,
        "the version raised to at least `{limit}` of {0}",
        "what a lower limit of `{limit}` makes of {0}",
        "{0}, {limit}",
        (("limit", "small"),),
        "a limit `{limit}`",
    ),
    Step(
        "minimum",
        _ANY,
        SAME,
        "the version cut to at most `{limit}` of {0}",
        "what an upper limit of `{limit}` makes of {0}",
        "{0}, {limit}",
        (("limit", "high_enough"),),
        "a limit `{limit}`",
    ),
    Step(
        "clip",
        _ANY,
        SAME,
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
        "the quantile at `{level}` of {0}",
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
    *OTHER_STEPS,
)
