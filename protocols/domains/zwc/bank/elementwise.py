"""One list to a list of the same length, each entry by itself: arithmetic, rounding, trigonometry, tests."""

from protocols.domains.zwc.bank.recipe import Recipe, each, row


def turned(name: str, inputs: str, how: str, least: int = 0, **more: str) -> Recipe:
    """A recipe for entries that are changed: `how` follows the noun ("rounded down")."""
    train, test = [], []
    for words in how.split(";"):
        words = words.strip()
        train += [f"each of {{them}} {words}", f"the list of {{them}}, every one {words}"]
        train += [f"{{them}}, each one {words}"]
        test += [f"all of {{them}} {words}", f"{{them}}, one by one {words}"]
    return row(name, inputs, ";".join(train), ";".join(test), least=least, **more)


def whether(name: str, inputs: str, what: str, least: int = 0) -> Recipe:
    """A recipe for a test of each entry: `what` follows the noun ("is not a number")."""
    return row(
        name,
        inputs,
        f"whether each of {{them}} {what}; for every one of {{them}} whether it {what}",
        f"for each of {{them}}, true if it {what} and false if not;"
        f"a list that tells of each of {{them}} if it {what}",
        least=least,
    )


RECIPES = [
    each("sqrt", "positives", "square root", least=0),
    each("square", "reals", "square", least=0),
    each("sign", "sparse", "sign (-1, 0 or 1)", least=0),
    each("absolute", "reals", "absolute value; distance from zero", least=0),
    each("negative", "reals", "opposite (sign flipped)", least=0),
    each("reciprocal", "nonzero", "reciprocal (1 divided by it)"),
    each("exp", "small", "exponential (e to its power)", least=0),
    each("log", "positives", "natural logarithm", least=0),
    each("log2", "positives", "base-2 logarithm", least=0),
    each("log10", "positives", "base-10 logarithm", least=0),
    each("cbrt", "reals", "cube root", least=0),
    each("sin", "radians", "sine", least=0),
    each("cos", "radians", "cosine", least=0),
    each("tan", "radians", "tangent", least=0),
    each("arcsin", "units", "arc sine; inverse sine", least=0),
    each("arccos", "units", "arc cosine; inverse cosine", least=0),
    each("arctan", "small", "arc tangent; inverse tangent", least=0),
    each("sinh", "small", "hyperbolic sine", least=0),
    each("cosh", "small", "hyperbolic cosine", least=0),
    each("tanh", "small", "hyperbolic tangent", least=0),
    each("bitwise_count", "bits", "number of one bits in binary"),
    row(
        "exp2",
        "small",
        "2 raised to the power of each of {them}; the powers of two with {them} as exponents",
        "for each of {them} the power of two with that exponent",
        least=0,
    ),
    row(
        "expm1",
        "small",
        "e to the power of each of {them}, minus 1; the exponential of each of {them}, less 1",
        "for each of {them} its exponential reduced by 1",
        least=0,
    ),
    row(
        "log1p",
        "positives",
        "the natural logarithm of 1 plus each of {them}; the logarithm of each of {them} after adding 1",
        "for each of {them} the natural logarithm of 1 more",
        least=0,
    ),
    *(
        row(
            name,
            "tables",
            f"the {noun} of every entry of `{{x}}`; `{{x}}` with the {noun} in place of each entry; "
            f"for each cell of `{{x}}` its {noun}",
            f"the {noun} for all cells of `{{x}}`",
        )
        for name, noun in (
            ("square", "square"),
            ("absolute", "absolute value"),
            ("negative", "opposite (sign flipped)"),
            ("sign", "sign (-1, 0 or 1)"),
            ("cbrt", "cube root"),
        )
    ),
    turned("floor", "decimals", "rounded down to a whole number"),
    turned("ceil", "decimals", "rounded up to a whole number"),
    turned("rint", "decimals", "rounded to the nearest whole number"),
    turned("trunc", "decimals", "cut off after the decimal point; rounded towards zero"),
    turned("round", "decimals k=digits", "rounded to `{k}` decimals", extra="a number of decimals `{k}`"),
    turned("deg2rad", "degrees", "converted from degrees to radians"),
    turned("rad2deg", "radians", "converted from radians to degrees"),
    turned("invert", "bits", "with all its bits flipped, so that 5 gives -6", least=1),
    turned("logical_not", "flags", "turned into its opposite, true into false"),
    turned("nan_to_num", "gaps", "kept, or 0 where it is missing (NaN)"),
    turned(
        "clip",
        "reals low=low high=high",
        "limited to the interval from `{low}` to `{high}`; raised to `{low}` or cut to `{high}` if outside",
        extra="two limits `{low}` and `{high}`",
    ),
    turned(
        "heaviside",
        "sparse v=half",
        "replaced by 0 if negative, 1 if positive and `{v}` if zero",
        extra="a number `{v}`",
    ),
    turned(
        "left_shift",
        "bits k=times",
        "shifted left by `{k}` bits; with its binary digits moved `{k}` places to the left",
        extra="a number of bits `{k}`",
        least=1,
    ),
    turned(
        "right_shift",
        "bits k=times",
        "shifted right by `{k}` bits; with its binary digits moved `{k}` places to the right",
        extra="a number of bits `{k}`",
        least=1,
    ),
    whether("isnan", "broken", "is missing (NaN)"),
    whether("isinf", "broken", "is infinite"),
    whether("isfinite", "broken", "is an ordinary number, not NaN or infinite"),
    whether("signbit", "reals", "carries a minus sign"),
    whether("signbit", "small", "is written with a minus"),
    row(
        "isin",
        "counts s=some",
        "whether each of {them} occurs in `{s}`; for every one of {them} whether it is a member of `{s}`",
        "which of {them} are found in `{s}`, as true or false; for each of {them} if `{s}` contains it",
        extra="a list `{s}`",
        least=0,
    ),
    row(
        "digitize",
        "reals b=edges",
        "for each of {them} the number of the bin it falls into, with increasing bin edges `{b}`; "
        "the bin index of each of {them} between the edges `{b}`",
        "the bin of every one of {them}, as its number among the edges `{b}`; "
        "how many of the edges `{b}` each of {them} has reached",
        extra="bin edges `{b}`",
        least=0,
    ),
    row(
        "modf",
        "decimals",
        "the fractional parts and the whole parts of {them}, as two lists; "
        "{them} split into what is after and what is before the decimal point",
        "two lists, the fractions and the whole parts of {them}; the part after the point and the part "
        "before it for {them}",
    ),
]
