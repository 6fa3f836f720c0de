"""The other side of executors that reach elsewhere: makes attempts in a process of its own.

`session.py` takes messages and gives messages, whatever carries them; `__main__.py` carries them
over a socket that a parent process has opened. It knows no store, journal or run.
"""
