"""A tool with a page: it copies, checks or waits, and shows how far it is.

Run:  python3 examples/tool_dashboard.py [SECONDS]
Try:  GET /               -> 200 <progress
      POST /stop          -> 202 stopping
      GET /events         -> 200 ,"total":100}
      GET /stop           -> 405

The page lies on a free port of this machine; in a terminal it opens by itself.
The tool does its work in the main thread while the server answers in others,
and tells the page of each step by server-sent events.  When the work is done,
or on Ctrl-C, the server stops and frees the port.
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import threading  # noqa: E402
import webbrowser  # noqa: E402
from collections.abc import Iterator  # noqa: E402

from microflask import Flask, Response, json  # noqa: E402

app = Flask(__name__)
stopping = threading.Event()
progress = {"done": 0, "total": 100}

PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Tool</title>
<style>
body { max-width: 30rem; margin: 3rem auto; padding: 0 1rem;
  font: 1.1rem system-ui; color-scheme: light dark }
progress { width: 100%; height: 2rem }
</style>
<h1>The tool at work</h1>
<progress id="bar" value="0" max="1"></progress>
<p id="text">Waiting for the first step.</p>
<form method="post" action="/stop"><button>Stop</button></form>
<script>
const events = new EventSource("/events");
events.onmessage = event => {
  const {done, total} = JSON.parse(event.data);
  bar.value = done; bar.max = total;
  text.textContent = `${done} of ${total} steps done`;
  if (done == total) events.close();
};
events.onerror = () => { text.textContent += ". It has stopped."; };
</script>
</html>
"""


@app.get("/")
def index() -> str:
    return PAGE


@app.get("/events")
def events() -> Response:
    def figures() -> Iterator[str]:
        while True:
            yield f"data: {json.dumps(progress, separators=(',', ':'))}\n\n"
            is_done = progress["done"] == progress["total"]
            if is_done or stopping.wait(0.2):
                return
    return Response(figures(), mimetype="text/event-stream",
                    headers={"Cache-Control": "no-store"})


@app.post("/stop")
def stop() -> tuple[str, int]:
    stopping.set()
    return "It is stopping after this step.", 202


def work(seconds: float) -> None:
    """Do the work of the tool, step by step."""
    while progress["done"] < progress["total"] and not stopping.wait(
            seconds / progress["total"]):
        progress["done"] += 1


def main(seconds: float) -> None:
    """Work for some seconds, with a page to watch and to stop it."""
    from microflask import make_server
    with make_server("127.0.0.1", 0, app, threaded=True) as server:
        url = f"http://127.0.0.1:{server.port}/"
        print(f"See {url}", flush=True)
        if sys.stdout.isatty():
            webbrowser.open(url)
        try:
            work(seconds)
        except KeyboardInterrupt:
            stopping.set()
    print(f"Did {progress['done']} of {progress['total']} steps.")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 60)
