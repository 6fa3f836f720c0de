"""Triggers, which start runs: when, by which events, and whether a request is authentic. All pure.

    cron, zones    cron expressions as matchers of local days and minutes; clocks of zones
    schedules      a schedule as data
    calendar       the instants of a schedule
    decide         what becomes of the instants that are due
    match          events and files: names, readiness, batches
    signatures     webhook requests that prove their sender

Nothing here reads a clock, a file or a store: times come in as seconds since 1970.
"""
