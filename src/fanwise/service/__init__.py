"""The long-lived parts of `fanwise serve`: the clock of triggers, and processes that take runs.

They stand over ports and never import a pack: no author's code runs in a process that keeps time.
"""
