"""Workflows for `crashing`: each has something that is easily lost, told wrongly or done again."""

from __future__ import annotations

from crashing import Case

from fanwise.model import RequestKind

NUMBERS = "".join(f'{{"n": {n}}}\n' for n in range(1, 8))

ITEMS = {
    "list": Case("""
tasks:
  - {name: list, action: test.do, input: {value: [1, 2, 3, 4, 5, 6, 7]}}
  - name: each
    action: test.do
    with-items: "{{ task.list.output }}"
    concurrency: 2
    label: "no {{ item }}"
    tolerate: 2
    input: {value: "{{ item }}", fails: "{{ item == 3 }}"}
    publish: {n: "{{ result() | reject('none') | list | length }}"}
  - name: after
    action: test.do
    with-items: "{{ task.each.output }}"
    input: {value: "{{ [item, vars.n] }}"}
output: {all: "{{ task.after.output }}", failed: "{{ task.each.items.failed }}"}
"""),
    "jsonl": Case(
        """
tasks:
  - name: each
    action: test.do
    with-items: {jsonl: numbers.jsonl}
    concurrency: 3
    tolerate: 1
    input: {value: "{{ item.n * 10 }}"}
  - {name: sum, action: test.do, input: {value: "{{ task.each.output | reject('none') | sum }}"}}
output: [ "{{ task.sum.output }}", "{{ task.each.items }}" ]
""",
        files={"numbers.jsonl": NUMBERS + "no JSON\n"},
    ),
    "csv in batches": Case(
        """
tasks:
  - name: each
    action: test.do
    with-items: {csv: numbers.csv}
    batch-size: 2
    concurrency: 1
    input: {value: "{{ item | map(attribute='n') | list }}"}
output: "{{ task.each.output }}"
""",
        files={"numbers.csv": "n\n1\n2\n3\n4\n5\n"},
    ),
    "lines at a rate": Case(
        """
tasks:
  - name: each
    action: test.do
    with-items: {lines: lines.txt}
    rate: 10/s
    input: {value: "{{ item }}"}
output: "{{ task.each.output }}"
""",
        files={"lines.txt": "a\nb\nc\nd\n"},
    ),
    "zip and range": Case("""
tasks:
  - name: zip
    action: test.do
    with-items: {a: "{{ [1, 2, 3] }}", b: "{{ ['x', 'y', 'z'] }}"}
    input: {value: "{{ item.a }}{{ item.b }}"}
  - {name: range, action: test.do, with-items: {range: 4}, input: {value: "{{ index }}"}}
output: ["{{ task.zip.output }}", "{{ task.range.output }}"]
"""),
    "retries": Case("""
tasks:
  - name: each
    action: test.do
    with-items: [1, 2, 3]
    retry: {count: 2, delay: 10s}
    concurrency: 2
    input: {value: "(attempt)", tries: "{{ item }}"}
  - name: solo
    action: test.do
    retry: {count: 3, delay: 1s}
    input: {value: "(attempt)", tries: 3}
  - name: poll
    action: test.do
    with-items: [1, 3]
    retry: {count: 5, delay: 1s, until: "{{ result() >= item }}"}
    input: {value: "(attempt)"}
output: ["{{ task.each.output }}", "{{ task.solo.output }}", "{{ task.poll.output }}"]
"""),
    "stop": Case("""
tasks:
  - name: each
    action: test.do
    with-items: [1, 2, 3, 4, 5, 6]
    concurrency: 1
    tolerate: 1
    on-item-error: stop
    on-error: continue
    input: {value: "{{ item }}", fails: "{{ item in [2, 4] }}"}
  - {name: after, action: test.do, input: {value: "{{ task.each.items }}"}}
output: ["{{ task.each.output }}", "{{ task.after.output }}"]
"""),
    "outputs kept": Case("""
tasks:
  - name: none
    action: test.do
    with-items: [1, 2, 3]
    keep-output: none
    input: {value: "{{ item }}"}
  - name: failed
    action: test.do
    with-items: [1, 2, 3]
    keep-output: failed
    tolerate: 100%
    input: {value: "{{ item }}", fails: "{{ item == 1 }}"}
output: ["{{ task.none.output }}", "{{ task.failed.output }}", "{{ task.failed.items }}"]
"""),
    "timeouts": Case("""
tasks:
  - name: each
    action: test.do
    with-items: [0, 9, 0]
    timeout: 2s
    on-error: continue
    retry: {count: 1, delay: 1s}
    input: {value: "{{ item }}", takes: "{{ item }}"}
  - {name: solo, action: test.do, timeout: 1s, input: {takes: 5}}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.each.output }}"}}
output: {all: "{{ task.each.output }}"}
"""),
    "delayed": Case("""
tasks:
  - {name: late, action: test.do, delay: 1h, input: {value: 1}}
  - name: each
    action: test.do
    delay: 10m
    when: "{{ task.late.output == 1 }}"
    with-items: [1, 2]
    input: {value: "{{ item }}", takes: "{{ item }}"}
output: "{{ task.each.output }}"
"""),
    "nothing": Case("""
tasks:
  - {name: none, action: test.do, with-items: [], input: {value: 1}}
  - {name: gone, action: test.do, with-items: {lines: gone.txt}, on-error: continue}
  - {name: bad, action: test.do, with-items: "{{ 3 }}", on-error: continue}
  - {name: skip, action: test.do, when: "{{ false }}", with-items: [1]}
output: ["{{ task.none.output }}", "{{ task.gone.status }}", "{{ task.bad.error.type }}"]
"""),
}

