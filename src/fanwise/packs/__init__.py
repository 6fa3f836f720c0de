"""Packs: folders and installed packages of actions and workflows, found, imported and registered.

    modules    imports of an author's modules, with errors in the author's terms
    folders    packs beside a workflow, in given folders, and installed
    loader     an action by its reference, in another process
    registry   the actions of all packs by name
    workflows  a workflow with the actions and the workflows that it calls

Only these modules import an author's code.
"""
