"""Completion of command lines by a shell."""