GRAPHS = {
    "everything": Case("""
vars: {seen: []}
tasks:
  - name: a
    action: test.do
    input: {value: 1}
    next:
      - {when: "{{ result() == 1 }}", publish: {seen: "{{ vars.seen + ['a'] }}"}, do: [b, c]}
  - name: b
    action: test.do
    input: {value: 2, fails: true}
    on-error: continue
    next: [{do: middle}]
  - name: c
    action: test.do
    input: {value: "{{ vars.seen }}"}
    next: [{when: "{{ result() == [] }}", do: never}, {do: d}]
  - {name: never, action: test.do}
  - name: d
    action: test.do
    input: {value: "{{ task.a.output }}"}
    next: [{do: middle}]
  - {name: middle, action: test.do, join: all, next: [{do: poll}]}
  - name: poll
    action: test.do
    input: {value: "{{ (task.poll.output or 0) + 1 }}"}
    next: [{when: "{{ result() < 3 }}", do: poll}, {when: "{{ result() >= 3 }}", do: last}]
  - name: last
    action: test.do
    when: "{{ task.poll.output > 2 }}"
    input: {value: 9}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.last.output }}"}}
output: {polled: "{{ task.poll.output }}", seen: "{{ task.c.output }}"}
"""),
    "failing": Case("""
tasks:
  - {name: a, action: test.do, input: {value: 1}}
  - name: b
    action: test.do
    with-items: [1, 2, 3]
    retry: {count: 1, delay: 1s}
    input: {value: "{{ item }}", fails: "{{ item == 2 }}"}
  - {name: c, action: test.do, input: {value: 3}}
finally:
  - {name: clean, action: test.do, input: {value: 4, fails: true}}
  - {name: sweep, action: test.do, with-items: [1, 2], input: {value: "{{ item }}"}}
output: {a: "{{ task.a.output }}", c: "{{ task.c.output + 1 }}"}
"""),
    "first of three": Case("""
vars: {won: nobody}
tasks:
  - {name: slow, action: test.do, needs: [], input: {takes: 9},
     publish: {won: slow}, next: [{do: race}]}
  - {name: quick, action: test.do, needs: [], input: {takes: 2},
     publish: {won: quick}, next: [{do: race}]}
  - {name: middling, action: test.do, needs: [], input: {takes: 4},
     publish: {won: middling}, next: [{do: race}]}
  - {name: race, action: test.do, join: 2, input: {value: "{{ vars.won }}"}}
output: ["{{ task.race.output }}", "{{ vars.won }}"]
"""),
    "racing publishes": Case("""
vars: {v: none}
tasks:
  - {name: start, action: test.do, next: [{do: [x, y]}]}
  - {name: x, action: test.do, input: {takes: 3}, publish: {v: x}, next: [{do: both}]}
  - {name: y, action: test.do, input: {takes: 1}, publish: {v: y, w: y}, next: [{do: both}]}
  - {name: both, action: test.do, join: all, input: {value: "{{ vars.v }}{{ vars.w }}"}}
output: ["{{ task.both.output }}", "{{ vars.v }}"]
"""),
    "to fail": Case("""
tasks:
  - name: a
    action: test.do
    input: {value: 1}
    next: [{when: "{{ result() == 1 }}", do: [fail, b]}, {do: c}]
  - {name: b, action: test.do}
  - {name: c, action: test.do}
finally:
  - {name: clean, action: test.do}
output: {a: "{{ task.a.output }}"}
"""),
    "templates that fail": Case("""
tasks:
  - {name: a, action: test.do, needs: [], input: {value: 1}, publish: {v: "{{ result().x }}"},
     on-error: continue}
  - {name: b, action: test.do, needs: [a], input: {value: 2}, when: "{{ task.a.output + 'x' }}",
     next: [{when: "{{ failed() }}", do: c}]}
  - {name: c, action: test.do, input: {value: 3},
     next: [{when: "{{ result() + 'x' }}", do: d}]}
  - {name: d, action: test.do}
  - {name: e, action: test.do, needs: [c]}
output: {a: "{{ task.a.error.type }}", x: "{{ 1 / 0 }}"}
"""),
    "two loops": Case(
        """
tasks:
  - {name: a, action: test.do, input: {value: "{{ (task.b.output or 0) + 1 }}"}, next: [{do: b}]}
  - name: b
    action: test.do
    with-items: "{{ [1] * task.a.output }}"
    input: {value: "{{ index }}"}
    publish: {n: "{{ task.a.output }}"}
    next:
      - {when: "{{ task.a.output < 1 }}", do: a}
      - {when: "{{ task.a.output >= 1 }}", do: c}
  - name: c
    action: test.do
    max-visits: 2
    on-error: continue
    input: {value: "{{ vars.n }}"}
    next: [{do: c}]
  - {name: d, action: test.do, needs: [c]}
output: "{{ task.c.output }}"
""".replace("(task.b.output or 0) + 1", "1")
    ),
    "out of time": Case("""
timeout: 1m
tasks:
  - {name: a, action: test.do, needs: [], input: {value: 1, takes: 10}}
  - {name: b, action: test.do, needs: [a], with-items: [1, 1000, 1], concurrency: 1,
     input: {takes: "{{ item }}"}}
  - {name: c, action: test.do, needs: [b]}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.a.output }}"}}
output: {a: "{{ task.a.output }}", c: "{{ task.c.status }}"}
"""),
    "cancelled": Case(
        """
tasks:
  - {name: a, action: test.do, needs: [], input: {value: 1}}
  - {name: b, action: test.do, needs: [a], with-items: [1, 2, 3], concurrency: 1,
     input: {takes: 50, value: "{{ item }}"}}
  - {name: c, action: test.do, needs: [b]}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.a.output }}"}}
output: {a: "{{ task.a.output }}", b: "{{ task.b.status }}"}
""",
        asks={"b[1]/1": RequestKind.CANCEL},
    ),
}

