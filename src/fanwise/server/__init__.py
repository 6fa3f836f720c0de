"""The HTTP server of `fanwise serve`: the API and the page, from one table of routes.

It reads and writes the store alone, and never runs an author's code.
"""
