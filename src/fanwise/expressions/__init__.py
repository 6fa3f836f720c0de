"""Expressions: Jinja2's syntax and meaning, in an evaluator that can't act and can't run away.

Jinja2 parses, and its syntax tree is compiled into Python closures. A template computes a value
from a context and does nothing else: it reaches no attribute of a Python object, no file and no
clock, and what it may use is bounded by steps and bytes that are counted before they are used.
"""

from fanwise.expressions.refusal import quoted
from fanwise.expressions.scripts import script_text, template_in
from fanwise.expressions.template import Template, compile_template

__all__ = ["Template", "compile_template", "quoted", "script_text", "template_in"]
