"""What was done to it, and what became of that: runs the tests of damage, faults, extremes and references, and counts.

    python benchmarks/faults.py            # some ten minutes on two cores
    python benchmarks/faults.py --write    # and puts the table into docs/faults.md

A test says with `record_property` what `kind` of thing it tried, and how many of them ended as `results` and how many
were `refused` with a sentence. A kind is left out, and this program ends with 1, where one of its tests fails.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- made by benchmarks/faults.py -->\n", "<!-- end of what it made -->"
FILES = ("test_fuzz", "test_faults", "test_reference", "test_sbc", "test_posterior", "models/test_extremes")
HEAD = "| tried | results | refused with a sentence | in |\n| --- | --- | --- | --- |\n"


def counted(report: Path) -> tuple[dict[str, Counter[str]], dict[str, set[str]], list[str]]:
    """Of each kind how many ended how, and in which files; and the tests that failed."""
    ended: dict[str, Counter[str]] = defaultdict(Counter)
    files: dict[str, set[str]] = defaultdict(set)
    failed = []
    for test in ElementTree.parse(report).iter("testcase"):
        if test.find("failure") is not None or test.find("error") is not None:
            failed.append(test.attrib["name"])
        found = [(one.attrib["name"], one.attrib["value"]) for one in test.iter("property")]
        for kind in (value for name, value in found if name == "kind"):
            ended[kind].update({name: int(value) for name, value in found if name != "kind"})
            files[kind].add(test.attrib["classname"].replace(".", "/") + ".py")
    return ended, files, failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/faults.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        files = [f"tests/{file}.py" for file in FILES]
        marked = ["-m", "not slow and not pages", "-n", "auto", "-o", "junit_family=xunit1"]
        subprocess.run([sys.executable, "-m", "pytest", *marked, f"--junitxml={report}", *files], cwd=ROOT, check=False)
        ended, places, failed = counted(report)
    table = HEAD
    for kind in sorted(ended):
        where, refused = "`, `".join(sorted(places[kind])), ended[kind]["refused"]
        table += f"| {kind} | {ended[kind]['results']:,} | {refused or '-'} | `{where}` |\n"
    print(table)
    if failed:
        sys.exit(f"{len(failed)} failed: {', '.join(failed)}; nothing was written.")
    if options.write:
        before, after = PAGE.read_text().split(BEGIN)[0], PAGE.read_text().split(END)[1]
        PAGE.write_text(before + BEGIN + table + END + after)


if __name__ == "__main__":
    main()
