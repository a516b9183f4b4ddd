"""Complex numbers, floating-point numbers as machines hold them, and rarer functions of each entry."""

from protocols.domains.zwc.bank.elementwise import turned, whether
from protocols.domains.zwc.bank.recipe import both, each, row

RECIPES = [
    each("real", "complexes", "real part", least=0),
    each("imag", "complexes", "imaginary part", least=0),
    each(
        "conjugate",
        "complexes",
        "mirror image at the real axis; complex number with the opposite imaginary part",
    ),
    whether("isreal", "complexes", "has no imaginary part"),
    row(
        "sort_complex",
        "complexes",
        "{them} sorted by real part, and by imaginary part where the real parts are equal; "
        "{them} in increasing order of the real part, then of the imaginary part",
        "{them} ordered by what is real in them and then by what is imaginary; "
        "{them} from the leftmost to the rightmost in the complex plane",
    ),
    row(
        "vdot",
        "complexes2",
        "the dot product of `{x}` and `{y}` with the first one conjugated; "
        "the sum of the products of the conjugates of `{x}` with the matching entries of `{y}`",
        "the complex inner product of `{x}` and `{y}`, conjugate in `{x}`; "
        "each entry of `{x}` mirrored at the real axis and multiplied by that of `{y}`, all added up",
    ),
    row(
        "roots",
        "coefficients",
        "the sizes (absolute values) of all its zeros in increasing order; "
        "the absolute values of the numbers where the polynomial is zero, sorted",
        "how far from 0 its zeros lie in the complex plane, nearest first; "
        "the distances of all solutions of polynomial = 0 from the origin, in order",
        body="return sorted(abs(e) for e in {f}({x}))",
    ),
    turned("positive", "reals", "kept as it is; with a plus before it"),
    each("sinc", "small", "ratio sin(pi t) / (pi t) for it as t", least=0),
    each("arcsinh", "small", "inverse hyperbolic sine", least=0),
    each("arccosh", "positives", "inverse hyperbolic cosine", least=0),
    each("arctanh", "units", "inverse hyperbolic tangent", least=0),
    row(
        "unwrap",
        "radians",
        "{them} with jumps of more than half a turn taken out by adding whole turns; "
        "{them} changed by whole turns so that neighbours differ by at most half a turn",
        "{them} made continuous: whole turns are added or taken away wherever a step exceeds half a turn; "
        "{them} without sudden steps beyond pi, by multiples of 2 pi",
        least=2,
    ),
    row(
        "frexp",
        "decimals",
        "{them} split into fractions from 0.5 to 1 in size and powers of two, as two lists: "
        "the fractions and the exponents; "
        "the mantissas (0.5 to 1 in size) and the exponents to base two of {them}",
        "two lists, the binary fractions and the binary exponents of {them}; "
        "for {them} the factors in size from 0.5 to 1 and, as a second list, the powers of two they go with",
    ),
    both("ldexp", "powers2", "`{x}` times 2 to the power of `{y}`; `{x}` doubled `{y}` times"),
    both(
        "logaddexp2",
        "small2",
        "the base-2 logarithm of the sum of 2 to the power `{x}` and 2 to the power `{y}`",
    ),
    both(
        "nextafter",
        "positives2",
        "how far the next floating-point number after `{x}` towards `{y}` lies from `{x}`, in units of "
        "2**-52",
        body="return ({f}({x}, {y}) - {x}) * 2.0**52",
    ),
    each(
        "spacing",
        "positives",
        "gap to the next larger floating-point number, in units of 2**-52",
        body="return {f}({x}) * 2.0**52",
    ),
    both("fmax", "gaps2", "the larger of `{x}` and `{y}`, passing over missing values (NaN)"),
    both("fmin", "gaps2", "the smaller of `{x}` and `{y}`, passing over missing values (NaN)"),
    row(
        "array_equiv",
        "row2",
        "whether every row of `{x}` is the same as `{y}`; whether all rows of `{x}` hold exactly `{y}`",
        "true if `{y}` repeats in each row of `{x}`, else false; "
        "whether nothing in `{x}` differs from `{y}` stretched over all its rows",
    ),
]
