"""Traces of runs that are over, from what the store has of them, as OpenTelemetry's spans."""
