"""Entries picked by position, mask, condition or rank, and arrays that are written into."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "choose",
        "reals2 i=picks",
        "`{x}` where `{i}` is 0 and `{y}` where `{i}` is 1; entries of `{x}` for a 0 in `{i}` and of `{y}` "
        "for a 1",
        "at each place `{x}` or `{y}`, as 0 or 1 in `{i}` says; `{x}` for every 0 of `{i}`, `{y}` for "
        "every 1",
        how="{i}, [{x}, {y}]",
        extra="zeros and ones `{i}`",
    ),
    row(
        "select",
        "reals2 mask=mask other=mask",
        "`{x}` where `{mask}` is true, else `{y}` where `{other}` is true, else 0; at each place `{x}` if "
        "`{mask}`, `{y}` if only `{other}`, and 0 if neither",
        "the first that applies: `{x}` under `{mask}`, `{y}` under `{other}`, otherwise 0; `{x}` as far as "
        "`{mask}` goes, then `{y}` by `{other}`, zeros elsewhere",
        how="[{mask}, {other}], [{x}, {y}]",
        extra="truth values `{mask}` and `{other}`",
    ),
    row(
        "piecewise",
        "wholes k=small",
        "-1 for each of {them} that is below `{k}` and 1 for each of the others; "
        "for every one of {them} the value -1 if it is less than `{k}`, else 1",
        "{them} mapped to -1 under `{k}` and to 1 from `{k}` on; a list with -1 where {them} stay below "
        "`{k}` "
        "and 1 elsewhere",
        extra="a number `{k}`",
        body="return {f}({x}, [[e < {k} for e in {x}], [e >= {k} for e in {x}]], [-1, 1])",
    ),
    row(
        "extract",
        "tables",
        "all positive entries of `{x}`, row by row as one list; "
        "the entries of `{x}` that are greater than zero, in reading order",
        "a flat list of what is above zero in `{x}`; only the cells of `{x}` over zero, one row after "
        "another",
        how="[[e > 0 for e in line] for line in {x}], {x}",
    ),
    row(
        "nonzero",
        "sparse_tables",
        "the rows and the columns of the nonzero entries of `{x}`, as two lists; "
        "a list of row numbers and a list of column numbers, for all nonzero cells of `{x}`",
        "where `{x}` is not zero: first all row numbers, then all column numbers; "
        "two lists, the rows and the columns in which cells of `{x}` differ from zero",
    ),
    row(
        "partition",
        "reals i=index",
        "the one of {them} that stands at position `{i}` once they are sorted; "
        "the entry of {them} with exactly `{i}` others before it in order of size",
        "which of {them} comes to place `{i}` when they are ordered; the value with rank `{i}` among {them}, "
        "counted from 0 for the smallest",
        extra="a position `{i}`",
        body="return {f}({x}, {i})[{i}]",
    ),
    row(
        "argpartition",
        "wholes i=index",
        "the `{i}` smallest of {them}, in increasing order; the lowest `{i}` values among {them}, sorted",
        "the `{i}` least of {them} from low to high; in order, those `{i}` of {them} that no other one "
        "undercuts",
        extra="a number `{i}`",
        body="return sorted({x}[e] for e in {f}({x}, {i})[:{i}])",
    ),
    row(
        "copyto",
        "reals2 mask=mask",
        "`{x}` after the entries of `{y}` were written over it where `{mask}` is true; "
        "`{x}` with those entries replaced by `{y}` that `{mask}` marks as true",
        "what `{x}` becomes when `{y}` is copied into it at the places where `{mask}` says true; "
        "`{x}`, overwritten by `{y}` wherever `{mask}` holds",
        extra="a list of truth values `{mask}`",
        body="data = {array}({x})\n{f}(data, {y}, where={mask})\nreturn data",
    ),
    row(
        "place",
        "reals mask=mask s=some",
        "{them} with those that `{mask}` marks as true replaced by `{s}`, one after another; {them} after "
        "the true places of `{mask}` took the entries of `{s}` in turn",
        "{them}, where each place that `{mask}` calls true gets the next entry of `{s}`; {them} once `{s}` "
        "is filled into the places true in `{mask}`",
        extra="truth values `{mask}` and a list `{s}`",
        body="data = {array}({x})\n{f}(data, {mask}, {s})\nreturn data",
    ),
    row(
        "put",
        "reals i=index v=number",
        "{them} with the one at position `{i}` replaced by `{v}`; {them} after `{v}` was written to index "
        "`{i}`",
        "{them}, of which number `{i}` now is `{v}`; what {them} are once place `{i}` holds `{v}`",
        extra="a position `{i}` and a number `{v}`",
        body="data = {array}({x})\n{f}(data, {i}, {v})\nreturn data",
    ),
    row(
        "putmask",
        "reals mask=mask v=number",
        "{them} with `{v}` instead of those that `{mask}` marks as true; "
        "{them} after `{v}` was written to every place where `{mask}` is true",
        "{them}, overwritten by `{v}` wherever `{mask}` holds; what {them} become when `{v}` fills the "
        "places "
        "that are true in `{mask}`",
        extra="truth values `{mask}` and a number `{v}`",
        body="data = {array}({x})\n{f}(data, {mask}, {v})\nreturn data",
    ),
    row(
        "vectorize",
        "wholes k=small",
        "each of {them} plus `{k}` if it is even, and 0 if it is odd; {them} with `{k}` added to even ones "
        "and 0 for odd ones",
        "for every even one of {them} the sum with `{k}`, for odd ones 0; {them}, the even ones raised by "
        "`{k}`, the odd ones zero",
        extra="a number `{k}`",
        body="return {f}(lambda e: e + {k} if e % 2 == 0 else 0)({x})",
    ),
]
