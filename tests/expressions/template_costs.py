"""Templates that make the most of each filter, test, function, method and operator.

A line is a name, two spaces and an expression, or statements, over the values of `sized`. The work
of those in `OF_CHARACTERS` and `OF_ELEMENTS` grows with the number of these, and the work of those
in `OF_SQUARES` with its square.
"""

import json

OF_CHARACTERS = """
capitalize  u | capitalize
center  'a' | center(n)
format  '%s' | format(t)
fromjson  json | fromjson
fromjson  ('[' ~ ('1' * 100 ~ ',') * (n // 100) ~ '1]') | fromjson
indent  l | indent
list  t | list
lower  u | lower
regex_findall  w | regex_findall('$')
regex_replace  t | regex_replace('y', 'z')
regex_search  t | regex_search('[xz]*y')
regex_search  t | regex_search('(x|xx)*x(x|xx){12}y')
replace  t | replace('x', 'yy')
reverse  u | reverse
title  w | title
title  u | title
tojson  u | tojson
trim  b | trim
truncate  w | truncate(n // 2)
upper  u | upper
urlencode  u | urlencode
wordcount  w | wordcount
wordcount  b | wordcount
wordwrap  w | wordwrap(5)
wordwrap  l | wordwrap(5)
is lower  u is lower
is upper  u is upper
is <  t < n_t
.capitalize  u.capitalize()
.casefold  u.casefold()
.center  'a'.center(n)
.count  t.count('x')
.endswith  t.endswith(n_t)
.find  t.find('y')
.format  '{}'.format(t)
.index  (t ~ 'y').index('y')
.isalnum  u.isalnum()
.isalpha  u.isalpha()
.isascii  u.isascii()
.isdecimal  sevens.isdecimal()
.isdigit  sevens.isdigit()
.islower  u.islower()
.isnumeric  sevens.isnumeric()
.isspace  b.isspace()
.istitle  u.istitle()
.isupper  u.isupper()
.ljust  'a'.ljust(n)
.lower  u.lower()
.lstrip  b.lstrip()
.partition  t.partition('y')
.removeprefix  t.removeprefix('x')
.removesuffix  t.removesuffix('x')
.replace  t.replace('x', 'yy')
.rfind  t.rfind('y')
.rindex  ('y' ~ t).rindex('y')
.rjust  'a'.rjust(n)
.rpartition  t.rpartition('y')
.rsplit  w.rsplit()
.rsplit  w.rsplit(' ')
.rstrip  b.rstrip()
.split  w.split()
.split  w.split(' ')
.splitlines  l.splitlines()
.startswith  t.startswith(n_t)
.strip  b.strip()
.swapcase  u.swapcase()
.title  u.title()
.upper  u.upper()
.zfill  'a'.zfill(n)
*  'x' * n
~  t ~ t
[]  t[::-1]
"""

OF_ELEMENTS = """
abs  xs | map('abs') | list
batch  xs | batch(3) | list
combine  m | combine(m)
combine  {'a': m} | combine({'a': m}, recursive=true)
count  ts | map('count') | list
d  xs | map('d', 1) | list
date  days | map('date') | list
date  dates | map('date', '%d.%m.%Y') | list
date  days | map('date', tz='Europe/Berlin') | list
default  xs | map('default', 1, true) | list
dictsort  m | dictsort
first  lists | map('first') | list
float  ts | map('float', default=0) | list
format  {% for x in xs %}{{ '%5d' | format(x) }}{% endfor %}
-  {% for x in xs %}{{ x - 1 }}{% endfor %}
[]  xs[::-1]
fromjson  ('[' ~ ('[],' * n) ~ '1]') | fromjson
groupby  ms | groupby('a')
int  ts | map('int', default=0) | list
items  m | items | list
join  ts | join(',')
last  lists | map('last') | list
length  ts | map('length') | list
map  ms | map(attribute='a') | list
max  ts | max
min  ms | min(attribute='a')
product  xs | product([1, 2]) | list
regex_search  ts | map('regex_search', '[0-9]$') | list
reject  xs | reject('gt', 0) | list
rejectattr  ms | rejectattr('a') | list
round  xs | map('round', 2) | list
select  xs | select('in', [1, 2]) | list
selectattr  ms | selectattr('a', 'odd') | list
shift  days | map('shift', days=1) | list
slice  xs | slice(7) | list
sort  ts | sort
sort  pairs | sort
sort  ms | sort(attribute='a,a,a,a,a,a,a,a')
strftime  days | map('strftime', '%A %d %B %Y %j %V') | list
string  xs | string
sum  xs | sum
timestamp  days | map('timestamp') | list
tojson  xs | tojson
tojson  ms | tojson(indent=1)
unique  xs | unique | list
unique  colliding | unique | list
urlencode  m | urlencode
zip  xs | zip(xs) | list
is boolean  xs | select('boolean') | list
is defined  xs | select('defined') | list
is divisibleby  xs | select('divisibleby', 7) | list
is even  xs | select('even') | list
is odd  xs | select('odd') | list
is false  xs | select('false') | list
is true  xs | select('true') | list
is float  xs | select('float') | list
is in  n is in xs
is in  n in xs
is integer  xs | select('integer') | list
is iterable  xs | select('iterable') | list
is mapping  xs | select('mapping') | list
is none  xs | select('none') | list
is number  xs | select('number') | list
is regex_search  ts | select('regex_search', 'x') | list
is sequence  xs | select('sequence') | list
is string  xs | select('string') | list
is undefined  xs | select('undefined') | list
is ==  m == n_m
is eq  xs is eq(n_xs)
is equalto  xs | select('equalto', 1) | list
is !=  xs != n_xs
is ne  xs is ne(n_xs)
is lt  xs is lt(n_xs)
is lessthan  xs | select('lessthan', 1) | list
is <=  xs <= n_xs
is le  xs is le(n_xs)
is >  xs > n_xs
is gt  xs is gt(n_xs)
is greaterthan  xs | select('greaterthan', 1) | list
is >=  xs >= n_xs
is ge  xs is ge(n_xs)
dict  dict(m, a=1)
dict  dict(named)
range  range(n) | list
.count  xs.count(1)
.format  ('{0:1}' * n).format(1)
.index  xs.index(n - 1)
.join  ','.join(ts)
.get  {% for x in xs %}{% if m.get(x) %}{% endif %}{% endfor %}
.items  m.items() | list
.keys  m.keys() | list
.values  m.values() | list
+  xs + xs
for  {% for x in xs %}{% if x and x and x %}{% endif %}{% endfor %}
for  {% for x in xs if x and x and x %}{% endfor %}
for  {% for a, b in pairs %}{% endfor %}
for  {% for x in xs %}{% set a = [x, x, x, x] %}{% endfor %}
map  [1] | map(attribute=PATH, default=1) | list
groupby  [1] | groupby(attribute=PATH, default=1)
sort  xs[:2] | map('string') | list | sort(attribute=MANY)
"""

