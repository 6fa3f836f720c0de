"""Upgrades of the schema from older revisions to newer ones, run by `fanwise.stores.upgrades`."""
