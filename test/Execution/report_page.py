# ===- report_page.py - Reads a page that phantom-run report wrote --------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import html.parser
import re

from harness import check

VOID = ("meta", "link")  # elements without an end tag
CAUGHT = ("td", "th", "caption", "b", "p", "title")
LINKS = ("src", "href", "xlink:href", "action", "data", "srcset", "poster", "background", "formaction")
NUMBER = r"-?\d+(?:\.\d+)?"


class Page(html.parser.HTMLParser):
    """
    tables: {caption: rows of cells}, a cell being its attributes, "content" and "value"
    charts: {title: the image's attributes, "lines": {run: [path, ...]}, "absent": text}
    text: all that is shown; problems: what is wrong with the page
    """

    def __init__(self, text):
        super().__init__()
        self.tables, self.charts, self.text, self.style = {}, {}, "", ""
        self.links, self.scripts, self.problems = [], 0, []
        self.open, self.caught = [], None
        self.feed(text)
        self.close()
        if self.open:
            self.problems.append(f"not ended: {self.open}")

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attributes)
        self.links += [value for name, value in attributes.items() if name in LINKS]
        self.style += attributes.get("style", "")
        self.problems += [f"attribute {name}" for name in attributes if name.startswith("on")]
        self.scripts += tag == "script"
        if tag in CAUGHT:
            self.caught = {"content": "", "value": None, **attributes}
        elif tag == "data":
            self.caught["value"] = float(attributes["value"])
        elif tag == "tr":
            self.row = []
        elif tag == "svg" and attributes.get("class") != "swatch":
            self.chart.update(attributes)
        elif tag == "g":
            self.paths = []

    def handle_startendtag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [value for name, value in attributes.items() if name in LINKS]
        if tag == "path" and attributes["class"] in ("line", "raw"):
            self.paths.append(attributes["d"])

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> ends nothing")
        within = self.open[-1] if self.open else None
        if tag == "caption":
            self.rows = self.tables[self.caught["content"]] = []
        elif tag in ("td", "th"):
            self.row.append(self.caught)
        elif tag == "tr":
            self.rows.append(self.row)
        elif tag == "b" and within == "figcaption":
            self.chart = self.charts[self.caught["content"]] = {"lines": {}, "absent": ""}
        elif tag == "p" and within == "figure":
            self.chart["absent"] += self.caught["content"] + "\n"
        elif tag == "title" and within == "g":
            self.chart["lines"][self.caught["content"]] = self.paths
        if tag in CAUGHT:
            self.caught = None

    def handle_data(self, text):
        if self.open[-1:] in (["script"], ["style"]):
            self.style += text if self.open[-1] == "style" else ""
            return
        self.text += text
        if self.caught is not None:
            self.caught["content"] += text

    def table(self, caption):
        """{run: {column: cell}}"""
        head, *rows = self.tables[caption]
        check(all(cell.get("scope") == "col" for cell in head), f"{caption}: a head without a scope")
        check(all(row[0].get("scope") == "row" for row in rows), f"{caption}: a row without a scope")
        check(all(len(row) == len(head) for row in rows), f"{caption}: rows of other lengths than the head")
        return {row[0]["content"]: dict(zip([cell["content"] for cell in head[1:]], row[1:])) for row in rows}

    def values(self, chart, run):
        """The values of the line that has all of them, as they are drawn."""
        first, last, low, high, _, kind = self.charts[chart]["data-y"].split()
        first, last, low, high = map(float, (first, last, low, high))
        places = [float(y) for y in re.findall(rf"[ML]{NUMBER} ({NUMBER})", self.charts[chart]["lines"][run][0])]
        parts = [(place - first) / (last - first) for place in places]
        return [low * (high / low)**part if kind == "log" else low + part * (high - low) for part in parts]


def read_page(scratch, name="report.html"):
    """A page that is well-formed, whole in itself, and says what its images show."""
    with open(scratch.path(name), encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    check(not page.problems, f"{name}: {page.problems[:5]}")
    check(page.links == ["data:,"], f"{name} leads to {page.links}")
    check(page.scripts == 1, f"{name} has {page.scripts} scripts")
    for word in ("url(", "@import", "http:", "https:", "//"):
        check(word not in page.style, f"the style of {name} has {word}")
    check("default-src 'none'" in text, f"{name} lets browsers load what it names")
    drawn = [chart for chart in page.charts.values() if chart["lines"]]
    check(drawn and all(chart["role"] == "img" and chart["aria-label"] for chart in drawn), "an image without a label")
    for chart in drawn:
        check(not re.search(r"nan|inf", " ".join(path for paths in chart["lines"].values() for path in paths)),
              f"{chart['aria-label']} has places that are not finite")
    check(len(text.encode()) < 2e6, f"{name} has {len(text)} characters")
    return page
