"""One list or table to one number: totals, averages, spreads, extremes and their places."""

from protocols.domains.zwc.bank.recipe import row, tables

RECIPES = [
    row(
        "mean",
        "reals",
        "the average of {them}; the arithmetic mean of {them}; the average value of {them}; "
        "what {them} come to on average; the mean value of {them}; {them} averaged into one number; "
        "how large {them} are on average",
        "the mean of {them}; what {them} are on average",
    ),
    row(
        "median",
        "reals",
        "the median of {them}; the middle value of {them} in order of size; "
        "the median value of {them}; the middle value of {them} when they are ordered; "
        "the value in the middle of {them}; the one of {them} that half of them do not exceed; "
        "the middle one among {them} in order; the one in the middle of {them} by size",
        "the middle one of {them} by size; the median among {them}",
    ),
    row(
        "std",
        "reals",
        "the population standard deviation of {them}; "
        "the standard deviation of {them} as a whole population; "
        "how widely {them} scatter, as population standard deviation; "
        "the standard deviation of {them}; the root mean square deviation of {them} from their mean; "
        "how much {them} spread round their mean, as population standard deviation",
        "how far {them} spread, as a population standard deviation; "
        "the population standard deviation among {them}",
    ),
    row(
        "ptp",
        "reals",
        "the range of {them}; the gap between the largest and the smallest of {them}; "
        "the difference of the highest and the lowest of {them}; "
        "the range of {them}, from lowest to highest; "
        "how far the largest and the smallest of {them} lie apart; "
        "the spread between the extremes of {them}; the width of the interval that {them} cover; "
        "the spread of {them}, from their smallest to their largest",
        "how far the highest of {them} lies above the lowest; the spread from smallest to largest of {them}",
    ),
    row(
        "sum",
        "reals",
        "the total of {them}; the sum of {them}; all {them} added up; what {them} come to in all; "
        "the result of adding {them}; {them} added together",
        "the sum over {them}; what {them} add up to in total",
        least=0,
    ),
    row(
        "prod",
        "factors",
        "the product of {them}; all {them} multiplied together; the total product of {them}; "
        "what you get by multiplying {them}; {them} multiplied into one number; "
        "the result of multiplying all of {them}; the product taken over all {them}; "
        "what {them} give when multiplied",
        "what {them} multiply to; the product over {them}",
        least=0,
    ),
    row(
        "max",
        "reals",
        "the largest of {them}; the highest value among {them}; the maximum of {them}; "
        "the biggest one of {them}; the highest number in {them}; the greatest of {them}; "
        "the peak value of {them}",
        "the highest of {them}; the biggest value among {them}",
    ),
    row(
        "min",
        "reals",
        "the smallest of {them}; the lowest value among {them}; the minimum of {them}; "
        "the smallest number in {them}; the lowest point of {them}; the bottom value of {them}",
        "the lowest of {them}; the least value among {them}",
    ),
    row(
        "argmax",
        "reals",
        "the position of the largest of {them}; the index of the highest of {them}; "
        "at which index {them} have their maximum; the place at which {them} are highest; "
        "where in the list the greatest of {them} stands; the index at which {them} peak; "
        "the index of the largest among {them}; "
        "how many of {them} come before the greatest",
        "the index where {them} are largest; the position of the maximum among {them}",
    ),
    row(
        "argmin",
        "reals",
        "the position of the smallest of {them}; the index of the lowest of {them}; "
        "at which index {them} have their minimum; the place at which {them} are lowest; "
        "where in the list the smallest of {them} stands; the index at which {them} bottom out",
        "the index where {them} are smallest; the position of the minimum among {them}",
    ),
    row(
        "var",
        "reals",
        "the population variance of {them}; the mean squared distance of {them} from their average; "
        "the mean squared deviation of {them} from their mean; "
        "the variance of {them}, dividing by their number",
        "the variance of {them} as a whole population; the average squared deviation of {them}",
    ),
    row(
        "count_nonzero",
        "sparse",
        "how many of {them} are not zero; the number of nonzero entries among {them}; "
        "how many of {them} differ from zero; the count of entries of {them} other than zero; "
        "the count of nonzero ones among {them}",
        "the count of {them} that differ from zero",
        least=0,
    ),
    row(
        "all",
        "flags",
        "whether all of {them} are true; whether every one of {them} is true",
        "true if none of {them} is false, else false",
        least=0,
    ),
    row(
        "any",
        "flags",
        "whether at least one of {them} is true; whether any of {them} is true",
        "true if {them} are not all false, else false",
        least=0,
    ),
    row(
        "percentile",
        "reals q=percent",
        "the `{q}`-th percentile of {them}; the value below which `{q}` percent of {them} lie",
        "the percentile of {them} at `{q}` percent",
        extra="a percentage `{q}`",
    ),
    row(
        "quantile",
        "reals q=fraction",
        "the `{q}` quantile of {them}; the value below which the fraction `{q}` of {them} lies",
        "the quantile of {them} at the fraction `{q}`",
        extra="a fraction `{q}` between 0 and 1",
    ),
    row(
        "trapezoid",
        "positives",
        "the area under the line through {them} at unit spacing, by the trapezoid rule; "
        "the trapezoid-rule integral "
        "of {them}",
        "the integral over {them}, one unit apart, by trapezoids",
        least=2,
    ),
    row(
        "trapezoid",
        "positives d=step",
        "the area under the line through {them} at spacing `{d}`, by the trapezoid rule",
        "the integral over {them}, `{d}` apart, by trapezoids",
        how="{x}, dx={d}",
        extra="a spacing `{d}`",
        least=2,
    ),
    row(
        "linalg.norm",
        "reals",
        "the Euclidean length of {them} as a vector; the square root of the sum of the squares of {them}",
        "how long the vector of {them} is",
    ),
    row(
        "nansum",
        "gaps",
        "the total of {them}, leaving out missing ones (NaN); the sum of {them} without the NaN entries",
        "what {them} add up to if NaN entries are skipped",
    ),
    row(
        "nanmean",
        "gaps",
        "the average of {them}, leaving out missing ones (NaN); the mean of {them} without the NaN entries",
        "what {them} are on average if NaN entries are skipped",
    ),
    row(
        "nanmedian",
        "gaps",
        "the median of {them}, leaving out missing ones (NaN); "
        "the middle value of {them} without the NaN entries",
        "the middle one of {them} by size if NaN entries are skipped",
    ),
    row(
        "nanmax",
        "gaps",
        "the largest of {them}, leaving out missing ones (NaN); "
        "the maximum of {them} without the NaN entries",
        "the highest of {them} if NaN entries are skipped",
    ),
    row(
        "nanmin",
        "gaps",
        "the smallest of {them}, leaving out missing ones (NaN); "
        "the minimum of {them} without the NaN entries",
        "the lowest of {them} if NaN entries are skipped",
    ),
    *tables("mean", "average"),
    *tables("median", "median"),
    *tables("sum", "total"),
    *tables("max", "largest entry"),
    *tables("min", "smallest entry"),
    *tables("ptp", "range from smallest to largest entry"),
    *tables("std", "population standard deviation"),
    *tables("var", "population variance"),
    row(
        "argmax",
        "tables",
        "the position of the largest entry of `{x}`, counted row by row from 0; "
        "the flat index of the largest entry of `{x}`; "
        "how many entries of `{x}` precede the largest one, going row by row",
        "how many entries of `{x}`, read row by row, come before the largest",
    ),
    row(
        "argmin",
        "tables",
        "the position of the smallest entry of `{x}`, counted row by row from 0; "
        "the flat index of the smallest entry of `{x}`",
        "how many entries of `{x}`, read row by row, come before the smallest",
    ),
    *tables("argmax", "position of the largest entry", whole=False),
    *tables("argmin", "position of the smallest entry", whole=False),
    row(
        "count_nonzero",
        "sparse_tables",
        "how many entries of `{x}` are not zero; the number of nonzero cells of `{x}`; "
        "how many cells of `{x}` differ from zero",
        "the count of all entries of `{x}` that differ from zero",
    ),
    row(
        "std",
        "reals",
        "the sample standard deviation of {them}, dividing by n - 1",
        "how far {them} spread, as a sample standard deviation (n - 1)",
        how="{x}, ddof=1",
        least=2,
    ),
    row(
        "var",
        "reals",
        "the sample variance of {them}, dividing by n - 1",
        "the variance of {them} as a sample (n - 1)",
        how="{x}, ddof=1",
        least=2,
    ),
]
