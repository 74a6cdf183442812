"""Hold one conversation with the same app on several real servers.

gunicorn (four workers, then threads), waitress and app.run() must give the
same answers: GET, form, 5 MB upload, stream, session, 404, HEAD, range.
"""
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APP = '''
import hashlib, io, os, sys
sys.path.insert(0, {root!r})
from microflask import Flask, request, send_file, session

app = Flask("conversation", root_path=os.getcwd())
app.secret_key = "the same in every process"

@app.get("/")
def index():
    return "hello"

@app.post("/form")
def form():
    return dict(request.form)

@app.post("/upload")
def upload():
    file = request.files["file"]
    digest = hashlib.sha256(file.read()).hexdigest()
    return [file.filename, file.content_type, digest]

@app.get("/stream")
def stream():
    return (f"part {{n}}\\n" for n in range(5))

@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])

@app.get("/file")
def file():
    return send_file(io.BytesIO(bytes(range(256)) * 100), download_name="a.bin")

if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
'''
BIN = os.path.dirname(sys.executable)
SERVERS = {
    "gunicorn, 4 workers": [f"{BIN}/gunicorn", "-w4", "-b127.0.0.1:{port}", "talk:app"],
    "gunicorn, threads": [
        f"{BIN}/gunicorn", "-w1", "--threads=8", "-b127.0.0.1:{port}", "talk:app"],
    "waitress": [f"{BIN}/waitress-serve", "--listen=127.0.0.1:{port}", "talk:app"],
    "app.run()": [sys.executable, "talk.py", "{port}"],
}
KEPT = ("content-type", "content-length", "content-range", "accept-ranges", "vary",
        "content-disposition", "cache-control", "etag")


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port, method, path, body=None, headers=None):
    """Return (status, kept headers, body or its digest, cookie)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    kept = {name: response.getheader(name) for name in KEPT if response.getheader(name)}
    if path == "/stream":
        kept.pop("content-length", None)
    if method == "HEAD":
        assert data == b""
    shown = data if len(data) < 500 else hashlib.sha256(data).hexdigest()
    return response.status, kept, shown, response.getheader("Set-Cookie")


def conversation(port):
    """Return every answer of the conversation."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        ask(port, "GET", "/"),
        ask(port, "POST", "/form", urllib.parse.urlencode({"a": "1", "b": "é"}), form),
        ask(port, "GET", "/stream"),
        ask(port, "GET", "/missing"),
        ask(port, "HEAD", "/"),
        ask(port, "GET", "/file", headers={"Range": "bytes=10-19"}),
        ask(port, "GET", "/file", headers={"Range": "bytes=99999-"}),
        ask(port, "POST", "/"),
        ask(port, "OPTIONS", "/form"),
    ]
    answers.append(ask(port, "POST", "/upload", UPLOAD,
                       {"Content-Type": "multipart/form-data; boundary=x"}))
    first = ask(port, "GET", "/count")
    second = ask(port, "GET", "/count", headers={"Cookie": first[3].partition(";")[0]})
    return answers + [first[:3], second[:3]]


UPLOAD = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n'
          b"Content-Type: application/octet-stream\r\n\r\n"
          + b"0123456789\r\n--y\r" * 333_334 + b"\r\n--x--\r\n")


def serve_and_talk(name, command):
    """Start a server, hold the conversation, stop it."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "talk.py"), "w", encoding="utf-8") as file:
            file.write(APP.format(root=ROOT))
        with open(os.path.join(folder, "log"), "w+b") as log:
            server = subprocess.Popen(
                [part.format(port=port) for part in command], cwd=folder,
                stdout=log, stderr=log)
            try:
                for _ in range(200):
                    try:
                        ask(port, "GET", "/")
                        break
                    except OSError:
                        time.sleep(0.05)
                return conversation(port)
            except Exception:
                log.seek(0)
                print(name, log.read().decode(errors="replace")[-3000:])
                raise
            finally:
                server.terminate()
                server.wait(20)


heard = {name: serve_and_talk(name, command) for name, command in SERVERS.items()}
expected = heard["gunicorn, 4 workers"]
assert [answer[0] for answer in expected] == [
    200, 200, 200, 404, 200, 206, 416, 405, 200, 200, 200, 200], expected
assert expected[-1][2] == b"2"
assert hashlib.sha256(b"0123456789\r\n--y\r" * 333_334).hexdigest().encode() in expected[9][2]
for name, answers in heard.items():
    for mine, other in zip(expected, answers):
        assert mine == other, f"{name}: {other} instead of {mine}"
    print(f"{name}: the same {len(answers)} answers")
