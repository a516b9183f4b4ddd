"""Arrays made from lists, numbers of another type, and texts of arrays and numbers."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "array",
        "reals",
        "an array with one row, which holds {them}; a table that has {them} as its only row",
        "{them} as the single row of a table; an array of two axes whose one row is {them}",
        how="{x}, ndmin=2",
    ),
    row(
        "asarray",
        "sparse",
        "{them} converted to truth values, false for zero; an array of truth values made from {them}",
        "{them} read as true or false, where only zero is false; an array that says true for each of {them} "
        "but the zeros",
        how="{x}, dtype=bool",
        least=0,
    ),
    row(
        "copy",
        "counts",
        "a copy of {them}; {them} as a new and independent array",
        "an array of its own with the same entries as {them}; a duplicate of {them}",
        least=0,
    ),
    row(
        "ascontiguousarray",
        "whole_tables",
        "`{x}` as an array stored row by row; an array of `{x}` that lies in memory row after row",
        "the array `{x}` laid out in memory by rows; `{x}` in C order, as one unbroken array",
    ),
    row(
        "asfortranarray",
        "matrices",
        "`{x}` as an array stored column by column; an array of `{x}` that lies in memory column after "
        "column",
        "the array `{x}` laid out in memory by columns; `{x}` in Fortran order",
    ),
    row(
        "astype",
        "wholes",
        "each of {them} as text; {them} converted to an array of strings",
        "{them} turned into strings, one for each; an array with the digits of every one of {them} as text",
        body="return {f}({array}({x}), str)",
    ),
    row(
        "atleast_1d",
        "sizes",
        "a list that holds only `{x}`; `{x}` as an array with one entry",
        "an array whose single entry is `{x}`; `{x}` wrapped into a list of its own",
    ),
    row(
        "atleast_2d",
        "wholes",
        "{them} as an array with two axes, in one row; a matrix whose only row is {them}",
        "{them} raised to two axes, as a single row; one row of {them}, in an array of two axes",
    ),
    row(
        "atleast_3d",
        "whole_tables",
        "`{x}` as an array with three axes, each entry in a list of its own; "
        "`{x}` with a third axis of length one at the end",
        "`{x}` raised to three axes, the last with a single entry; an array of three axes made from `{x}`, "
        "every cell a list of one",
    ),
    row(
        "array2string",
        "wholes s=mark",
        "the text of an array of {them}, with `{s}` between the entries; "
        "how an array of {them} is written in brackets with `{s}` as separator",
        "{them} as one text in brackets, separated by `{s}`; the string of an array of {them} that uses "
        "`{s}` "
        "to part them",
        extra="a separator `{s}`",
        body="return {f}({array}({x}), separator={s})",
    ),
    row(
        "array_str",
        "wholes",
        "the text of an array of {them}, with blanks between the entries; "
        "how an array of {them} is printed, in brackets and without commas",
        "the string that printing an array of {them} shows; {them} as one text in brackets, parted by blanks",
        body="return {f}({array}({x}))",
    ),
    row(
        "array_repr",
        "wholes",
        "the text that represents an array of {them} in code, from its square bracket on; "
        "how an array of {them} is written in code, without what stands before the square bracket",
        "the code text of an array of {them}, cut before its square bracket; "
        "the representation of an array of {them} as text, starting at the square bracket",
        body='text = {f}({array}({x}))\nreturn text[text.index("[") :]',
    ),
    row(
        "base_repr",
        "whole_number b=base",
        "the digits of `{x}` in base `{b}`, as text; `{x}` written as text in the number system of base "
        "`{b}`",
        "the text of `{x}` with `{b}` as the base of its digits; how `{x}` is written to base `{b}`",
        extra="a base `{b}`",
    ),
    row(
        "binary_repr",
        "whole_number w=digit_count",
        "the binary digits of `{x}` as text, filled up with zeros to `{w}` digits; "
        "`{x}` in binary as a text of `{w}` digits",
        "a text of `{w}` ones and zeros that stands for `{x}`; the base-2 digits of `{x}`, `{w}` of them, "
        "as text",
        extra="a number of digits `{w}`",
    ),
]
