"""A tool that ships a copy of the file: vendored, renamed, on its own.

Run:  python3 examples/tool_vendored.py
Try:  GET /              -> 200 the Flask of 'microflask'
      GET /report/       -> 200 the Flask of 'report._vendor.web'
      GET /report/count  -> 200 1 request
      GET /report/count  -> 200 2 requests
      GET /report/no     -> 404

The tool is a package, "report", whose copy is report/_vendor/web.py.  It works
beside any app, even one that is made with another copy.  Here it is written to
a temporary folder; in your project you type this once, and keep the copy:

      python3 microflask.py vendor report/_vendor/web.py
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import atexit  # noqa: E402
import importlib  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402

import microflask  # noqa: E402
from microflask import DispatcherMiddleware, Flask  # noqa: E402

TOOL = '''
from ._vendor.web import Flask, session

app = Flask(__name__)
app.secret_key = "only an example"

@app.get("/")
def index():
    return f"The report uses the Flask of {Flask.__module__!r}."

@app.get("/count")
def count():
    session["count"] = n = session.get("count", 0) + 1
    return f"{n} request{'s' if n > 1 else ''}"
'''


folder = tempfile.mkdtemp()
atexit.register(shutil.rmtree, folder)
for name, text in {"report/__init__.py": TOOL,
                   "report/_vendor/__init__.py": ""}.items():
    os.makedirs(os.path.dirname(f"{folder}/{name}"))
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
subprocess.run([sys.executable, str(microflask.__file__), "vendor",
                f"{folder}/report/_vendor/web.py"], check=True)
sys.path.insert(0, folder)
tool = importlib.import_module("report").app

app = Flask(__name__)


@app.route("/")
def index() -> str:
    return f"This app uses the Flask of {Flask.__module__!r}."


app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, {"/report": tool})

if __name__ == "__main__":
    app.run()
