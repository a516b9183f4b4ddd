"""Steps on truth values and complex numbers, and steps that give a text."""

from protocols.domains.zwc.bank.step import (
    COMPLEX,
    NUMBER,
    NUMBERS,
    ONE_COMPLEX,
    SAME,
    TEXT,
    TRUTH,
    TRUTHS,
    Step,
)

OTHER_STEPS: tuple[Step, ...] = (
    # of truth values
    Step(
        "logical_not", (TRUTH, TRUTHS), SAME, "the opposite of {0}", "the exchange of true and false in {0}"
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
        "the answer to whether anything is true in {0}",
    ),
    Step(
        "all",
        (TRUTHS,),
        TRUTH,
        "whether all are true in {0}",
        "the answer to whether everything is true in {0}",
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
        "the digits in base `{base}` of the whole part of {0}",
        "the text to base `{base}` of the integer part of {0}",
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
