"""Strategies for contexts, and for templates that do something with them."""

from hypothesis import strategies as st

from fanwise.context import WorkflowContext
from fanwise.model import ErrorInfo, ItemCounts, Status, TaskResult
from fanwise.values import freeze

WORDS = ["a", "b", "name", "size", "items", "keys", "Up", "é", "x y", "Straße", "", "-", "{{ a }}"]
words = st.sampled_from(WORDS)
texts = st.one_of(words, st.text("aAbB .,-\nßé%{}'", max_size=12), st.sampled_from(["12", "0x1f"]))
numbers = st.one_of(
    st.integers(-5, 20),
    st.sampled_from([0.5, -1.25, 3.0, 1e10, 2**70, 0.1]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=8,
)
servers = st.fixed_dictionaries(
    {"name": texts, "size": numbers, "up": st.booleans()},
    optional={"tags": st.lists(words, max_size=3), "items": values},
)


@st.composite
def contexts(draw):
    """An item's context with a bit of everything in it."""
    parameters = {
        "n": draw(numbers),
        "m": draw(st.integers(-3, 9)),
        "s": draw(texts),
        "t": draw(texts),
        "l": draw(st.lists(numbers, max_size=6)),
        "w": draw(st.lists(texts, max_size=6)),
        "d": draw(st.dictionaries(words, scalars, max_size=4)),
        "o": draw(st.lists(servers, max_size=5)),
        "v": draw(values),
        "none": None,
    }
    context = WorkflowContext(parameters, {"x": draw(values)}, run={"id": "r1"})
    context = context.with_result("fetch", {"servers": draw(st.lists(servers, max_size=4))})
    failed = TaskResult(
        Status.FAILED,
        error=ErrorInfo("Timeout", "too slow", data=draw(scalars)),
        items=ItemCounts(3, 1, 2),
    )
    return context.with_result("bad", failed).for_item(freeze(draw(servers)), draw(numbers))


outcomes = st.one_of(
    st.builds(lambda value: TaskResult(Status.SUCCEEDED, output=freeze(value)), values),
    st.builds(
        lambda kind: TaskResult(Status.FAILED, error=ErrorInfo(kind, "it broke")),
        st.sampled_from(["Timeout", "BadRequest"]),
    ),
)


_ARITHMETIC = ["+", "-", "*", "/", "//", "%", "**"]
_ROUNDINGS = ["", "1", "0, 'ceil'", "1, 'floor'"]
_CUTS = ["5", "4, true", "6, false, '', 0"]
_WRAPS = ["5", "3, false", "4, wrapstring='|'"]
_SPLITS = [
    "split()",
    "split('a')",
    "rsplit(' ', 1)",
    "rsplit()",
    "splitlines()",
    "splitlines(true)",
]
_SPLITS += ["partition('a')", "rpartition('a')"]
_KEY = "'a'"


class Templates:
    """Draws templates: one method for each kind of expression, nested up to a depth."""

    def __init__(self, draw):
        self._draw = draw
        self.names = []  # Variables that are set, with the kind of expression they hold.
        self.loops = 0

    def pick(self, options):
        return self._draw(st.sampled_from(options))

    def some(self, depth):
        """An expression of any kind."""
        kinds = [self.number, self.text, self.list, self.map, self.truth, self.odd]
        return self.pick(kinds)(depth)

    def like(self, kind, depth):
        """An expression of a kind, or now and then of any kind."""
        return self.some(depth) if self.pick(range(12)) == 0 else kind(depth)

    def number(self, depth):
        if depth <= 0:
            leaves = ["parameters.n", "parameters.m", "index", "item.size", "3", "-2", "0.5", "7"]
            return self.pick([*leaves, *(["loop.index", "loop.revindex0"] * (self.loops > 0))])
        n, t, xs = (lambda: self.like(self.number, depth - 1)), self.text, self.list
        return self.pick(
            [
                lambda: f"({n()} {self.pick(_ARITHMETIC)} {n()})",
                lambda: f"-{n()}",
                lambda: f"({n()}) | abs",
                lambda: f"({n()}) | round({self.pick(_ROUNDINGS)})",
                lambda: f"({self.some(depth - 1)}) | int({self.pick(['', '7', '0, 16'])})",
                lambda: f"({self.some(depth - 1)}) | float",
                lambda: f"({self.some(depth - 1)}) | {self.pick(['length', 'count'])}",
                lambda: f"({xs(depth - 1)}) | {self.pick(['sum', 'max', 'min', 'first', 'last'])}",
                lambda: f"parameters.o | sum(attribute='size', start={n()})",
                lambda: f"({t(depth - 1)}) | wordcount",
                lambda: f"({t(depth - 1)}).{self.pick(['count', 'find', 'rfind'])}('a')",
                lambda: f"({xs(depth - 1)}).count({self.some(depth - 1)})",
            ]
        )()

    def text(self, depth):
        if depth <= 0:
            leaves = [
                "parameters.s",
                "parameters.t",
                "item.name",
                "'a b-c'",
                "'Xy'",
                "''",
                "run.id",
            ]
            return self.pick([*leaves, "task.bad.status", "'%s'", "'{{ item }}'"])
        t, n = (lambda: self.like(self.text, depth - 1)), self.number
        methods = "capitalize casefold lower lstrip rstrip strip swapcase title upper"
        filters = "capitalize lower upper title trim string urlencode tojson reverse"
        return self.pick(
            [
                lambda: f"({t()} {self.pick(['+', '~'])} {t()})",
                lambda: f"({t()} * {self.pick([0, 2, 3])})",
                lambda: f"({t()}) | {self.pick(filters.split())}",
                lambda: (
                    f"({self.some(depth - 1)}) | {self.pick(['string', 'tojson', 'urlencode'])}"
                ),
                lambda: f"({t()}).{self.pick(methods.split())}()",
                lambda: f"({t()}).{self.pick(['removeprefix', 'removesuffix', 'strip'])}('a')",
                lambda: f"({t()})[{self.slice(depth)}]",
                lambda: f"({t()})[{n(0)}]",
                lambda: f"({t()}) | replace({t()}, {t()}{self.pick(['', ', 1'])})",
                lambda: f"({t()}) | center({self.pick(['9', 'width=4', ''])})",
                lambda: f"({t()}).{self.pick(['ljust', 'rjust', 'center', 'zfill'])}(7)",
                lambda: f"({t()}) | truncate({self.pick(_CUTS)})",
                lambda: f"({t()}) | indent({self.pick(['', '2', '1, true', '2, blank=true'])})",
                lambda: f"({t()}) | wordwrap({self.pick(_WRAPS)})",
                lambda: f"({self.list(depth - 1)}) | join({self.pick(['', t()])})",
                lambda: f"parameters.o | join(', ', attribute={self.attribute()})",
                lambda: f"({t()}).join({self.list(depth - 1)})",
                lambda: (
                    f"('%{self.pick(['s', 'd', '5.1f', '-4s|', 'r'])}' % {self.some(depth - 1)})"
                ),
                lambda: f"'%s %s' | format({t()}, {self.some(depth - 1)})",
                lambda: f"'%(a)s' | format(a={t()})",
                lambda: f"'{{:>{self.pick([3, 8])}}}{{}}'.format({t()}, {self.some(depth - 1)})",
                lambda: f"({t()}) | default({t()})",
            ]
        )()

    def slice(self, depth):
        bound = lambda: self.pick(["", "1", "-1", "2", self.number(0)])  # noqa: E731
        return f"{bound()}:{bound()}{self.pick(['', ':', ':2', ':-1'])}"

    def list(self, depth):
        if depth <= 0:
            paths = ["parameters.l", "parameters.w", "task.fetch.output.servers", "parameters.o"]
            return self.pick([*paths, "[]", "[1, 'a', none]", "(1, 2)", "range(4)", "parameters.d"])
        xs, t = (lambda: self.like(self.list, depth - 1)), self.text
        end = self.pick([" | list", " | list", ""])
        return self.pick(
            [
                lambda: f"[{self.some(depth - 1)}, {self.some(depth - 1)}]",
                lambda: f"({xs()} + {xs()})",
                lambda: f"({xs()})[{self.slice(depth)}]",
                lambda: f"({xs()}) | {self.pick(['select', 'reject'])}({self.test(depth)}){end}",
                lambda: (
                    f"parameters.o | {self.pick(['selectattr', 'rejectattr'])}({self.part()}){end}"
                ),
                lambda: f"parameters.o | selectattr('size', {self.test(depth)}){end}",
                lambda: f"parameters.o | map(attribute={self.attribute()}){end}",
                lambda: f"({xs()}) | map({self.mapped(depth)}){end}",
                lambda: f"({xs()}) | sort({self.pick(['', 'true', 'case_sensitive=true'])})",
                lambda: f"parameters.o | sort(attribute={self.attribute()})",
                lambda: "parameters.o | sort(attribute='up,name')",
                lambda: f"({xs()}) | unique({self.pick(['', 'true'])}){end}",
                lambda: f"parameters.o | unique(attribute={self.attribute()}){end}",
                lambda: f"({xs()}) | reverse{end}",
                lambda: f"({xs()}) | list",
                lambda: f"({xs()}) | batch({self.pick(['2', '3, 0'])}){end}",
                lambda: f"({xs()}) | slice({self.pick(['2', '3, none', '2, 9'])}){end}",
                lambda: f"parameters.o | groupby({self.attribute()})",
                lambda: "parameters.o | groupby('tags.0', default='-', case_sensitive=true)",
                lambda: f"({self.map(depth - 1)}) | {self.pick(['items', 'dictsort'])}{end}",
                lambda: "parameters.d | dictsort(by='value', reverse=true)",
                lambda: f"({self.map(depth - 1)}).{self.pick(['items', 'keys', 'values'])}(){end}",
                lambda: f"({t(depth - 1)}).{self.pick(_SPLITS)}",
                lambda: f"range({self.pick(['5', '2, 6', '9, 0, -2', self.number(0)])}){end}",
            ]
        )()

    def part(self):
        return self.pick(["'up'", "'tags', 'defined'", "'size', 'gt', 2", "'name', 'in', 'ab'"])

    def attribute(self):
        return self.pick(["'name'", "'size'", "'up'", "'name.0'", "'tags'"])

    def mapped(self, depth):
        return self.pick(["'upper'", "'string'", "'length'", "'int', default=3", "'default', 1"])

    def test(self, depth):
        simple = ["'odd'", "'none'", "'string'", "'defined'", "'number'", "'mapping'", "'true'"]
        return self.pick([*simple, f"'gt', {self.number(0)}", f"'in', {self.list(0)}", "'eq', 3"])

    def map(self, depth):
        if depth <= 0:
            paths = ["parameters.d", "item", "parameters", "task.bad.error", "task.bad.items"]
            return self.pick([*paths, "{}", "{'a': 1, 'items': 'b'}"])
        return self.pick(
            [
                lambda: f"{{{self.text(0)}: {self.some(depth - 1)}, 'b': {self.some(depth - 1)}}}",
                lambda: f"({self.like(self.list, depth - 1)} | first)",
                lambda: f"({self.like(self.map, depth - 1)} or {self.map(0)})",
            ]
        )()

    def truth(self, depth):
        if depth <= 0:
            paths = [
                "true",
                "false",
                "item.up",
                "succeeded()",
                "failed()",
                "timed_out()",
                "skipped()",
            ]
            return self.pick(paths)
        any_ = lambda: self.some(depth - 1)  # noqa: E731
        n, names = self.number, "boolean defined undefined even odd false true float integer number"
        names += " iterable lower upper mapping none sequence string"
        return self.pick(
            [
                lambda: f"({any_()} {self.pick(['==', '!=', '<', '<=', '>', '>='])} {any_()})",
                lambda: f"({n(depth - 1)} {self.pick(['<', '>='])} {n(depth - 1)} < {n(0)})",
                lambda: f"({any_()} {self.pick(['in', 'not in'])} {any_()})",
                lambda: f"({any_()} {self.pick(['and', 'or'])} {any_()})",
                lambda: f"(not {any_()})",
                lambda: f"(({any_()}) is {self.pick(['', 'not '])}{self.pick(names.split())})",
                lambda: f"(({n(depth - 1)}) is divisibleby {n(0)})",
                lambda: f"(({any_()}) is {self.pick(['eq', 'ne', 'lt', 'ge'])}({any_()}))",
                lambda: f"(({any_()}) is in {self.list(0)})",
                lambda: f"({self.text(0)}).{self.pick(['startswith', 'endswith'])}('a')",
                lambda: f"({self.text(0)}).{self.pick(['isdigit', 'isalpha', 'isupper'])}()",
            ]
        )()

    def odd(self, depth):
        """Paths that may lead nowhere, conditions, and whatever else has no kind of its own."""
        if depth <= 0:
            paths = [
                "vars.x",
                "parameters.v",
                "item.items",
                "item.missing",
                "parameters.d.a",
                "none",
            ]
            paths += ["result()", "error()", "error().type", "parameters.d['a']", "item['tags'][0]"]
            return self.pick([*paths, *(name for name in self.names)])
        any_ = lambda: self.some(depth - 1)  # noqa: E731
        return self.pick(
            [
                lambda: f"({any_()} if {self.truth(depth - 1)} else {any_()})",
                lambda: f"({any_()} if {self.truth(depth - 1)})",
                lambda: f"({any_()}) | default({any_()}{self.pick(['', ', true'])})",
                lambda: f"({any_()}).{self.pick(['a', 'name', 'items', 'grouper', 'list'])}",
                lambda: f"({any_()})[{self.pick(['0', '-1', _KEY, self.some(0)])}]",
                lambda: f"({self.map(depth - 1)}).get('a'{self.pick(['', ', 5'])})",
                lambda: f"({any_()}) is defined",
            ]
        )()

    def block(self, depth):
        """Some text with outputs and statements."""
        count = self._draw(st.integers(1, 3))
        return "".join([self.statement(depth) for _ in range(count)])

    def statement(self, depth):
        dash = lambda: self.pick(["", "", "-"])  # noqa: E731
        expression = self.some(self._draw(st.integers(0, 2)))
        output = f"{{{{{dash()} {expression} {dash()}}}}}"
        if depth <= 0:
            return self.pick([output, " text\n", "{# note #}", "{% raw %}{{ x }}{% endraw %}"])
        return self.pick(
            [
                lambda: output,
                lambda: f"  {output}\n ",
                lambda: (
                    f"{{%{dash()} if {expression} {dash()}%}}{self.block(depth - 1)}"
                    f"{{% elif {self.truth(1)} %}}{self.block(depth - 1)}"
                    f"{{% else %}}{self.block(depth - 1)}{{% endif {dash()}%}}"
                ),
                lambda: f"{{% if {self.truth(1)} %}}{self.block(depth - 1)}{{% endif %}}",
                lambda: self.loop(depth),
                lambda: self.assignment(expression),
                lambda: f"{{% set y %}}{self.block(depth - 1)}{{% endset %}}{{{{ y }}}}",
            ]
        )()

    def assignment(self, expression):
        name = self.pick(["x", "y"])
        text = f"{{% set {name} = {expression} %}}"
        self.names.append(name)
        return text

    def loop(self, depth):
        before, source = list(self.names), self.like(self.list, 1)
        target, names = self.pick([("x", ["x"]), ("k, v", ["k", "v"]), ("item", ["item"])])
        if target == "k, v":
            source = self.pick(["parameters.d.items()", "parameters.d | dictsort", source])
        self.names += names
        test = self.pick(["", "", f" if {self.truth(1)}"])
        self.loops += 1
        parts = "{{ loop.index }}{{ loop.last }}{{ loop.changed(index) }}{{ loop.cycle(1, 2) }}"
        body = self.block(depth - 1) + self.pick(["", parts])
        self.loops -= 1
        self.names = before
        otherwise = self.pick(["", f"{{% else %}}{self.block(depth - 1)}"])
        return f"{{% for {target} in {source}{test} %}}{body}{otherwise}{{% endfor %}}"


@st.composite
def expressions(draw):
    """One sole expression."""
    return f"{{{{ {Templates(draw).some(draw(st.integers(0, 3)))} }}}}"


@st.composite
def documents(draw):
    """A text with statements."""
    return Templates(draw).block(2)
