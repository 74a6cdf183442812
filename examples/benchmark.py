"""Time microflask's templates and its server beside those of others.

Run:  python3 examples/benchmark.py [--rounds N] [--only templates|server]
Try:  it prints CPU milliseconds for each page, and how many times faster
      microflask is than each engine that is installed (Jinja2, Mako, Bottle);
      then answers a second, and megabytes a second of a download, for each
      server that is installed (Flask's own, waitress, cheroot, wsgiref)

Each engine and server runs in a process of its own.  Their rounds take turns
and the median counts, because a machine is never quiet.  Before a page is
timed, its text is compared with the one that microflask makes; every answer
of a server is checked.
"""

from __future__ import annotations

import argparse
import importlib
import json
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


def start(engine: str) -> Any:
    """Return the process of an engine, and the texts of its pages or None."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--engine", engine],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def compare_engines(rounds: int) -> None:
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


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["templates", "server"])
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--server", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        work(options.engine)
    elif options.server:
        name, port, path = options.server
        serve(name, int(port), path)
    else:
        if options.only != "server":
            compare_engines(options.rounds)
        if options.only != "templates":
            compare_servers(options.rounds)


if __name__ == "__main__":
    main()
