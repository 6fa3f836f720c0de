"""A template's text made into a syntax tree, by Jinja2's lexer and parser.

Jinja2 counts lines only. Here every node's `lineno` is an offset into the text instead, so that an
error can name the column and quote the tag. Lengths and nesting are bounded before anything
recurses, and tags outside the grammar (`if`, `for`, `set` and `raw`) are refused by name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from jinja2 import Environment, nodes
from jinja2 import TemplateSyntaxError as JinjaSyntaxError
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from fanwise.errors import ResultError, TemplateSyntaxError
from fanwise.expressions.missing import nearest
from fanwise.expressions.refusal import quoted
from fanwise.values import freeze

MAX_LENGTH = 100_000
"""Characters that a template may have."""

MAX_NESTING = 25
"""Brackets inside each other; the parser takes fourteen calls for each."""

_TAGS = frozenset({"if", "elif", "else", "endif", "for", "endfor", "set", "endset"})
_TAG_END = re.compile(r"[%}]\}")
_IGNORED = frozenset({"whitespace", "comment_begin", "comment", "comment_end"})

_RAW_HINT = "Put text of another language between {% raw %} and {% endraw %}."
_is_of_go = re.compile(r"\{\{-?\s*\.").match

_jinja = Environment(keep_trailing_newline=True)


class TemplateText:
    """A template's text, and where its tags are."""

    def __init__(self, text: str) -> None:
        """Raises `TemplateSyntaxError` if the text is too long or can't be stored."""
        # The lexer makes all line ends the same; offsets must count what it sees.
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._starts: list[int] = []
        self._ends: list[int] = []
        if len(text) > MAX_LENGTH:
            raise self.error(
                f"it has {len(text):,} characters; a template may have {MAX_LENGTH:,}.",
                hint="Keep long texts in a file, or split it.",
            )
        try:
            freeze(text, where="it")
        except ResultError as error:
            raise self.error(error.message, hint=error.hint) from None

    def parse(self) -> list[nodes.Node]:
        """The statements and outputs of the template. Raises `TemplateSyntaxError`."""
        parser = Parser(_jinja, "")
        try:
            parser.stream = TokenStream(_jinja.lexer.wrap(self._tokens()), None, None)
            return parser.parse().body
        except JinjaSyntaxError as error:
            reason = f"{error.message}.".replace("..", ".")
            hint = _RAW_HINT if _is_of_go(self.tag_at(error.lineno)) else ""
            raise self.error(reason, error.lineno, hint=hint) from None
        except RecursionError:
            raise self.error("it is nested too deeply.", hint="Split it up.") from None
        except ValueError:
            raise self.error("it has a number of more than 4,300 digits.") from None

    def error(self, reason: str, offset: int = 0, *, hint: str = "") -> TemplateSyntaxError:
        """The error to raise for something that stands at `offset`."""
        return TemplateSyntaxError(
            f"in {quoted(self.tag_at(offset))}: {reason}", offset=offset, hint=hint
        )

    @property
    def tags(self) -> Sequence[int]:
        """The offsets of all tags, once it has been parsed."""
        return self._starts

    def number_of_tag(self, offset: int) -> int:
        """The number of the last tag that begins at `offset` or before, from 0; else -1."""
        return bisect_right(self._starts, offset) - 1

    def tag_at(self, offset: int) -> str:
        """The text of the tag around `offset`, or the whole text if there is none."""
        number = self.number_of_tag(offset)
        if number < 0:
            return self.text
        if number < len(self._ends):
            end: int | None = self._ends[number]
        else:
            # The lexer hasn't come to the tag's end, if it has one.
            found = _TAG_END.search(self.text, offset)
            end = found.end() if found else None
        return self.text[self._starts[number] : end]

    def _tokens(self) -> Iterator[tuple[int, str, str]]:
        """Jinja2's tokens, each with its offset in place of its line."""
        end, depth, expects_tag = 0, 0, False
        lexed = _jinja.lexer.tokeniter(self.text, None)
        while True:
            try:
                _, kind, value = next(lexed)
            except StopIteration:
                return
            except JinjaSyntaxError as error:
                hint = _RAW_HINT if "comment" in (error.message or "") else ""
                raise self.error(f"{error.message}.", end, hint=hint) from None
            # White space that a "-" strips makes a gap between two tokens.
            offset = self.text.find(value, end)
            end = offset + len(value)
            depth = self._nesting(depth, kind, value, offset)
            if kind in ("variable_begin", "block_begin"):
                self._starts.append(offset)
            elif kind in ("variable_end", "block_end"):
                self._ends.append(end)
            if expects_tag and kind not in _IGNORED:
                self._check_tag(value, offset)
                expects_tag = False
            expects_tag = expects_tag or kind == "block_begin"
            yield offset, kind, value

    def _nesting(self, depth: int, kind: str, value: str, offset: int) -> int:
        if kind == "operator":
            depth += (value in ("(", "[", "{")) - (value in (")", "]", "}"))
            if depth > MAX_NESTING:
                raise self.error(
                    f"it has more than {MAX_NESTING} brackets inside each other.",
                    offset,
                    hint="Split it up.",
                )
        return depth

    def _check_tag(self, name: str, offset: int) -> None:
        if name not in _TAGS:
            raise self.error(
                f'"{name}" can\'t be used in a template; if, for and set can.',
                offset,
                hint=nearest(name, sorted(_TAGS)),
            )
