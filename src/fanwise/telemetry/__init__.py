"""The facts that a process tells of its work to other programs: metrics, lines in JSON, traces.

Nothing of it reads a value of a workflow, and no label grows with runs, tasks or items.
"""
