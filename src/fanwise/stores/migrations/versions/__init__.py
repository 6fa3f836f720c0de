"""One module a revision of the schema; each says what it changes and nothing else."""
