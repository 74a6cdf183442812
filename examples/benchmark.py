"""Time microflask beside others: requests, templates, the server.

Run:  python3 examples/benchmark.py [--rounds N] [--only AREA]
Try:  it prints CPU microseconds for each of ten requests, and how many times
      as long the frameworks take that are installed (Flask, Bottle, Falcon);
      CPU milliseconds for each of four pages (Jinja2, Mako, Bottle); then
      answers a second, and megabytes a second of a download, for each server
      that is installed (Flask's own, waitress, cheroot, wsgiref)

Each of them runs in a process of its own.  Their rounds take turns and the
median counts, because a machine is never quiet.  What is timed is checked
before: its answer, or its text against the one that microflask makes.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import logging
import math
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
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


def start(*arguments: str) -> Any:
    """Return a process of this program, and the first thing that it says."""
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def compare_engines(rounds: int) -> None:
    """Time all engines that are installed and print the table."""
    running: dict[str, Any] = {}
    times: dict[str, dict[str, list[float]]] = {}
    right: dict[str, str] = {}
    for engine in ENGINES:
        process, pages = start("--engine", engine)
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


# -- requests

# Each app is called in process, with what a server would give it.
FRAMEWORKS = ["microflask", "flask", "bottle", "falcon"]
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


def environ_of(workload: str) -> dict[str, Any]:
    """Return a new environ for a request."""
    method, target, body, kind, more = REQUESTS[workload]
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path,
        "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*", "HTTP_USER_AGENT": "benchmark", **more,
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": False,
        "wsgi.run_once": False}
    if body:
        environ.update(CONTENT_LENGTH=str(len(body)), CONTENT_TYPE=kind)
    return environ


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


def time_requests(name: str) -> None:
    """Answer each line of the input with the CPU seconds of each request."""
    sys.path.insert(0, ROOT)
    make = {"bottle": bottle_app, "falcon": falcon_app}.get(name, flask_app)
    try:
        framework = importlib.import_module(name)
    except ImportError:
        print(json.dumps(None), flush=True)
        return
    logging.disable(logging.CRITICAL)
    apps = {workload: make(framework, workload) for workload in REQUESTS}
    head: list[str] = []

    def answered(app: Any, environ: dict[str, Any]) -> bytes:
        body = app(environ, lambda status, headers, exc_info=None:
                   head.append(status))
        try:
            return b"".join(body)
        finally:
            getattr(body, "close", lambda: None)()
    for workload, app in apps.items():
        if app is not None:
            body = answered(app, environ_of(workload))
            wanted = "404" if workload == "404" else "200"
            if head.pop()[:3] != wanted or ANSWERS[workload] not in body:
                sys.exit(f"{name} answers {workload} by {body!r}")
    print(json.dumps(True), flush=True)
    for _ in sys.stdin:
        times = {}
        for workload, app in apps.items():
            if app is not None:
                environs = [environ_of(workload) for _ in range(300)]
                start = time.process_time()
                for environ in environs:
                    answered(app, environ)
                times[workload] = (time.process_time() - start) / 300
                head.clear()
        print(json.dumps(times), flush=True)


def compare_requests(rounds: int) -> None:
    """Time all frameworks that are installed and print the table."""
    running: dict[str, Any] = {}
    times: dict[str, dict[str, list[float]]] = {}
    for name in FRAMEWORKS:
        process, is_there = start("--framework", name)
        if is_there is None:
            print(f"{name}: not installed")
        else:
            running[name], times[name] = process, {}
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr)
        for name, process in running.items():
            print("go", file=process.stdin, flush=True)
            for workload, seconds in json.loads(
                    process.stdout.readline()).items():
                times[name].setdefault(workload, []).append(seconds)
    print(file=sys.stderr)
    for process in running.values():
        process.communicate()
    print(f"Python {sys.version.split()[0]}, CPU microseconds a request:"
          " median (lowest to highest), times as long as microflask")
    for workload in REQUESTS:
        ours = statistics.median(times["microflask"][workload])
        for name, found in times.items():
            if workload in found:
                each = [1e6 * seconds for seconds in found[workload]]
                middle = statistics.median(each)
                print(f"{workload:8} {name:10} {middle:8.1f} ({min(each):.1f}"
                      f" to {max(each):.1f})  {middle / ours / 1e6:5.2f}")


# -- servers

# name: (the app, the server): "tiny" is a WSGI app of one line, "hello" a view
# that returns a string, in microflask or in Flask.
SERVERS = {
    "microflask, tiny": ("tiny", "microflask"),
    "microflask, hello": ("microflask", "microflask"),
    "Flask, hello": ("flask", "werkzeug"),
    "Werkzeug, tiny": ("tiny", "werkzeug"),
    "waitress, tiny": ("tiny", "waitress"),
    "cheroot, tiny": ("tiny", "cheroot"),
    "wsgiref, tiny": ("tiny", "wsgiref"),
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


def serve(name: str, port: int, path: str) -> None:
    """Serve for ever what one row of SERVERS says."""
    sys.path.insert(0, ROOT)
    kind, server = SERVERS[name]
    app = app_of(kind, path)
    if server == "wsgiref":
        from wsgiref.simple_server import make_server
        make_server("127.0.0.1", port, app).serve_forever()
    elif server == "waitress":
        waitress: Any = importlib.import_module("waitress")
        waitress.serve(app, host="127.0.0.1", port=port)
    elif server == "cheroot":
        cheroot: Any = importlib.import_module("cheroot.wsgi")
        cheroot.Server(("127.0.0.1", port), app).start()
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


def answers_a_second(port: int, count: int, seconds: float = 0.7) -> float:
    """Return how many requests are answered over some connections."""
    selector, answered = selectors.DefaultSelector(), 0
    head = head_of_hello(port)
    if count > 1 and head.startswith(b"http/1.0"):
        return math.nan     # wsgiref lets five wait, the others wait long.
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


def launch(name: str, path: str) -> tuple[Any, int] | None:
    """Return the process of a server and its port, None if not installed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, "--server", name, str(port), path],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            connect(port, b"").close()
            return process, port
        except OSError:
            time.sleep(0.05)
    return None


