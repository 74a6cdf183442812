"""Time microflask beside others: what a request, a page, a start costs.

Run:  python3 examples/benchmark.py [--only AREA] [--against NAME] [--rounds N]
                                    [--json FILE]
Try:  --only requests     CPU microseconds of each of ten requests
      --only routes       the same among 10 to 5,000 rules, and registering
      --only templates    CPU microseconds of each of four pages
      --only start        CPU time and memory until the first answer
      --only uploads      large files and many fields in a form
      --only server       answers a second over 1, 16 and 64 connections
      --against bottle    beside Bottle alone

Each line ends with how many times as good as the others microflask is: below
1.00 it loses.  The others are Flask, Bottle, Falcon, Jinja2, Mako, waitress,
cheroot and gunicorn, those that are installed, and `raw`: the same answers
written by hand on plain WSGI, which no framework can undercut.

Each of them runs in a process of its own.  Their rounds take turns and the
median counts, because a machine is never quiet.  What is timed is checked
before: its answer, or its text against the one that microflask makes.
"""

from __future__ import annotations

import argparse
import atexit
import base64
import datetime
import hashlib
import hmac
import importlib
import importlib.metadata
import importlib.util
import io
import json
import logging
import os
import platform
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A peer that is Python itself -> the module that it needs.
PLAIN = {"raw": "json", "python": "sys", "wsgiref": "wsgiref"}

# What a round measures: workload -> (value, unit).  A workload named "row |
# column" shares a line of the table with others of its row.
Figures = dict[str, tuple[float, str]]
Round = Callable[[], Figures]
Environ = dict[str, Any]
# workload -> peer -> median, lowest, highest, unit
Table = dict[str, dict[str, dict[str, Any]]]


class Area(NamedTuple):
    """One table: who is measured, by what, how often."""

    about: str
    peers: Iterable[str]
    prepare: Callable[[str, Any], Round]    # Of a peer and its module.
    rounds: int


# -- processes that take turns

def has(name: str) -> bool:
    """Tell whether something is installed."""
    return importlib.util.find_spec(name) is not None


def version_of(name: str) -> str:
    """Return the version of something that is imported or installed."""
    if name in PLAIN:
        return platform.python_version()
    # Its own word first, of a file that lies here; some warn of getattr.
    version = vars(sys.modules.get(name, sys)).get("__version__")
    return str(version or importlib.metadata.version(name))