STEPS = """
parameters: {n: {default: 0}, breaks: {default: false}}
tasks:
  - {name: a, action: test.do, input: {value: "{{ parameters.n }}"}}
  - {name: b, action: test.do, input: {value: "{{ task.a.output + 1 }}"}}
  - {name: c, action: test.do,
     input: {value: "{{ task.b.output + 1 }}", breaks: "{{ parameters.breaks }}"}}
output: "{{ task.c.output }}"
"""
SLOW_STEPS = STEPS.replace("task.a.output + 1 }}", 'task.a.output + 1 }}", takes: "9')

CHILDREN = {
    "once": Case(
        """
tasks:
  - {name: before, action: test.do, input: {value: 1}}
  - {name: call, action: ./child.yaml, input: {n: "{{ task.before.output }}"}}
output: "{{ task.call.output }}"
""",
        {"child.yaml": STEPS},
    ),
    "per item": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2, 3, 4], concurrency: 2,
     label: "no {{ item }}", input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
""",
        {"child.yaml": STEPS},
    ),
    "one at a time": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2, 3], input: {n: "{{ item }}"}}
  - {name: last, action: ./child.yaml, input: {n: 4}}
output: ["{{ task.call.output }}", "{{ task.last.output }}"]
""",
        {"child.yaml": f"concurrency: {{limit: 1, children: true}}\n{SLOW_STEPS}"},
    ),
    "two deep": Case(
        """
tasks:
  - {name: outer, action: ./outer.yaml, with-items: [1, 2], input: {n: "{{ item }}"}}
output: "{{ task.outer.output }}"
""",
        {
            "child.yaml": STEPS,
            "outer.yaml": """
parameters: {n: {}}
tasks:
  - {name: first, action: test.do, input: {value: "{{ parameters.n }}"}}
  - {name: call, action: ./child.yaml, input: {n: "{{ task.first.output }}"}}
  - {name: each, action: ./child.yaml, with-items: [5, 6], input: {n: "{{ item }}"}}
  - {name: last, action: test.do, input: {value: "{{ task.each.output }}"}}
output: ["{{ task.call.output }}", "{{ task.last.output }}"]
""",
        },
    ),
    "a child first": Case(
        """
tasks:
  - {name: outer, action: ./outer.yaml, input: {n: 1}, on-error: continue}
output: "{{ task.outer.error.message }}"
""",
        {
            "child.yaml": STEPS,
            "outer.yaml": """
parameters: {n: {}}
tasks:
  - {name: each, action: ./child.yaml, needs: [], with-items: [1, 2], on-error: continue,
     input: {n: "{{ item }}", breaks: "{{ index == 1 }}"}}
  - {name: call, action: ./child.yaml, needs: [], input: {n: 1}}
  - {name: after, action: ./child.yaml, needs: [each], input: {n: 1}}
  - {name: last, action: ./child.yaml, needs: [call, after], input: {n: 3, breaks: true}}
""",
        },
    ),
    "fan-out inside": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2], input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
