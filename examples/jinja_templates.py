"""Jinja: the pages of another template engine, behind app.template_engine.

Run:  pip install jinja2, then python3 examples/jinja_templates.py
Try:  GET /             -> 200 <li>1. Ada</li>
      GET /?name=<bob>  -> 200 <li>2. &lt;Bob&gt;</li>
      GET /old          -> 200 <h1>Names</h1>
      GET /text         -> 200 /text has 2 names.
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from typing import Any  # noqa: E402

from microflask import (  # noqa: E402
    Flask, render_template, render_template_string, request)

try:
    import jinja2
except ImportError:
    sys.exit("This example shows Jinja, which is not here: pip install jinja2")

app = Flask(__name__)
PAGES = {"layout.html": "<h1>{% block title %}{% endblock %}</h1>"
                        "<ul>{% block main %}{% endblock %}</ul>",
         "names.html": """{% extends "layout.html" %}
{% block title %}Names{% endblock %}
{% block main %}{% for name in names %}
<li>{{ loop.index }}. {{ name | title }}</li>
{% endfor %}{% endblock %}"""}


class Jinja(jinja2.Environment):
    """Jinja, which has another method for several names."""

    def get_template(self, name: Any, *args: Any, **options: Any) -> Any:
        if isinstance(name, (list, tuple)):
            return self.select_template(name, *args, **options)
        return super().get_template(name, *args, **options)


# For files: jinja2.FileSystemLoader(os.path.join(app.root_path, "templates"))
engine = Jinja(loader=jinja2.DictLoader(PAGES),
               autoescape=app.select_jinja_autoescape)
engine.globals.update(app.jinja_env.globals)  # url_for, request, session, ...
app.template_engine = engine


@app.route("/")
def index() -> str:
    names = ["ada", *request.args.getlist("name")]
    return render_template("names.html", names=names)


@app.route("/old")
def old() -> str:
    return render_template(["new.html", "names.html"], names=[])


@app.route("/text")
def text() -> str:
    return render_template_string(
        "{{ request.path }} has {{ names | length }} names.", names=["a", "b"])


if __name__ == "__main__":
    app.run()
