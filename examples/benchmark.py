"""Time microflask's templates beside those of other engines.

Run:  python3 examples/benchmark.py [--rounds N]
Try:  it prints CPU milliseconds for each page, and how many times faster
      microflask is than each engine that is installed (Jinja2, Mako, Bottle)

Each engine runs in a process of its own.  The rounds of the engines take turns
and the median counts, because a machine is never quiet.  Before a page is
timed, its text is compared with the one that microflask makes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ENGINES = ["microflask", "jinja2", "mako", "bottle"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# page: (times a round, what it is rendered with)
NUMBERS = [list(range(row, row + 10)) for row in range(1000)]
USERS = [{"name": f"user {n}", "admin": n % 2, "email": f"<{n}@example.com>"}
         for n in range(50)]
FLAT = {f"value_{n}": f"value number {n}" for n in range(20)}
CONTEXTS: dict[str, tuple[int, dict[str, Any]]] = {
    "table": (2, {"table": NUMBERS}),
    "page": (20, {"users": USERS, "query": "<q>"}),
    "flat": (200, FLAT),
    "compile": (1, {"items": [], "a": 1, "b": "two"}),
}

# engine: its words for the same pages; a line of "compile" stands 66 times.
SOURCES: dict[str, dict[str, str]] = {
    "microflask": {
        "table": "<table>${for row in table:}<tr>${for cell in row:}"
                 "<td>$cell</td>${end}</tr>${end}</table>",
        "flat": "".join(f"<p>${name}</p>" for name in FLAT),
        "compile": "<p class='$a'>${b | upper}</p>\n<ul>${for i in items:}"
                   "<li>${i['name']}</li>${end}</ul>\n"
                   "${if a:}yes${else:}no${end}\n",
        "layout": "<title>${block title:}${end}</title>"
                  "<body>${block body:}${end}</body>",
        "page": "${extends 'layout'}${def field(name, value):}<input"
                " name='$name' value='$value'>${end}"
                "${block title:}Users${end}${block body:}"
                "${for user in users:}<li class='${loop.index % 2}'>"
                "${user.name | upper} ${user.email | default('-')}"
                "${if user.admin:} admin${end}</li>${end}"
                "${field('q', query)}${end}",
    },
    "jinja2": {
        "table": "<table>{% for row in table %}<tr>{% for cell in row %}"
                 "<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>",
        "flat": "".join(f"<p>{{{{ {name} }}}}</p>" for name in FLAT),
        "compile": "<p class='{{ a }}'>{{ b | upper }}</p>\n<ul>"
                   "{% for i in items %}<li>{{ i['name'] }}</li>{% endfor %}"
                   "</ul>\n{% if a %}yes{% else %}no{% endif %}\n",
        "layout": "<title>{% block title %}{% endblock %}</title>"
                  "<body>{% block body %}{% endblock %}</body>",
        "page": "{% extends 'layout' %}{% macro field(name, value) %}<input"
                " name='{{ name }}' value='{{ value }}'>{% endmacro %}"
                "{% block title %}Users{% endblock %}{% block body %}"
                "{% for user in users %}<li class='{{ loop.index % 2 }}'>"
                "{{ user.name | upper }} {{ user.email | default('-') }}"
                "{% if user.admin %} admin{% endif %}</li>{% endfor %}"
                "{{ field('q', query) }}{% endblock %}",
    },
    "mako": {
        "table": "<table>\\\n% for row in table:\n<tr>\\\n% for cell in row:\n"
                 "<td>${cell}</td>\\\n% endfor\n</tr>\\\n% endfor\n</table>",
        "flat": "".join(f"<p>${{{name}}}</p>" for name in FLAT),
        "compile": "<p class='${a}'>${b.upper()}</p>\n<ul>\\\n"
                   "% for i in items:\n<li>${i['name']}</li>\\\n% endfor\n"
                   "</ul>\n% if a:\nyes\n% else:\nno\n% endif\n",
    },
    "bottle": {
        "table": "<table>\\\\\n% for row in table:\n<tr>\\\\\n"
                 "% for cell in row:\n<td>{{cell}}</td>\\\\\n% end\n"
                 "</tr>\\\\\n% end\n</table>",
        "flat": "".join(f"<p>{{{{{name}}}}}</p>" for name in FLAT),
        "compile": "<p class='{{a}}'>{{b.upper()}}</p>\n<ul>\\\\\n"
                   "% for i in items:\n<li>{{i['name']}}</li>\\\\\n% end\n"
                   "</ul>\n% if a:\nyes\n% else:\nno\n% end\n",
    },
}
Render = Callable[..., str]


def compiler(engine: str) -> Callable[[str], Render]:
    """Return a function that makes a page out of an engine's source."""
    sources = SOURCES[engine]
    if engine == "microflask":
        from microflask import DictLoader, Environment, Template
        loader = Environment(DictLoader(sources), autoescape=True)
        return lambda text: (
            loader.get_template("page").render if text == sources.get("page")
            else Template(text).render)
    if engine == "jinja2":
        import jinja2
        theirs = jinja2.Environment(
            autoescape=True, keep_trailing_newline=True,
            loader=jinja2.DictLoader(sources))
        return lambda text: theirs.from_string(text).render
    if engine == "mako":
        mako: Any = importlib.import_module("mako.template")
        return lambda text: mako.Template(text, default_filters=["h"]).render
    bottle: Any = importlib.import_module("bottle")
    return lambda text: bottle.SimpleTemplate(text).render