""",
        {
            "child.yaml": """
parameters: {n: {}}
tasks:
  - {name: a, action: test.do, when: "{{ parameters.n > 0 }}", input: {value: [1, 2, 3]}}
  - {name: b, action: test.do, when: "{{ true }}", with-items: "{{ task.a.output }}",
     concurrency: 2, tolerate: 1, label: "x",
     input: {value: "{{ item }}", fails: "{{ item == 2 }}"},
     publish: {ok: "{{ result() | reject('none') | list }}"}}
  - {name: c, action: test.do, input: {value: "{{ task.b.output }}"}}
  - {name: d, action: test.do, with-items: "{{ vars.ok }}", on-error: continue,
     input: {value: "{{ item }}", fails: "{{ item == 3 }}"}}
  - {name: e, action: test.do, input: {value: "{{ task.d.items }}"}}
  - {name: f, action: test.do, input: {value: "{{ task.d.status }}"}}
output: ["{{ task.c.output }}", "{{ task.e.output }}", "{{ task.f.output }}"]
"""
        },
    ),
    "tried again": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2], retry: {count: 9, delay: 1s},
     input: {n: "{{ item }}"}}
  - {name: solo, action: ./child.yaml, retry: {count: 9, delay: 1s}, input: {n: 7}}
output: ["{{ task.call.output }}", "{{ task.solo.output }}"]
""",
        {
            "child.yaml": """
parameters: {n: {}}
tasks:
  - {name: a, action: test.do, input: {value: "{{ parameters.n }}"}}
  - {name: b, action: test.do, with-items: [1, 2], input: {value: "{{ item }}"}}
  - {name: c, action: test.do, input: {value: "{{ task.a.output }}", calls: 2}}
  - {name: d, action: test.do, input: {value: "{{ task.c.output }}"}}
output: "{{ task.d.output }}"
"""
        },
        tries_vary=True,
    ),
    "steps of all kinds": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2], on-error: continue,
     input: {n: "{{ item }}"}}
