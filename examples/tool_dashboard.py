"""A tool with a page: it copies, checks or waits, and shows how far it is.

Run:  python3 examples/tool_dashboard.py [SECONDS]
Try:  GET /               -> 200 Nothing to do yet
      GET /status         -> 200 "done":0
      POST /stop          -> 202 stopping
      GET /status         -> 200 "stopping":true
      GET /stop           -> 405

The page lies on a free port of this machine and its address is printed.  The
tool does its work in the main thread while the server answers in others; when
the work is done, or on Ctrl-C, the server stops and frees the port.
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import threading  # noqa: E402
from typing import Any  # noqa: E402

from microflask import Flask, jsonify  # noqa: E402

app = Flask(__name__)
stopping = threading.Event()
progress = {"done": 0, "total": 0}


@app.route("/")
def index() -> str:
    done, total = progress["done"], progress["total"]
    text = f"{done} of {total} steps done" if total else "Nothing to do yet"
    return (
        "<!doctype html><html lang=en><title>Tool</title>"
        "<meta http-equiv=refresh content=1>"
        f"<p>{text}. <progress value={done} max={total or 1}></progress>"
        "<form method=post action=/stop><button>Stop</button></form>")


@app.route("/status")
def status() -> Any:
    return jsonify(stopping=stopping.is_set(), **progress)


@app.post("/stop")
def stop() -> tuple[str, int]:
    stopping.set()
    return "It is stopping after this step.", 202


def work(steps: int, seconds: float) -> None:
    """Do the work of the tool, step by step."""
    progress.update(done=0, total=steps)
    while progress["done"] < steps and not stopping.wait(seconds / steps):
        progress["done"] += 1


def main(seconds: float) -> None:
    """Work for some seconds, with a page to watch and to stop it."""
    from microflask import make_server
    with make_server("127.0.0.1", 0, app, threaded=True) as server:
        print(f"See http://127.0.0.1:{server.port}/", flush=True)
        try:
            work(100, seconds)
        except KeyboardInterrupt:
            stopping.set()
    print(f"Did {progress['done']} of {progress['total']} steps.")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 60)
