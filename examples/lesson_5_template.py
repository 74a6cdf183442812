"""Lesson 5: how a text becomes Python, and Python becomes a page.

Run:  python3 examples/lesson_5_template.py
Try:  python3 examples/lesson_5_template.py '1 + 2 is ${1 + 2}'
      python3 examples/lesson_5_template.py '${users | lenght}'
      python3 examples/lesson_5_template.py '${users.__class__}'
"""
# The next two lines find microflask.py beside this folder: delete them when
# you copy this file.
import os, sys  # noqa: E401
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from microflask import Template, TemplateError, _Splitter  # noqa: E402

TEXT = """\
<ul>
$for user in users:
  <li>${loop.index}. ${user.name | title}
$end
</ul>
"""
NAMES = {"users": [{"name": "ada"}, {"name": "<script>alert(1)</script>"}]}


def say(lesson: str) -> None:
    print("\n# " + lesson.replace("\n", "\n# ") + "\n")


def explain(text: str) -> None:
    """Print the four shapes of a template: text, pieces, Python, page."""
    say("1. A template is a text.  A dollar opens what is not text.")
    print(text)
    template = Template(text)
    say("2. Split: a regular expression cuts it into pieces: line, column,\n"
        "kind, text.  A statement alone on its line takes the line with it.")
    splitter = _Splitter(template)
    for piece in splitter.pieces():
        line, column = splitter.place(piece.position)
        print(f"{line:3}:{column:<3} {piece.word:8} {piece.text!r}")
    say("3. Parse and generate: Python reads each expression, and four of\n"
        "its operators get another meaning: `user.name` becomes a call that\n"
        "asks for the item, too, `x | title` the call of a filter.  Texts\n"
        "and values stand in f-strings (shown as joins, which older Pythons\n"
        "can show), and a generator function yields them.  It returns its\n"
        "names for those who import from it; `if 0: yield` makes it a\n"
        "generator even if it prints nothing.")
    print(template.source)
    say("4. Run: the function is given the names and yields the page.  Its\n"
        "__text escapes each value, so that a name can't become a script.")
    print(template.render(NAMES))


if __name__ == "__main__":
    try:
        explain("\n".join(sys.argv[1:]) or TEXT)
    except TemplateError as error:
        say("It stops here, and says what, where and perhaps what you meant:")
        sys.exit(str(error))
