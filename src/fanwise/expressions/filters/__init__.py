"""Filters, tests and methods by subject; `functions.py` lists all that a template may use."""
