"""Recorders: the records that a driver makes of a run, and of a child workflow."""