def compare_servers(rounds: int) -> None:
    """Time all servers that are installed and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "big.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(SIZE))
        running = {name: launch(name, path) for name in SERVERS}
        rates: dict[str, list[list[float]]] = {}
        try:
            for number in range(rounds):
                print(f"\rround {number + 1} of {rounds}", end="",
                      file=sys.stderr)
                for name, found in running.items():
                    if found is not None:
                        rates.setdefault(name, []).append([
                            *[answers_a_second(found[1], count)
                              for count in CONNECTIONS],
                            megabytes_a_second(found[1], path)])
        finally:
            for found in running.values():
                if found is not None:
                    found[0].kill()
                    found[0].wait()
    print(file=sys.stderr)
    show_servers(rates)


def show_servers(rates: dict[str, list[list[float]]]) -> None:
    """Print the medians, and how often they go into the first row's."""
    columns = [*[f"{count} connections" for count in CONNECTIONS], "MB/s"]
    print(f"Python {sys.version.split()[0]}, answers a second over kept"
          " connections, and a download: median (microflask's, by it)")
    print(" " * 18, *[f"{column:>20}" for column in columns])
    first: list[float] = []
    for name in SERVERS:
        if name not in rates:
            print(f"{name:18} not installed")
            continue
        medians = [statistics.median(column) for column in zip(*rates[name])]
        first = first or medians
        print(f"{name:18}", *[
            f"{median:12.0f} ({best / median:5.2f})"
            for median, best in zip(medians, first)])


AREAS = {"requests": compare_requests, "templates": compare_engines,
         "server": compare_servers}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=AREAS)
    parser.add_argument("--framework", help=argparse.SUPPRESS)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--server", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.framework:
        time_requests(options.framework)
    elif options.engine:
        work(options.engine)
    elif options.server:
        name, port, path = options.server
        serve(name, int(port), path)
    else:
        for area in [options.only] if options.only else AREAS:
            AREAS[area](options.rounds)


if __name__ == "__main__":
    main()
