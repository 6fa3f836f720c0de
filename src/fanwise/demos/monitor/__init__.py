"""The monitoring demo: a thousand servers, and a workflow that checks the health of each.

`workflow.yaml`, `actions.py`, `prepare.py` and `README.md` are the demo, which `fanwise demo
monitor --copy DIR` copies to change and run. The rest gives it something to check: `fleet` says
which servers there are and how each behaves, `server` answers for them over HTTP in a process of
its own, `process` starts that process, and `inventory` writes the file that lists them.
"""