output: ["{{ task.call.output }}", "{{ task.call.error.message }}"]
""",
        {
            "child.yaml": """
parameters: {n: {}}
vars: {v: "{{ parameters.n * 2 }}", path: []}
tasks:
  - {name: a, action: test.do, needs: [], delay: 1m, input: {value: "{{ vars.v }}"},
     publish: {path: "{{ vars.path + ['a'] }}"}}
  - {name: b, action: test.do, needs: [a], on-error: continue, input: {fails: true}}
  - {name: c, action: test.do, needs: [b], retry: {count: 3, delay: 1s},
     input: {tries: 2, value: "{{ vars.path }}"}}
  - {name: d, action: test.do, needs: [c], when: "{{ false }}", input: {value: 1}}
  - {name: e, action: test.do, needs: [d], timeout: 1s, input: {takes: 9},
     next: [{when: "{{ timed_out() }}", do: loop}]}
  - name: loop
    action: test.do
    input: {value: "{{ (task.loop.output or 0) + 1 }}"}
    next: [{when: "{{ result() < 3 }}", do: loop}, {when: "{{ result() >= 3 }}", do: last}]
  - {name: last, action: test.do, input: {value: 1, fails: "{{ parameters.n == 2 }}"}}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.last.status }}"}}
  - {name: sweep, action: test.do, with-items: [1, 2], input: {value: "{{ item }}"}}
output: {path: "{{ task.c.output }}", polled: "{{ task.loop.output }}", "no": "{{ task.d.status }}"}
"""
        },
    ),
    "on a loop": Case(
        """
tasks:
  - name: call
    action: ./child.yaml
    input: {n: "{{ (task.call.output or 0) }}"}
    next: [{when: "{{ result() < 5 }}", do: call}, {when: "{{ result() >= 5 }}", do: end}]
  - {name: end, action: test.do, input: {value: "{{ task.call.output }}"}}
output: "{{ task.end.output }}"
""",
        {"child.yaml": STEPS},
    ),
    "first of two inside": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2], input: {n: "{{ item }}"}}
output: "{{ task.call.output }}"
""",
        {
            "child.yaml": """
parameters: {n: {}}
vars: {won: nobody}
tasks:
  - {name: slow, action: test.do, needs: [], input: {takes: 2},
     publish: {won: slow}, next: [{do: race}]}
  - {name: quick, action: test.do, needs: [], input: {takes: 1},
     publish: {won: quick}, next: [{do: race}]}
  - {name: race, action: test.do, join: 1, input: {takes: 4, value: "{{ vars.won }}"}}
  - {name: after, action: test.do, needs: [race], input: {value: "{{ vars.won }}"}}
output: "{{ task.after.output }}"
"""
        },
    ),
    "out of time": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 100], on-error: continue,
     input: {n: "{{ item }}"}}
output: ["{{ task.call.output }}", "{{ task.call.error.message }}"]
""",
        {
            "child.yaml": """
parameters: {n: {}}
timeout: 1m
tasks:
  - {name: a, action: test.do, input: {value: 1}}
  - {name: b, action: test.do, input: {value: 2, takes: "{{ parameters.n }}"}}
  - {name: c, action: test.do, input: {value: 3}}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.b.status }}"}}
  - {name: sweep, action: test.do, input: {value: "{{ task.b.status }}"}}
output: "{{ task.c.output }}"
"""
        },
    ),
    "cancelled": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2], concurrency: 1, input: {n: "{{ item }}"}}
finally:
  - {name: clean, action: ./child.yaml, input: {n: 3}}
output: "{{ task.call.items }}"
""",
        {"child.yaml": SLOW_STEPS},
        asks={"call[1].b/1": RequestKind.CANCEL},
    ),
}

