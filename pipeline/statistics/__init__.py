"""Pure statistics: intervals, quantiles, survival, comparisons, agreement, rankings, process behaviour, verdicts.

Nothing here reads or writes; arrays go in and arrays come out. What is undefined comes out as NaN (or None), never as
a number. The package imports nothing by itself, so that its modules can be named without loading SciPy.
"""
