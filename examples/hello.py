"""Hello: the smallest program.

Run:  python3 examples/hello.py
Try:  GET /              -> 200 Hello, world!
      GET /hello/Ada     -> 200 Hello, Ada!
      GET /hello/<b>     -> 200 Hello, &lt;b&gt;!
      GET /nowhere       -> 404
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from microflask import Flask, escape, url_for  # noqa: E402

app = Flask(__name__)


@app.route("/")
def index() -> str:
    return f'Hello, world! <a href="{url_for("hello", name="Ada")}">Ada?</a>'


@app.route("/hello/<name>")
def hello(name: str) -> str:
    return f"Hello, {escape(name)}!"


if __name__ == "__main__":
    app.run()
