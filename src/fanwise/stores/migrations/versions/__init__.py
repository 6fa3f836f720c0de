"""A module for each revision of the schema, with its changes and nothing else."""
