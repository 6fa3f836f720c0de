"""Pictures for faces: the order of a workflow's tasks, and a run over time, as data and as SVG.

A drawing is made of values alone: it reads no store, asks no clock and runs nothing. Texts of
others are texts in it, never markup. It has classes and no styles, so that a page whose policy
forbids inline styles can show it; `document` makes a file of its own, with colours.
"""
