"""Triggers, which start runs: when, by which events, and whether a request is authentic. All pure.

    cron, zones    cron expressions as matchers of local days and minutes; clocks of zones
    schedules      a schedule as data
    calendar       the instants of a schedule

Nothing here reads a clock, a file or a store: times come in as seconds since 1970.
"""
