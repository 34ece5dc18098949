"""The one room that opens DuckDB: received files, the ledger, loading, the lock, and publication by swap."""
