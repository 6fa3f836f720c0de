"""The fixed parts of the values in a template, as far as they follow from its text alone.

A variable that is set to `run`, and one that goes through `failures`, have the parts that
`fixed.py` lists. Everything that could be something else is unknown, and nothing is said of it.
"""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

from fanwise.expressions.compilation import Compiler
from fanwise.expressions.fixed import Each, Key, Parts, part_of, root_parts, wrong_part
from fanwise.expressions.references import step_of

_GIVE_AN_ELEMENT: Final = frozenset({"first", "last", "max", "min"})
_GIVE_A_LIST: Final = frozenset(
    {"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"}
)


def parts_of(compiler: Compiler, node: nodes.Node | None) -> Parts:
    """The parts of an expression's value, which has been compiled; None if they aren't known."""
    match node:
        case nodes.Name():
            places = compiler.variables.find(node.name)
            found = [compiler.known.get(place) for place in places] or [root_parts(node.name)]
            return found[0] if all(each == found[0] for each in found) else None
        case nodes.Call(node=nodes.Name(name="error")):
            return root_parts("error()")
        case nodes.Getattr() | nodes.Getitem():
            inner, step = parts_of(compiler, node.node), step_of(node)
            if step is not None:
                return part_of(inner, step.key)
            is_slice = isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)
            return inner if is_slice else element_of(inner)
        case nodes.Filter(name=name) if name in _GIVE_AN_ELEMENT:
            return element_of(parts_of(compiler, node.node))
        case nodes.Filter(name=name) if name in _GIVE_A_LIST:
            return parts_of(compiler, node.node)
    return None


def element_of(parts: Parts) -> Parts:
    """The parts of each element of a list."""
    return parts.parts if isinstance(parts, Each) and parts.by is int else None


def set_known(compiler: Compiler, place: int, parts: Parts) -> None:
    """Note the parts of a variable at its place; one that is set to several things has none."""
    is_other = place in compiler.known and compiler.known[place] != parts
    compiler.known[place] = None if is_other else parts


def wrong_attribute(
    compiler: Compiler, subject: nodes.Expr | None, attribute: object
) -> tuple[str, str] | None:
    """The fault of a filter's attribute that no element of its list can have, and a hint."""
    each = element_of(parts_of(compiler, subject))
    for path in attribute.split(",") if each and isinstance(attribute, str) else ():
        keys: list[Key] = [int(key) if key.isdigit() else key for key in path.split(".")]
        if fault := wrong_part(each, "an element", keys):
            return fault
    return None
