"""YAML 1.2 as workflow files have it: text becomes a tree of nodes that know their places.

    text      bytes to characters
    composer  the parser's events to nodes, within bounds of depth and number
    scalars   plain values by the rules of YAML 1.2
    syntax    the parser's errors in plain words
    nodes     the tree
    spots     where the characters of a text stand

Nothing here knows the keys of the language.
"""

from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node, Spot
from fanwise.definition.yaml.text import read_text

__all__ = ["Node", "Spot", "compose", "read_text"]
