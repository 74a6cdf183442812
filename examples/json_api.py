"""A JSON API: notes in SQLite, validated, paged, with errors as JSON.

Run:  python3 examples/json_api.py
Try:  GET /notes                                    -> 200 []
      POST /notes {"title": "Milk", "text": "2 l"}  -> 201 Milk
      GET /notes/1                                  -> 200 Milk
      PUT /notes/1 {"title": "Bread"}               -> 200 Bread
      POST /notes {"title": ""}                     -> 422 title
      POST /notes [1]                               -> 422 object
      GET /notes?per_page=x                         -> 400 per_page
      DELETE /notes/1                               -> 204
      GET /notes/1                                  -> 404 error
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import sqlite3  # noqa: E402
from typing import Any  # noqa: E402

from microflask import (  # noqa: E402
    Flask, HTTPException, Response, abort, g, jsonify, request, url_for)

app = Flask(__name__)
app.config.from_mapping(DATABASE="notes.db", PER_PAGE=20)
app.config.from_prefixed_env("NOTES")


def database() -> sqlite3.Connection:
    """Return this request's connection; it is closed at the end."""
    if "database" not in g:
        g.database = sqlite3.connect(app.config["DATABASE"])
        g.database.row_factory = sqlite3.Row
        g.database.execute(
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY,"
            " title TEXT NOT NULL, text TEXT NOT NULL)")
    connection: sqlite3.Connection = g.database
    return connection


@app.teardown_appcontext
def close_database(error: Any) -> None:
    if "database" in g:
        g.pop("database").close()


@app.errorhandler(HTTPException)
def error_as_json(error: HTTPException) -> Any:
    return {"error": error.name, "reason": error.description}, error.code


def valid_note(old: Any = None) -> dict[str, str]:
    """Return the note in the body; 422 says what is wrong with it."""
    body = request.get_json()
    if not isinstance(body, dict):
        abort(422, "The body must be a JSON object.")
    note = {"title": "", "text": "", **(dict(old) if old else {}), **body}
    for field in ("title", "text"):
        if not isinstance(note[field], str):
            abort(422, f"The field {field!r} must be a string.")
    if not note["title"].strip():
        abort(422, "The field 'title' must not be empty.")
    return {"title": note["title"].strip(), "text": note["text"]}


def find(number: int) -> Any:
    """Return a note's row, or answer 404."""
    row = database().execute(
        "SELECT * FROM notes WHERE id = ?", [number]).fetchone()
    if row is None:
        abort(404, f"There is no note {number}.")
    return row


def positive(name: str, default: int, most: int) -> int:
    """Return a number from the query, or answer 400."""
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        abort(400, f"The parameter {name!r} must be from 1 to {most}.")
    return int(text)


@app.get("/notes")
def index() -> Response:
    page = positive("page", 1, 10**6)
    size = positive("per_page", app.config["PER_PAGE"], 100)
    rows = database().execute(
        "SELECT * FROM notes ORDER BY id LIMIT ? OFFSET ?",
        [size + 1, (page - 1) * size]).fetchall()
    response = jsonify([dict(row) for row in rows[:size]])
    wanted = {"prev": page - 1 if page > 1 else None,
              "next": page + 1 if len(rows) > size else None}
    for relation, other in wanted.items():
        if other is not None:
            url = url_for("index", page=other, per_page=size)
            response.headers.add("Link", f'<{url}>; rel="{relation}"')
    return response


@app.post("/notes")
def create() -> Any:
    note = valid_note()
    with database() as connection:
        cursor = connection.execute(
            "INSERT INTO notes (title, text) VALUES (:title, :text)", note)
    number = cursor.lastrowid
    return ({"id": number, **note}, 201,
            {"Location": url_for("show", number=number)})


@app.get("/notes/<int:number>")
def show(number: int) -> Any:
    return dict(find(number))


@app.put("/notes/<int:number>")
def update(number: int) -> Any:
    note = valid_note(find(number))
    with database() as connection:
        connection.execute("UPDATE notes SET title = ?, text = ? WHERE id = ?",
                           [note["title"], note["text"], number])
    return dict(find(number))


@app.delete("/notes/<int:number>")
def delete(number: int) -> Any:
    find(number)
    with database() as connection:
        connection.execute("DELETE FROM notes WHERE id = ?", [number])
    return "", 204


if __name__ == "__main__":
    app.run()
