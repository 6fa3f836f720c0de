"""Feeds: the queues of a visit's attempts, for the workers of an executor."""
