"""Reports on runs for the command line and other readers: data, without text for people.

Nothing here prints, paints or asks a clock; stores and processes are given.
"""
