"""To do: a complete small app: forms, SQLite, a session, templates.

Run:  python3 examples/todo.py
Try:  GET /                     -> 200 Nothing to do
      POST / title=Milk+<2+l>   -> 303
      GET /                     -> 200 Milk &lt;2 l&gt; is on the list.
      POST /1/tick              -> 303
      GET /                     -> 200 0 to do, 1 done
      POST / title=             -> 422 Say what is to be done.
      POST / name=Milk          -> 400 Bad Request
      POST /1/delete            -> 303
      POST /1/delete            -> 404 There is no task 1.
      GET /1/tick               -> 405 Method Not Allowed

A list belongs to a browser: the session holds its owner.  Set TODO_SECRET_KEY,
and the sessions outlive a restart; TODO_DATABASE says where the lists are.
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import secrets  # noqa: E402
import sqlite3  # noqa: E402
from typing import Any  # noqa: E402

from microflask import (  # noqa: E402
    Blueprint, DictLoader, Flask, HTTPException, abort, flash, g, redirect,
    render_template, request, session, url_for)

app = Flask(__name__)
app.config.from_mapping(
    DATABASE=os.path.join(app.instance_path, "todo.db"), LONGEST=80,
    MAX_CONTENT_LENGTH=10_000, SECRET_KEY=secrets.token_hex(),
    SESSION_COOKIE_SAMESITE="Lax")  # So no other site can press our buttons.
app.config.from_prefixed_env("TODO")
todo = Blueprint("todo", __name__)
CHANGES = {"tick": "UPDATE tasks SET done = NOT done WHERE id = ?",
           "delete": "DELETE FROM tasks WHERE id = ?"}


def database() -> sqlite3.Connection:
    """Return this request's connection; it is closed at the end."""
    if "database" not in g:
        path = os.path.abspath(app.config["DATABASE"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        g.database = sqlite3.connect(path)
        g.database.row_factory = sqlite3.Row
        g.database.execute(
            "CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, owner"
            " TEXT NOT NULL, title TEXT NOT NULL, done INTEGER NOT NULL)")
    connection: sqlite3.Connection = g.database
    return connection


@app.teardown_appcontext
def close_database(error: Any) -> None:
    if "database" in g:
        g.pop("database").close()


@app.errorhandler(HTTPException)
def error_page(error: HTTPException) -> Any:
    response = error.get_response()
    response.data = render_template("error.html", error=error)
    return response


def page(title: str = "", error: str = "") -> str:
    tasks = database().execute(
        "SELECT * FROM tasks WHERE owner = ? ORDER BY done, id DESC",
        [session.get("owner")]).fetchall()
    return render_template("todo.html", tasks=tasks, title=title, error=error)


@todo.get("/")
def index() -> str:
    return page()


@todo.post("/")
def add() -> Any:
    title, longest = request.form["title"].strip(), app.config["LONGEST"]
    if not title:
        return page(title, "Say what is to be done."), 422
    if len(title) > longest:
        return page(title, f"Say it in {longest} characters."), 422
    session.permanent = True
    owner = session.setdefault("owner", secrets.token_hex())
    with database() as connection:
        connection.execute("INSERT INTO tasks (owner, title, done)"
                           " VALUES (?, ?, 0)", [owner, title])
    flash(f"{title} is on the list.")
    return redirect(url_for("todo.index"), 303)


@todo.post("/<int:number>/<any(tick, delete):action>")
def change(number: int, action: str) -> Any:
    task = database().execute(
        "SELECT * FROM tasks WHERE id = ? AND owner = ?",
        [number, session.get("owner")]).fetchone()
    if task is None:
        abort(404, f"There is no task {number}.")
    with database() as connection:
        connection.execute(CHANGES[action], [number])
    if action == "delete":
        flash(f"{task['title']} is deleted.")
    return redirect(url_for("todo.index"), 303)


app.register_blueprint(todo)
app.jinja_loader = DictLoader({"layout.html": """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${block title:}To do${end}</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1d2733; --page: #eef1f0;
  --card: #fff; --edge: #71807c; --main: #0a6457; --wrong: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebe9;
  --page: #12171a; --card: #1d2529; --edge: #7f8f8b; --main: #6fd3c0;
  --wrong: #ff9d92 } }
* { box-sizing: border-box; font: inherit; color: inherit; margin: 0 }
body { max-width: 36rem; margin: auto; padding: 2rem 1rem;
  font: 1.125rem/1.5 system-ui, sans-serif; background: var(--page);
  color: var(--ink); overflow-wrap: anywhere }
main, ul { display: grid; gap: .75rem; padding: 0; list-style: none }
h1 { font-size: 1.75rem; font-weight: 700; margin-bottom: 1rem }
a { color: var(--main) }
.row { display: flex; gap: .5rem; align-items: center }
form .row { margin: .375rem 0 }
.row > input, .row > span { flex: 1; min-width: 0 }
input, button { display: block; min-height: 2.75rem; min-width: 2.75rem;
  padding: 0 .75rem; background: var(--card); border-radius: .5rem;
  border: 1px solid var(--edge) }
button { cursor: pointer }
.row > button, .done .tick { background: var(--main); color: var(--card) }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px }
li { background: var(--card); border-radius: .75rem; padding: .5rem }
.done span { text-decoration: line-through; opacity: .75 }
.note { border-left: .25rem solid var(--main); padding-left: .75rem }
.wrong { color: var(--wrong) }
[aria-invalid] { border: 2px solid var(--wrong) }
</style>
<h1>${block head:}To do${end}</h1>
<main>
$for message in get_flashed_messages():
<p class="note" role="status">$message</p>
$end
$block main:
$end
</main>
""", "forms.html": """\
$def field(label, name, value, error=""):
<label for="$name">$label</label>
<div class="row">
<input id="$name" name="$name" value="$value" autocomplete="off"
${if error:} aria-invalid="true" aria-describedby="$name-wrong" autofocus
${end}>${caller()}</div>
$if error:
<p class="wrong" id="$name-wrong">$error</p>
$end
$end
$def press(task, action, name, sign):
<form method="post"
 action="${url_for('todo.change', number=task.id, action=action)}">
<button class="$action" aria-label="$name: ${task.title}">$sign</button></form>
$end
""", "todo.html": """\
$extends "layout.html"
$from "forms.html" import field, press
${block title:}${if error:}Wrong: ${end}${super()}${end}
$block main:
<form method="post">
$call field("What is to be done?", "title", title, error):
<button>Add</button>
$end
</form>
<ul>
$for task in tasks:
$set name, sign = ("Untick", "\u2713") if task.done else ("Tick", "")
<li class="row${' done' if task.done else ''}">
${press(task, "tick", name, sign)}
<span>${task.title}</span>
${press(task, "delete", "Delete", "\u00d7")}
</li>
$else:
<li>Nothing to do. Enjoy the day.</li>
$end
</ul>
$set done = tasks | map(attribute="done") | sum
${if tasks:}<p>${(tasks | length) - done} to do, $done done</p>${end}
$end
""", "error.html": """\
$extends "layout.html"
${block title:}${error.name}${end}
${block head:}${error.name}${end}
$block main:
<p>${error.description}</p>
<p><a href="${url_for('todo.index')}">Back to the list</a></p>
$end
"""})

if __name__ == "__main__":
    app.run()
