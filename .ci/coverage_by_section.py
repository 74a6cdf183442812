"""Hold the coverage of each section of microflask.py against its bar.

Usage: coverage_by_section.py COVERAGE.json
Sections 1 to 19 need every line and branch, the others 97 of 100.
"""
import json
import re
import sys

BANNER = re.compile(r"^# =+\n# (\d+)\. (.+)\n# =+$", re.M)
WHOLE = range(1, 20)

with open("microflask.py", encoding="utf-8") as file:
    source = file.read()
with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)["files"]["microflask.py"]
starts = [(source.count("\n", 0, m.start()) + 1, int(m[1]), m[2])
          for m in BANNER.finditer(source)]


def section_of(line):
    """Return the number of the section that a line stands in."""
    number = 0
    for first, section, _ in starts:
        if first <= line:
            number = section
    return number


counts = {}
for kind, hit in (("executed", True), ("missing", False)):
    for line in report[f"{kind}_lines"]:
        counts.setdefault(section_of(line), []).append((hit, str(line)))
    for start, end in report[f"{kind}_branches"]:
        counts.setdefault(section_of(start), []).append((hit, f"{start}->{end}"))

failed = False
rest = []
for number, marks in sorted(counts.items()):
    covered = sum(hit for hit, _ in marks)
    missing = [where for hit, where in marks if not hit]
    if number not in WHOLE:
        rest += marks
    print(f"{number:3} {100 * covered / len(marks):6.1f} %  {' '.join(missing)}")
    failed = failed or number in WHOLE and bool(missing)
share = 100 * sum(hit for hit, _ in rest) / len(rest)
print(f"outside sections 1 to 19: {share:.1f} %")
sys.exit(failed or share < 97)