def work(area: str, peer: str) -> None:
    """Say who works here, then answer each line of the input by a round."""
    # Ctrl-C ends the first process, and with it this one's input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, ROOT)
    if not has(PLAIN.get(peer, peer)):
        print(json.dumps(None), flush=True)
        return
    module = importlib.import_module(PLAIN.get(peer, peer))
    measure = AREAS[area].prepare(peer, module)
    print(json.dumps(version_of(peer)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


def interleave(area: str, peers: list[str], rounds: int) -> tuple[
        dict[str, str], Table]:
    """Return what rounds that take turns find: versions, and the table."""
    # All prepare at the same time: the slowest of them counts, not the sum.
    workers = {peer: subprocess.Popen(
        [sys.executable, __file__, "--work", area, peer],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for peer in peers}

    def told(peer: str) -> Any:
        line = (workers[peer].stdout or sys.stdin).readline()
        return json.loads(line) if line else sys.exit(
            f"{area}: {peer} failed, as it says above.")
    progress(f"{area}: {', '.join(peers)} prepare")
    answers = {peer: told(peer) for peer in peers}
    versions = {peer: version for peer, version in answers.items() if version}
    measured: dict[str, dict[str, list[Any]]] = {}
    for number in range(rounds):
        progress(f"{area}: round {number + 1} of {rounds}")
        for peer in versions:
            print("go", file=workers[peer].stdin, flush=True)
            for workload, figure in told(peer).items():
                measured.setdefault(workload, {}).setdefault(
                    peer, []).append(figure)
    progress("")
    for worker in workers.values():
        worker.communicate()
    return versions, {
        workload: {peer: summary(figures) for peer, figures in found.items()}
        for workload, found in measured.items()}


def summary(figures: list[Any]) -> dict[str, Any]:
    """Return what the rounds of one peer at one workload come to."""
    values = [value for value, _ in figures]
    return {"median": statistics.median(values), "lowest": min(values),
            "highest": max(values), "unit": figures[0][1]}


def progress(text: str) -> None:
    """Show on the terminal what is being done."""
    print(f"\r{text:70}\r", end="", file=sys.stderr, flush=True)


def cell(found: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return what a table says of a peer, beside microflask's figure."""
    median, lowest, highest = [
        f"{value:.0f}" if value > 99.9 else f"{value:#.3g}"
        for value in list(found.values())[:3]]
    unit = found["unit"]
    text = f"{median} {unit} ({lowest}-{highest})"
    if not ours or unit in ("times", "MB more"):
        return text
    ratio = found["median"] / ours["median"]
    return f"{text} {1 / ratio if unit.endswith('/s') else ratio:6.2f}"


def show(table: Table) -> None:
    """Print the lines of an area: each workload, each peer."""
    rows: dict[str, dict[str, dict[str, str]]] = {}
    for workload, peers in table.items():
        row, _, column = workload.partition(" | ")
        for peer, found in peers.items():
            rows.setdefault(row, {}).setdefault(peer, {})[column] = cell(
                found, peers.get("microflask", {}))
    columns = list(dict.fromkeys(
        workload.partition(" | ")[2] for workload in table))
    lines = [["", "", *columns]] if any(columns) else []
    lines += [[row, peer, *[cells.get(column, "") for column in columns]]
              for row, peers in rows.items() for peer, cells in peers.items()]
    wide = [max(map(len, column)) for column in zip(*lines)]
    for row, peer, *cells in lines:
        print(f"{row:{wide[0]}}  {peer:{wide[1]}}", *[
            f"{text:>{width}}" for text, width in zip(cells, wide[2:])],
            sep="  ")


# -- what areas share

def make_environ(method: str, target: str, body: Any, size: int = 0,
                 kind: str = "", more: Iterable[tuple[str, str]] = ()
                 ) -> Environ:
    """Return a new environ for a request, as a server would make it."""
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path,
        "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*", "HTTP_USER_AGENT": "benchmark",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": body, "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": False,
        "wsgi.run_once": False, **dict(more)}
    if size:
        environ.update(CONTENT_LENGTH=str(size), CONTENT_TYPE=kind)
    return environ


def answered(app: Any, environ: Environ) -> tuple[bytes, str]:
    """Return the body and the status of an answer."""
    head: list[str] = []
    body = app(environ, lambda status, headers, exc_info=None:
               head.append(status))
    try:
        return b"".join(body), head[0]
    finally:
        getattr(body, "close", lambda: None)()


def check(what: str, app: Any, environ: Environ, status: str,
          part: bytes) -> None:
    """End the program if an app answers something else."""
    body, is_ = answered(app, environ)
    if is_[:3] != status or part not in body:
        sys.exit(f"{what} is answered by {is_}: {body[:300]!r}")


def microseconds(app: Any, environs: list[Environ]) -> float:
    """Return the CPU microseconds that an app needs for a request."""
    start = time.process_time()
    for environ in environs:
        answered(app, environ)
    return 1e6 * (time.process_time() - start) / len(environs)


def peak_memory(process: Any = "self", forget: bool = False) -> float | None:
    """Return the most megabytes that a process has held, if Linux says it."""
    # getrusage would count what the parent held when the process began.
    try:
        if forget:
            with open(f"/proc/{process}/clear_refs", "wb") as peaks:
                peaks.write(b"5")
        with open(f"/proc/{process}/status", encoding="utf-8") as file:
            found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
    except OSError:
        return None
    return int(found[1]) * 1024 / 1e6 if found else None


# -- requests

TEN = {f"key {n}": n for n in range(10)}
KILOBYTE = json.dumps({"items": list(range(200)), "text": "x" * 200}).encode()
FIELDS = "&".join(f"field{n}=value+{n}" for n in range(10)).encode()
JSON, FORM = "application/json", "application/x-www-form-urlencoded"

# workload: method, path and query, body, its type, more of the environ
REQUESTS: dict[str, tuple[str, str, bytes, str, dict[str, str]]] = {
    "hello": ("GET", "/", b"", "", {}),
    "keyed": ("GET", "/", b"", "", {}),
    "json": ("GET", "/json", b"", "", {}),
    "dynamic": ("GET", "/user/42/post/hello-world", b"", "", {}),
    "echo": ("POST", "/echo", KILOBYTE, JSON, {}),
    "form": ("POST", "/form", FIELDS, FORM, {}),
    "context": ("GET", "/context?q=abc&n=5", b"", "", {
        "HTTP_COOKIE": "a=1; b=2", "HTTP_X_TOKEN": "token"}),
    "404": ("GET", "/nothing/here", b"", "", {}),
    "session": ("GET", "/session", b"", "", {}),
    "hooks": ("GET", "/", b"", "", {}),
}
# What must stand in the answer.
ANSWERS = {"hello": b"Hello", "keyed": b"Hello", "json": b'"key 9"',
           "dynamic": b"42 hello-world", "echo": b'"items"',
           "form": b"value 3", "context": b"abctoken1", "404": b"",
           "session": b"ok", "hooks": b"Hello"}


def environ_of(workload: str) -> Environ:
    """Return a new environ for a request."""
    method, target, body, kind, more = REQUESTS[workload]
    return make_environ(method, target, io.BytesIO(body), len(body), kind,
                        more.items())


def flask_app(f: Any, workload: str) -> Any:
    """Return the app in microflask or Flask."""
    app = f.Flask("benchmark")
    if workload in ("keyed", "session"):
        app.secret_key = "k" * 32
    if workload == "hooks":
        app.before_request(lambda: None)
        app.after_request(lambda response: response)

    def context() -> Any:
        response = f.make_response(
            f.request.args["q"] + f.request.headers["X-Token"]
            + f.request.cookies["a"])
        response.set_cookie("c", "1")
        return response

    def session() -> str:
        f.session["n"] = f.session.get("n", 0) + 1
        return "ok"
    for rule, view in {
            "/": lambda: "Hello, World!", "/json": lambda: TEN,
            "/user/<int:id>/post/<slug>": lambda id, slug: f"{id} {slug}",
            "/echo": lambda: f.request.get_json(),
            "/form": lambda: f.request.form["field3"],
            "/context": context, "/session": session}.items():
        app.add_url_rule(rule, rule, view, methods=["GET", "POST"])
    return app


def bottle_app(bottle: Any, workload: str) -> Any:
    """Return the app in Bottle, or None where it has nothing of the kind."""
    if workload == "keyed":
        return None
    app, request, response = bottle.Bottle(), bottle.request, bottle.response
    if workload == "hooks":
        app.hook("before_request")(lambda: None)
        app.hook("after_request")(lambda: None)

    def context() -> Any:
        response.set_cookie("c", "1", path="/")
        return (request.query["q"] + request.get_header("X-Token")
                + request.cookies["a"])

    def session() -> str:
        n = int(request.get_cookie("s", secret="k" * 32, default="0"))
        response.set_cookie("s", str(n + 1), secret="k" * 32, httponly=True)
        return "ok"
    for rule, view in {
            "/": lambda: "Hello, World!", "/json": lambda: TEN,
            "/user/<id:int>/post/<slug>": lambda id, slug: f"{id} {slug}",
            "/echo": lambda: request.json,
            "/form": lambda: request.forms["field3"],
            "/context": context, "/session": session}.items():
        app.route(rule, ["GET", "POST"], view)
    return app


def falcon_app(falcon: Any, workload: str) -> Any:
    """Return the app in Falcon, or None where it has nothing of the kind."""
    if workload in ("keyed", "session"):
        return None

    class Hooks:
        def process_request(self, *given: Any) -> None:
            """Do nothing."""

        def process_response(self, *given: Any) -> None:
            """Do nothing."""

    def context(request: Any, response: Any) -> None:
        response.text = (request.get_param("q") + request.get_header("X-Token")
                         + request.cookies["a"])
        response.set_cookie("c", "1", path="/", secure=False, http_only=False)

    def says(**answer: Any) -> Any:
        def respond(request: Any, response: Any, **values: Any) -> None:
            for name, value in answer.items():
                setattr(response, name,
                        value(request, values) if callable(value) else value)
        return respond
    app = falcon.App(middleware=[Hooks()] if workload == "hooks" else [])
    for rule, responder in {
            "/": says(text="Hello, World!"), "/json": says(media=TEN),
            "/user/{id:int}/post/{slug}": says(
                text=lambda request, values: "{id} {slug}".format(**values)),
            "/echo": says(media=lambda request, values: request.media),
            "/form": says(
                text=lambda request, values: request.media["field3"]),
            "/context": context}.items():
        app.add_route(rule, type("Resource", (), {
            "on_get": staticmethod(responder),
            "on_post": staticmethod(responder)})())
    return app


def raw_session(environ: Environ) -> tuple[str, str]:
    """Return what is answered, and the cookie of a session that counts."""
    def sign(data: str) -> str:
        return hmac.new(b"k" * 32, data.encode(), hashlib.sha256).hexdigest()
    data, _, signature = raw_cookies(environ).get("s", "").partition(".")
    is_ours = hmac.compare_digest(sign(data), signature)
    session = json.loads(base64.urlsafe_b64decode(data)) if is_ours else {}
    session["n"] = session.get("n", 0) + 1
    data = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
    return "ok", f"s={data}.{sign(data)}; HttpOnly; Path=/"


def raw_cookies(environ: Environ) -> dict[str, str]:
    """Return the cookies of a request."""
    pairs = environ.get("HTTP_COOKIE", "").split("; ")
    return {name: value for name, _, value in (
        pair.partition("=") for pair in pairs)}


def raw_app(module: Any, workload: str) -> Any:
    """Return the app on plain WSGI, or None where a key changes nothing."""
    def body(environ: Environ) -> str:
        size = int(environ["CONTENT_LENGTH"])
        return str(environ["wsgi.input"].read(size), "utf-8")

    def hook(text: str) -> str:
        return text

    def dynamic(environ: Environ) -> tuple[str, str]:
        _, _, id, _, slug = environ["PATH_INFO"].split("/")
        return f"{int(id)} {slug}", ""

    def context(environ: Environ) -> tuple[str, str]:
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        return (query["q"] + environ["HTTP_X_TOKEN"]
                + raw_cookies(environ)["a"], "c=1; Path=/")

    # workload -> a function that returns the text and a cookie
    view: Any = {
        "hello": lambda environ: ("Hello, World!", ""),
        "json": lambda environ: (json.dumps(TEN), ""),
        "dynamic": dynamic, "context": context,
        "echo": lambda environ: (json.dumps(json.loads(body(environ))), ""),
        "form": lambda environ: (dict(parse_qsl(body(environ)))["field3"], ""),
        "404": lambda environ: ("<h1>Not Found</h1>", ""),
        "session": raw_session,
        "hooks": lambda environ: (hook("Hello, World!"), hook("")),
    }.get(workload)
    status = "404 Not Found" if workload == "404" else "200 OK"
    kind = JSON if workload in ("json", "echo") else "text/html; charset=utf-8"

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        text, cookie = view(environ)
        answer = text.encode()
        start_response(status, [
            ("Content-Type", kind), ("Content-Length", str(len(answer))),
            *([("Set-Cookie", cookie)] if cookie else [])])
        return [answer]
    return app if view else None


REQUEST_APPS = {"microflask": flask_app, "flask": flask_app,
                "bottle": bottle_app, "falcon": falcon_app, "raw": raw_app}


def prepare_requests(peer: str, module: Any) -> Round:
    """Make an app for each request, and check its answer."""
    made = {workload: REQUEST_APPS[peer](module, workload)
            for workload in REQUESTS}
    apps = {name: app for name, app in made.items() if app is not None}
    for workload, app in apps.items():
        check(f"{peer}, {workload}", app, environ_of(workload),
              "404" if workload == "404" else "200", ANSWERS[workload])
    return lambda: {
        workload: (microseconds(
            app, [environ_of(workload) for _ in range(300)]), "us")
        for workload, app in apps.items()}


# -- routes

SIZES = [10, 100, 1000, 5000]
PATIENCE = 4    # CPU seconds: who needs more for an app's rules is given up.
# family: the rule, and a path that fits.  # is the number of the rule.  In
# "converter" four rules share all text, in "kinds" all do.
FAMILIES = {
    "static": ("/fixed/page#", "/fixed/page#"),
    "front": ("/page#/<value>", "/page#/some"),
    "end": ("/<value>/page#", "/some/page#"),
    "converter": ("/page#/<*:value>", "/page#/*"),
    "kinds": ("/item/<kind#:value>", "/item/#-5"),
}
# A converter, what Bottle says instead, and a text that fits.
CONVERTERS = [("int", "value:int", "5"), ("float", "value:float", "5.5"),
              ("any(about,help)", "value:re:about|help", "help"),
              ("string", "value", "some")]
ROUTERS = ["microflask", "flask", "bottle", "falcon"]


def router(name: str, module: Any) -> tuple[Any, Callable[[str, int], Any]]:
    """Return an app, and a function that adds a rule to it."""
    def view(value: str = "") -> str:
        return "found"

    class Resource:
        def on_get(self, request: Any, response: Any, value: str = "") -> None:
            """Say that it was found."""
            response.text = "found"

    def add(rule: str, n: int) -> None:
        if "kind" in rule:
            app.url_map.converters[f"kind{n}"] = type(
                f"Kind{n}", (routing.BaseConverter,), {"regex": rf"{n}-\d+"})
        app.add_url_rule(rule, f"view{n}", view)
    def add_to_bottle(rule: str, n: int) -> None:
        rule = rule.replace(f"kind{n}:value", rf"value:re:{n}-\d+")
        for converter, word, _ in CONVERTERS:
            rule = rule.replace(f"{converter}:value", word)
        app.route(rule, "GET", view)
    if name == "bottle":
        app = module.Bottle()
        return app, add_to_bottle
    if name == "falcon":
        app = module.App()
        return app, lambda rule, n: app.add_route(
            rule.replace("<", "{").replace(">", "}"), Resource())
    app = module.Flask("routes")
    routing = importlib.import_module(
        "werkzeug.routing" if name == "flask" else name)
    return app, add


def numbered(text: str, n: int) -> str:
    """Return a rule, or a path that fits it, with its number put in."""
    if "*" in text:
        converter, _, value = CONVERTERS[n % 4]
        text = text.replace("*", converter if "<" in text else value)
        n //= 4
    return text.replace("#", str(n))


def route_environ(family: str, n: int) -> Environ:
    """Return an environ for the path that fits a rule."""
    return make_environ(
        "GET", numbered(FAMILIES[family][1], n), io.BytesIO())


def register(name: str, module: Any, family: str,
             size: int) -> tuple[Any, Figures]:
    """Return an app with many rules, None if given up, and its costs."""
    app, add = router(name, module)
    start = time.process_time()
    spent = 0.0
    for n in range(size):
        add(numbered(FAMILIES[family][0], n), n)
        if n % 100 == 99 or n == size - 1:
            spent = time.process_time() - start
            if spent > PATIENCE:
                return None, {
                    "registering": (1000 * spent, "ms, given up")}
    first = microseconds(app, [route_environ(family, 0)])
    return app, {"registering": (1000 * spent, "ms"),
                 "first answer": (first / 1000, "ms")}


def time_family(app: Any, family: str, size: int) -> Figures:
    """Return how long it takes to find the first, the middle and the last."""
    figures = {}
    for place, n in {"first": 0, "middle": size // 2, "last": size - 1,
                     "miss": size + 3}.items():
        spent = microseconds(app, [route_environ(family, n)])
        if spent < 2000:    # Who takes longer is asked once.
            spent = microseconds(
                app, [route_environ(family, n) for _ in range(40)])
        figures[place] = spent, "us"
    return figures


def prepare_routes(peer: str, module: Any) -> Round:
    """Make an app for each family and size; check it at both ends."""
    made: dict[tuple[str, int], tuple[Any, list[Figures]]] = {}
    # Falcon takes one converter for a place.
    for family in list(FAMILIES)[:3 if peer == "falcon" else None]:
        for size in SIZES:
            found = [register(peer, module, family, size)]
            while len(found) < 3 and found[0][1]["registering"][0] < 300:
                found.append(register(peer, module, family, size))
            app = found[-1][0]
            made[family, size] = app, [costs for _, costs in found]
            for n in (0, size - 1, size + 3) if app is not None else ():
                check(f"{peer}, {family} {n}", app, route_environ(family, n),
                      *(("404", b"") if n > size else ("200", b"found")))

    def measure() -> Figures:
        figures: Figures = {}
        for (family, size), (app, costs) in made.items():
            costs.append(costs.pop(0))      # Each round tells of another one.
            found = time_family(app, family, size) if app is not None else {}
            for what, figure in {**found, **costs[0]}.items():
                figures[f"{family}, {what} | {size} rules"] = figure
        for name in list(figures):
            row, _, column = name.partition(" | ")
            if column == f"{SIZES[-1]} rules" and figures[name][1] == "us":
                figures[f"{row} | {SIZES[-1]} / {SIZES[0]}"] = (
                    figures[name][0] / figures[f"{row} | {SIZES[0]} rules"][0],
                    "times")
        return figures
    return measure


# -- templates

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


def compiler(engine: str, module: Any) -> Callable[[str], Render]:
    """Return a function that makes a page out of an engine's source."""
    sources = SOURCES[engine]
    if engine == "microflask":
        loader = module.Environment(module.DictLoader(sources),
                                    autoescape=True)
        return lambda text: (
            loader.get_template("page").render if text == sources.get("page")
            else module.Template(text).render)
    if engine == "jinja2":
        theirs = module.Environment(
            autoescape=True, keep_trailing_newline=True,
            loader=module.DictLoader(sources))
        return lambda text: theirs.from_string(text).render
    if engine == "mako":
        mako: Any = importlib.import_module("mako.template")
        return lambda text: mako.Template(text, default_filters=["h"]).render
    return lambda text: module.SimpleTemplate(text).render


def pages_of(engine: str, module: Any) -> dict[str, Callable[[], str]]:
    """Return what is timed: name of a page -> function that makes it."""
    compiled, sources = compiler(engine, module), SOURCES[engine]
    long = sources["compile"] * 66

    def rendering(page: str) -> Callable[[], str]:
        render, names = compiled(sources[page]), CONTEXTS[page][1]
        return lambda: render(**names)
    found = {page: rendering(page) for page in CONTEXTS
             if page in sources and page != "compile"}
    # The first rendering compiles what an engine compiles late.
    found["compile"] = lambda: compiled(long)(**CONTEXTS["compile"][1])
    return found


def prepare_templates(engine: str, module: Any) -> Round:
    """Make each page, and check it against microflask's."""
    pages = pages_of(engine, module)
    right = pages_of("microflask", importlib.import_module("microflask"))
    for page, make in pages.items():
        if "".join(make().split()) != "".join(right[page]().split()):
            sys.exit(f"{engine} makes another page of {page!r}: {make()!r}")

    def measure() -> Figures:
        figures = {}
        for page, make in pages.items():
            count = CONTEXTS[page][0]
            start = time.process_time()
            for _ in range(count):
                make()
            spent = time.process_time() - start
            figures[page] = 1e6 * spent / count, "us"
        return figures
    return measure


# -- start

# framework: the lines that make an app
STARTS = {
    **{name: f"import {name}; app = {name}.Flask('hello')\n"
             "app.add_url_rule('/', 'hello', lambda: 'Hello, World!')"
       for name in ("microflask", "flask")},
    "bottle": "import bottle; app = bottle.Bottle()\n"
              "app.route('/', 'GET', lambda: 'Hello, World!')",
    "falcon": "import falcon; app = falcon.App()\n"
              "class Hello:\n"
              "    def on_get(self, request, response):\n"
              "        response.text = 'Hello, World!'\n"
              "app.add_route('/', Hello())",
    "python": "app = lambda environ, start: [b'Hello, World!']",
}
# It waits at the end, so that one can see what memory it took.
FRESH = """
import io, sys, time
sys.path.insert(0, {root!r})
{lines}
environ = {environ!r}
environ.update({{'wsgi.input': io.BytesIO(), 'wsgi.errors': sys.stderr}})
body = b''.join(app(environ, lambda *given: None))
if body != b'Hello, World!':
    sys.exit('A first request is answered by %r' % body)
print(time.process_time(), flush=True)
sys.stdin.read()
"""


def prepare_start(peer: str, module: Any) -> Round:
    """Return what starts a fresh process; start it once, to fill a cache."""
    environ = {name: value for name, value in environ_of("hello").items()
               if name not in ("wsgi.input", "wsgi.errors")}
    program = FRESH.format(root=ROOT, lines=STARTS[peer], environ=environ)
    # Every framework starts from bytecode, also where none may be written.
    cache = tempfile.TemporaryDirectory()
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": cache.name,
                 "PYTHONDONTWRITEBYTECODE": ""}
    atexit.register(cache.cleanup)

    def measure() -> Figures:
        with subprocess.Popen(
                [sys.executable, "-c", program], text=True, env=variables,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as fresh:
            assert fresh.stdout is not None
            line = fresh.stdout.readline()
            memory = peak_memory(fresh.pid)
        if not line:
            sys.exit(f"{peer} does not start.")
        figures: Figures = {"CPU time": (1000 * float(line), "ms")}
        if memory is not None:
            figures["peak memory"] = memory, "MB"
        return figures
    measure()
    return measure


# -- uploads

MULTIPART = "multipart/form-data; boundary=benchmark7MA4YWxkTrZu0gW"
BEGIN = b"--benchmark7MA4YWxkTrZu0gW"
END = b"\r\n" + BEGIN + b"--\r\n"
FIELD = (b'\r\n%b\r\nContent-Disposition: form-data; name="field%d"'
         b"\r\n\r\n%d")
FILE = BEGIN + (
    b'\r\nContent-Disposition: form-data; name="file"; filename="file.bin"'
    b"\r\nContent-Type: application/octet-stream\r\n\r\n")
MB, BLOCK = 1024 * 1024, 64 * 1024

# workload: path, type, body in blocks, times a round, what must be answered
UPLOADS: dict[str, tuple[str, str, list[bytes], int, str]] = {
    "1,000 fields, urlencoded": ("/form", FORM, [
        "&".join(f"field{n}={n}" for n in range(1000)).encode()], 5, "999"),
    "1,000 fields, multipart": ("/form", MULTIPART, [
        *[FIELD % (BEGIN, n, n) for n in range(1000)], END], 5, "999"),
    "8 MB, all CR LF": ("/file", MULTIPART, [
        FILE, *[b"\r\n" * (BLOCK // 2)] * 128, END], 1, f"{8 * MB}"),
    "64 MB": ("/file", MULTIPART, [
        FILE, *[os.urandom(BLOCK)] * 1024, END], 3, f"{64 * MB}"),
}


def flask_upload(f: Any) -> Any:
    """Return an app that says what arrived, in microflask or Flask."""
    app = f.Flask("upload")
    app.config["MAX_FORM_PARTS"] = 2000
    for path, view in {
            "/file": lambda: str(
                f.request.files["file"].stream.seek(0, os.SEEK_END)),
            "/form": lambda: f.request.form["field999"]}.items():
        app.add_url_rule(path, path, view, methods=["POST"])
    return app


def bottle_upload(bottle: Any) -> Any:
    """Return the same app in Bottle."""
    app = bottle.Bottle()
    app.route("/file", "POST", lambda: str(
        bottle.request.files["file"].file.seek(0, os.SEEK_END)))
    app.route("/form", "POST", lambda: bottle.request.forms["field999"])
    return app


def falcon_upload(falcon: Any) -> Any:
    """Return the same app in Falcon, which leaves it to us to keep parts."""
    class Upload:
        def on_post(self, request: Any, response: Any) -> None:
            """Keep a file on disk and fields in memory."""
            fields = request.media
            if not isinstance(fields, dict):
                parts, fields = fields, {}
                for part in parts:
                    if part.filename is None:
                        fields[part.name] = part.text
                        continue
                    with tempfile.TemporaryFile() as file:
                        part.stream.pipe(file)
                        response.text = str(file.tell())
            response.text = fields.get("field999", response.text)
    app = falcon.App()
    handler = app.req_options.media_handlers["multipart/form-data"]
    handler.parse_options.max_body_part_count = 2000
    for path in ("/file", "/form"):
        app.add_route(path, Upload())
    return app


UPLOAD_APPS = {"microflask": flask_upload, "flask": flask_upload,
               "bottle": bottle_upload, "falcon": falcon_upload}


def prepare_uploads(peer: str, module: Any) -> Round:
    """Put the bodies on disk, check their answers, look at the memory."""
    app, files, grown = UPLOAD_APPS[peer](module), {}, {}
    for workload, (_, _, blocks, _, _) in UPLOADS.items():
        files[workload] = file = tempfile.TemporaryFile()
        file.writelines(blocks)

    def upload(workload: str) -> Environ:
        path, kind, *_ = UPLOADS[workload]
        size = files[workload].seek(0, os.SEEK_END)
        files[workload].seek(0)
        return make_environ("POST", path, files[workload], size, kind)
    for workload, (path, *_, answer) in UPLOADS.items():
        before = peak_memory(forget=True)
        check(f"{peer}, {workload}", app, upload(workload), "200",
              answer.encode())
        after = peak_memory()
        if path == "/file" and before and after:
            grown[f"{workload}, memory"] = max(0, after - before), "MB more"

    def measure() -> Figures:
        figures: Figures = {}
        for workload, (path, _, _, count, answer) in UPLOADS.items():
            spent = sum(microseconds(app, [upload(workload)])
                        for _ in range(count)) / count
            figures[workload] = (
                (int(answer) / spent, "MB/s") if path == "/file"
                else (spent, "us"))
        return {**figures, **grown}
    return measure


# -- server

# peer: workload -> (the app, the server).  "tiny" is a WSGI app of one line,
# "hello" a view that returns a string, in microflask or in Flask.
SERVERS = {
    "microflask": {"tiny": ("tiny", "microflask"),
                   "hello": ("microflask", "microflask"),
                   "hello, gunicorn": ("microflask", "gunicorn")},
    "flask": {"tiny": ("tiny", "werkzeug"), "hello": ("flask", "werkzeug"),
              "hello, gunicorn": ("flask", "gunicorn")},
    "waitress": {"tiny": ("tiny", "waitress")},
    "cheroot": {"tiny": ("tiny", "cheroot")},
    "wsgiref": {"tiny": ("tiny", "wsgiref")},
}
CONNECTIONS = [1, 16, 64]
SIZE = 10 * 1024 * 1024
HELLO = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BIG = b"GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def app_of(kind: str, path: str) -> Any:
    """Return an app that answers / with hello and /big with a file."""
    def tiny(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        is_big = environ["PATH_INFO"] == "/big"
        start_response("200 OK", [
            ("Content-Type", "application/octet-stream"),
            ("Content-Length", str(SIZE if is_big else 5))])
        if not is_big:
            return [b"hello"]
        file = open(path, "rb")
        wrapper = environ.get("wsgi.file_wrapper")
        return (wrapper(file, 65536) if wrapper
                else iter(lambda: file.read(65536), b""))
    if kind == "tiny":
        return tiny
    framework = importlib.import_module(kind)
    app = framework.Flask("hello")
    app.add_url_rule("/", "hello", lambda: "hello")
    app.add_url_rule("/big", "big", lambda: framework.send_file(path))
    return app


def serve(kind: str, server: str, port: int, path: str) -> None:
    """Serve an app for ever."""
    sys.path.insert(0, ROOT)
    app = app_of(kind, path)
    if server == "wsgiref":
        from wsgiref.simple_server import make_server
        make_server("127.0.0.1", port, app).serve_forever()
    elif server == "waitress":
        waitress: Any = importlib.import_module("waitress")
        waitress.serve(app, host="127.0.0.1", port=port)
    elif server == "cheroot":
        cheroot: Any = importlib.import_module("cheroot.wsgi")
        # Of itself it lets five wait, and the next ones for seconds.
        cheroot.Server(("127.0.0.1", port), app, request_queue_size=64).start()
    else:
        theirs: Any = importlib.import_module(
            "werkzeug.serving" if server == "werkzeug" else server)
        theirs.run_simple("127.0.0.1", port, app, threaded=True)


def connect(port: int, request: bytes) -> socket.socket:
    """Return a connection that has sent a request."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(request)
    return connection


def head_of_hello(port: int) -> bytes:
    """Return the head of an answer; check that it is the right one."""
    data = b""
    with connect(port, HELLO) as connection:
        while not data.endswith(b"\r\n\r\nhello"):
            part = connection.recv(65536)
            if not part:
                sys.exit(f"No answer to {HELLO!r}, but {data!r}")
            data += part
    if b" 200 OK" not in data[:15]:
        sys.exit(f"Not 200: {data!r}")
    return data.lower()


def answers_a_second(port: int, count: int, seconds: float = 0.25) -> float:
    """Return how many requests are answered over some connections."""
    selector, answered = selectors.DefaultSelector(), 0
    head = head_of_hello(port)
    for _ in range(count):
        selector.register(connect(port, HELLO), 1, bytearray())
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        for key, _ in selector.select(0.1):
            connection: Any = key.fileobj
            key.data.extend(connection.recv(65536))
            if not key.data.endswith(b"\r\n\r\nhello"):
                continue
            answered += 1
            key.data.clear()
            if b"connection: close" not in head and b"/1.1" in head:
                connection.send(HELLO)
                continue
            selector.unregister(connection)
            connection.close()
            selector.register(connect(port, HELLO), 1, key.data)
    seconds = time.perf_counter() - start
    for key in list(selector.get_map().values()):
        selector.unregister(key.fileobj)
        key.fileobj.close()     # type: ignore[union-attr]
    selector.close()
    return answered / seconds


def megabytes_a_second(port: int, path: str) -> float:
    """Return how fast a file arrives."""
    buffer, size = bytearray(SIZE + 65536), 0
    start = time.perf_counter()
    with connect(port, BIG) as connection:
        while count := connection.recv_into(memoryview(buffer)[size:]):
            size += count
    seconds = time.perf_counter() - start
    with open(path, "rb") as file:
        if buffer[size - SIZE:size] != file.read():
            sys.exit(f"Another file of {size} bytes: {bytes(buffer[:300])!r}")
    return SIZE / 1e6 / seconds


def launch(kind: str, server: str, path: str) -> int:
    """Start a server, to end with this process, and return its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [__file__, "--server", kind, server, str(port), path]
    if server == "gunicorn":
        command = ["-m", "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}",
                   f"--pythonpath={ROOT},{os.path.dirname(__file__)}",
                   f"benchmark:app_of({kind!r}, {path!r})"]
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)     # Ctrl-C is not for the server.
    atexit.register(process.wait)
    atexit.register(process.terminate)
    while process.poll() is None:
        try:
            connect(port, b"").close()
            return port
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{kind} does not start under {server}.")


def prepare_server(peer: str, module: Any) -> Round:
    """Start the servers of a peer, and write the file that they send."""
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "big.bin")
    with open(path, "wb") as file:
        file.write(os.urandom(SIZE))
    atexit.register(folder.cleanup)
    ports = {workload: launch(kind, server, path)
             for workload, (kind, server) in SERVERS[peer].items()
             if server != "gunicorn" or has(server)}

    def measure() -> Figures:
        figures: Figures = {}
        for workload, port in ports.items():
            for count in CONNECTIONS:
                # wsgiref lets five wait, the others wait long.
                if peer != "wsgiref" or count == 1:
                    figures[f"{workload} | {count} at a time"] = (
                        answers_a_second(port, count), "/s")
            figures[f"{workload} | download"] = (
                megabytes_a_second(port, path), "MB/s")
        return figures
    return measure


# -- all of them

AREAS = {
    "requests": Area(
        "CPU time of a request", REQUEST_APPS, prepare_requests, 7),
    "routes": Area(
        "CPU time of a request among many rules, and of making the app; given"
        f" up after {PATIENCE} seconds, then microflask is at least so good",
        ROUTERS, prepare_routes, 3),
    "templates": Area(
        "CPU time of a page", SOURCES, prepare_templates, 7),
    "start": Area(
        "a fresh process, until its first answer", STARTS, prepare_start, 7),
    "uploads": Area(
        "CPU time of reading a form, files go to disk",
        UPLOAD_APPS, prepare_uploads, 3),
    "server": Area(
        "answers a second over 1, 16 and 64 connections, and a download",
        SERVERS, prepare_server, 3),
}
NAMES = sorted({peer for area in AREAS.values() for peer in area.peers}
               - {"microflask"})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=AREAS, action="append",
                        help="measure this area; may be given again")
    parser.add_argument("--against", choices=NAMES, action="append",
                        help="leave out the other peers; may be given again")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--server", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
    elif options.server:
        kind, server, port, path = options.server
        serve(kind, server, int(port), path)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Measure the areas that were asked for, print and keep the figures."""
    found: dict[str, Any] = {
        "date": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
        "python": platform.python_version(),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "versions": {name: version_of(name)
                     for name in ("werkzeug", "gunicorn") if has(name)},
        "areas": {}}
    print(f"Python {found['python']} on {platform.platform()},"
          f" {os.cpu_count()} CPUs; median (lowest-highest), and how many"
          " times as good microflask is")
    for name in options.only or AREAS:
        area = AREAS[name]
        peers = [peer for peer in area.peers if peer == "microflask"
                 or peer in (options.against or area.peers)]
        if len(peers) == 1 and not options.only:
            continue
        versions, table = interleave(
            name, peers, options.rounds or area.rounds)
        missing = ", ".join(peer for peer in peers if peer not in versions)
        print(f"\n{name}: {area.about}"
              + (f"; not installed: {missing}" if missing else ""))
        show(table)
        sys.stdout.flush()
        found["areas"][name] = table
        found["versions"].update(versions)
    print("\n" + ", ".join(
        f"{name} {version}" for name, version in found["versions"].items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
