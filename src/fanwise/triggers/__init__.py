"""Triggers, which start runs: when, by which events, and whether a request is authentic. All pure.

    cron           cron expressions as matchers of local days and minutes
    local_times    the instants at which the clock of a zone shows a local time
    schedules      a schedule as data
    written        the same as it is written in a file
    calendar       the instants of a schedule
    decide         what becomes of the instants that are due
    match          events and files: names, readiness, batches
    facts          the cause of a run, as templates see it
    preview        instants to come, and what daylight saving makes of them
    signatures     webhook requests that prove their sender

Nothing here reads a clock, a file or a store: times come in as seconds since 1970.
"""
