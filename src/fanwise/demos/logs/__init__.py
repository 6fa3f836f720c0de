"""The log pipeline demo: the access logs of the monitoring demo's server, read entry by entry.

`workflow.yaml`, `actions.py`, `prepare.py` and `README.md` are the demo, which `fanwise demo logs
--copy DIR` copies to change and run. The rest gives it something to read: `traffic` makes requests
to the server, whose log `rotation` then cuts into several files, and `writing` does both.
"""
