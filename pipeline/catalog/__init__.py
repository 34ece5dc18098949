"""The metric catalogue: what is measured, who answers for it, and which role reads it.

`load` reads the file, `check` judges it against the facts, `expressions` is the language of its measures, `hashes`
tells when a meaning changed, `docs` writes it up for readers, `model` holds the typed records, `codes` the error codes.
"""
