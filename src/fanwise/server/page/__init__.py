"""The web page: a shell without data, and fragments that are rendered from what is recorded.

Each page is one fragment with one template. The same template makes the first view and each later
one, which a stream sends when it has changed.
"""