RETRIES = {
    "items": Case("""
tasks:
  - {name: a, action: test.do, input: {value: 1}}
  - {name: b, action: test.do, with-items: [1, 2, 3, 4], concurrency: 2,
     input: {value: "{{ item }}", breaks: "{{ item is even }}"}}
  - {name: c, action: test.do, input: {value: "{{ task.b.output }}"}}
finally:
  - {name: clean, action: test.do, input: {value: "{{ task.c.status }}"}}
output: {b: "{{ task.b.output }}", c: "{{ task.c.output }}"}
"""),
    "tolerated": Case("""
tasks:
  - {name: a, action: test.do, needs: [], with-items: [1, 2], tolerate: 1,
     input: {value: "{{ item }}", breaks: "{{ item == 2 }}"}}
  - {name: b, action: test.do, needs: [a], with-items: "{{ task.a.output }}",
     input: {value: "{{ item }}"}}
  - {name: c, action: test.do, needs: [b], input: {value: "{{ task.b.output }}", breaks: true}}
  - {name: apart, action: test.do, needs: [], input: {value: 3, takes: 5}}
output: ["{{ task.b.output }}", "{{ task.c.output }}"]
"""),
    "handled": Case("""
vars: {way: none}
tasks:
  - name: a
    action: test.do
    input: {value: 1, breaks: true}
    next:
      - {when: "{{ failed() }}", publish: {way: round}, do: repair}
      - {when: "{{ succeeded() }}", publish: {way: straight}, do: b}
  - {name: repair, action: test.do, next: [{do: b}]}
  - {name: b, action: test.do, input: {value: "{{ vars.way }}"},
     next: [{do: c}]}
  - {name: c, action: test.do, input: {breaks: true}}
output: "{{ task.b.output }}"
"""),
    "a loop": Case("""
tasks:
  - name: poll
    action: test.do
    max-visits: 4
    input: {value: "{{ (task.poll.output or 0) + 1 }}", breaks: "{{ task.poll.output == 2 }}"}
    next: [{when: "{{ result() < 4 }}", do: poll}, {when: "{{ result() >= 4 }}", do: end}]
  - {name: end, action: test.do, input: {value: "{{ task.poll.output }}"}}
output: "{{ task.end.output }}"
"""),
    "children": Case(
        """
tasks:
  - {name: call, action: ./child.yaml, with-items: [1, 2, 3],
     input: {n: "{{ item }}", breaks: "{{ item == 2 }}"}}
  - {name: solo, action: ./child.yaml, input: {n: 7, breaks: true}}
  - {name: end, action: test.do,
     input: {value: ["{{ task.call.output }}", "{{ task.solo.output }}"]}}
output: "{{ task.end.output }}"
""",
        {"child.yaml": STEPS},
    ),
    "templates": Case("""
tasks:
  - {name: a, action: test.do, needs: [], input: {value: 1}, publish: {v: "{{ result().x }}"}}
  - {name: b, action: test.do, needs: [], input: {value: 2}}
  - {name: c, action: test.do, needs: [a, b], input: {value: 3}}
"""),
    "led to fail": Case("""
tasks:
  - name: a
    action: test.do
    input: {value: 1}
    next: [{when: "{{ result() == 1 }}", do: fail, message: "{{ result() }} is bad"},
           {when: "{{ result() == 2 }}", do: b}]
  - {name: b, action: test.do}
  - {name: c, action: test.do, needs: []}
"""),
    "cancelled": Case(
        """
tasks:
  - {name: a, action: test.do, needs: [], input: {value: 1}}
  - {name: b, action: test.do, needs: [a], with-items: [1, 2, 3], concurrency: 1,
     input: {takes: 50, value: "{{ item }}"}}
  - {name: c, action: test.do, needs: [b], input: {value: "{{ task.b.output }}"}}
output: "{{ task.c.output }}"
""",
        asks={"b[1]/1": RequestKind.CANCEL},
    ),
}
