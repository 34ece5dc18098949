"""Measurements: what the engine takes, as a ratio to one scan of the rows, and beside other tools on one table."""
