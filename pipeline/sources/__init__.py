"""From an export as its system wrote it to staged rows of the canonical tables.

`mapping` reads the YAML of every source; `bytes_check` and `recognise` decide whether a file can be taken, and as what;
`readers` turns it into the temporary table `raw`, and `stage` turns that into rows of a canonical table, still as text.
"""