OF_SQUARES = """
int  digits | int
int  digits | replace('7', '6') | int(base=7)
float  digits | float | string
string  long | string
~  long ~ 1
is divisibleby  long is divisibleby half
join  [long] | join
tojson  long | tojson
fromjson  digits | fromjson
*  half * half
//  long // half
%  long % half
/  (long // half) / half
**  7 ** n
wordwrap  t | wordwrap(5)
wordwrap  b | wordwrap(5)
.find  t.find(half_y)
in  half_y in t
.count  t.count(half_y)
.index  (t ~ half_y).index(half_y)
.partition  t.partition(half_y)
.replace  t.replace(half_y, '')
replace  t | replace(half_y, '')
.split  t.split(half_y)
.rfind  t.rfind(y_half)
.rindex  (y_half ~ t).rindex(y_half)
.rpartition  t.rpartition(y_half)
.rsplit  t.rsplit(y_half)
.strip  t.strip(y_half)
.lstrip  t.lstrip(y_half)
.rstrip  t.rstrip(y_half)
trim  t | trim(y_half)
regex_findall  t | regex_findall('x*y|x')
regex_replace  t | regex_replace('x*y|x', 'z')
.count  rows.count(row)
in  row in rows
"""

MOST_DIGITS = 4_000


def parsed(table: str) -> list[tuple[str, str]]:
    """The names and the texts of a table."""
    return [tuple(line.split("  ", 1)) for line in table.strip().splitlines()]


def sized(n: int) -> dict[str, object]:
    """Values of a size that the templates of the tables name."""
    numbers, texts = list(range(n)), [f"t{number:07}" for number in range(n)]
    digits = min(n, MOST_DIGITS)
    return {
        "n": n,
        "t": "x" * n,
        "n_t": "x" * (n - 1) + "y",
        "u": "é" * n,
        "b": " " * n,
        "w": "a " * (n // 2),
        "l": "a\n" * (n // 2),
        "half_y": "x" * (n // 4) + "y" + "x" * (n // 4),
        "y_half": "y" + "x" * (n // 2),
        "json": json.dumps("x" * n),
        "digits": "7" * digits,
        "sevens": "7" * n,
        "long": int("7" * digits),
        "half": int("7" * (digits // 2)),
        "xs": numbers,
        "n_xs": numbers.copy(),
        "ts": texts,
        "ms": [{"a": number} for number in numbers],
        "m": dict(zip(texts, numbers, strict=True)),
        "n_m": dict(zip(texts, numbers, strict=True)),
        "pairs": [[number, number] for number in numbers],
        "named": [[text, 1] for text in texts],
        "lists": [[1]] * n,
        "row": list(range(n // 64)),
        "rows": [list(range(n // 64))] * n,
        "colliding": [(2**61 - 1) * number for number in numbers],
        "days": ["2026-03-05"] * n,
        "dates": ["05.03.2026"] * n,
    }


def named(text: str, n: int) -> dict[str, object]:
    """The values of a size that a text names."""
    return {name: value for name, value in sized(n).items() if name in text}


def written(text: str, n: int) -> str:
    """The template of a line of the tables, which prints nothing."""
    text = text.replace("PATH", repr(".".join(["0"] * n)))
    text = text.replace("MANY", repr(",".join(["0"] * n)))
    sets = "".join(f"{{% set {name} = parameters.{name} %}}" for name in named(text, 2))
    return sets + (text if "{%" in text else f"{{% set made = {text} %}}")