def workloads(engine: str) -> dict[str, Callable[[], str]]:
    """Return what is timed: name of a page -> function that makes it."""
    compiled, sources = compiler(engine), SOURCES[engine]
    long = sources["compile"] * 66

    def rendering(page: str) -> Callable[[], str]:
        render, names = compiled(sources[page]), CONTEXTS[page][1]
        return lambda: render(**names)
    found = {page: rendering(page) for page in CONTEXTS
             if page in sources and page != "compile"}
    # The first rendering compiles what an engine compiles late.
    found["compile"] = lambda: compiled(long)(**CONTEXTS["compile"][1])
    return found


def work(engine: str) -> None:
    """Answer each line of the input with the CPU seconds of one round."""
    sys.path.insert(0, ROOT)
    try:
        pages = workloads(engine)
    except ImportError:
        print(json.dumps(None), flush=True)
        return
    print(json.dumps({name: make() for name, make in pages.items()}),
          flush=True)
    for _ in sys.stdin:
        times = {}
        for name, make in pages.items():
            count = CONTEXTS[name][0]
            start = time.process_time()
            for _ in range(count):
                make()
            times[name] = (time.process_time() - start) / count
        print(json.dumps(times), flush=True)


def start(engine: str) -> Any:
    """Return the process of an engine, and the texts of its pages or None."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--engine", engine],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def compare(rounds: int) -> None:
    """Time all engines that are installed and print the table."""
    running: dict[str, Any] = {}
    times: dict[str, dict[str, list[float]]] = {}
    right: dict[str, str] = {}
    for engine in ENGINES:
        process, pages = start(engine)
        if pages is None:
            print(f"{engine}: not installed")
            continue
        for page, text in pages.items():
            if "".join(text.split()) != "".join(
                    right.setdefault(page, text).split()):
                sys.exit(f"{engine} makes another page of {page!r}: {text!r}")
        running[engine] = process
        times[engine] = {page: [] for page in pages}
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr)
        for engine, process in running.items():
            print("go", file=process.stdin, flush=True)
            for page, seconds in json.loads(process.stdout.readline()).items():
                times[engine][page].append(seconds)
    print(file=sys.stderr)
    for process in running.values():
        process.communicate()
    show(times)


def show(times: dict[str, dict[str, list[float]]]) -> None:
    """Print milliseconds, their spread, and the ratios to microflask."""
    print(f"Python {sys.version.split()[0]}, CPU milliseconds: median"
          " (lowest to highest), times as long as microflask")
    for page in CONTEXTS:
        ours = statistics.median(times["microflask"][page])
        for engine, pages in times.items():
            if page in pages:
                all_ = [1000 * seconds for seconds in pages[page]]
                middle = statistics.median(all_)
                print(f"{page:8} {engine:10} {middle:8.3f} ({min(all_):.3f} to"
                      f" {max(all_):.3f})  {middle / ours / 1000:5.2f}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        work(options.engine)
    else:
        compare(options.rounds)


if __name__ == "__main__":
    main()
