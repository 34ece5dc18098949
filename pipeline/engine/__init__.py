"""From the catalogue to values: states per day that merge exactly, roll-ups of them, and statistics on top."""
