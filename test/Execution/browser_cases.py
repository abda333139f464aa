# ===- browser_cases.py - Reports in a browser ----------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Reports in Chromium without a network, with scripts and without; skipped where there is no chromium."""
import json
import os
import re
import shutil
import struct
import subprocess
import zlib

from harness import Failure, Scratch, Skip, check
from report_cases import EVIL, record, report, write_log
from report_page import Page

PAGE, DARK_PAGE = (0xff, 0xff, 0xff), (0x11, 0x15, 0x1a)  # the background, from Report.css


def chromium(scratch, page, *flags, scripts=True):
    """Loads a page; returns what the browser prints, and what the page's console says."""
    binary = shutil.which("chromium")
    if not binary:
        raise Skip("there is no chromium; scripts/install-deps --report installs it")
    profile = scratch.path("profile" if scripts else "profile-without-scripts")
    os.makedirs(os.path.join(profile, "Default"), exist_ok=True)
    with open(os.path.join(profile, "Default", "Preferences"), "w") as file:
        json.dump({"profile": {"default_content_setting_values": {"javascript": 1 if scripts else 2}}}, file)
    command = [binary, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
               "--host-resolver-rules=MAP * 0.0.0.0", f"--user-data-dir={profile}", *flags,
               "file://" + scratch.path(page)]
    try:
        process = subprocess.run(command, cwd=scratch.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 errors="replace", timeout=120)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end after 120 s: {' '.join(command)}")
    return process.stdout, [line for line in process.stderr.splitlines() if ":CONSOLE" in line]


def load(scratch, page, scripts=True):
    """The page as the browser has it after its script has run."""
    dom, console = chromium(scratch, page, "--dump-dom", scripts=scripts)
    check(dom, f"the browser has no {page}")
    return dom, console


def first_pixel(scratch, name):
    """The red, green and blue of a PNG image's first pixel, which no filter changes."""
    with open(scratch.path(name), "rb") as file:
        data = file.read()
    check(data[:8] == b"\x89PNG\r\n\x1a\n" and data[24] == 8, f"{name} is no image of 8 bits per colour")
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        packed += data[place + 8:place + 8 + length] if kind == b"IDAT" else b""
        place += length + 12
    return tuple(zlib.decompress(packed)[1:4])


def screenshot(scratch, page, name, *flags, scripts=True):
    chromium(scratch, page, f"--screenshot={scratch.path(name)}", "--window-size=1280,3000", *flags, scripts=scripts)
    check(os.path.exists(scratch.path(name)), f"the browser drew no {name}")
    with open(scratch.path(name), "rb") as file:
        return file.read()


def write_report(scratch):
    records = [record(step, loss=5 / step + step % 7 / 100) for step in range(1, 401)]
    write_log(scratch, "a.jsonl", records)
    write_log(scratch, "b.jsonl", [{**record, "energy_joules": None, "comm_bytes": 5000} for record in records[:300]])
    report(scratch, "a.jsonl", f"{EVIL}=b.jsonl", "--target-loss", "0.1")


def with_and_without_scripts(options):
    """The script runs, the name of a run does not, and the page looks the same without any."""
    with Scratch(options) as scratch:
        write_report(scratch)
        dom, console = load(scratch, "report.html")
        check(not console, f"the console says {console}")
        page = Page(dom)
        check(page.scripts == 1 and EVIL in page.text, "the run's name is not text")
        check(dom.count("<button") == 2 and dom.count('class="readout"') == len(page.charts), "the script did not run")
        plain, _ = load(scratch, "report.html", scripts=False)
        check("<button" not in plain and 'class="readout"' not in plain, "the script ran where scripts are off")
        check(Page(plain).tables.keys() == page.tables.keys(), "tables differ")
        check(Page(plain).charts.keys() == page.charts.keys(), "charts differ")
        images = [screenshot(scratch, "report.html", f"{scripts}.png", scripts=scripts) for scripts in (True, False)]
        check(images[0] == images[1], "the page looks otherwise without scripts")


def colours(options):
    """Light and dark, as the browser prefers."""
    with Scratch(options) as scratch:
        write_report(scratch)
        screenshot(scratch, "report.html", "light.png")
        screenshot(scratch, "report.html", "dark.png", "--force-dark-mode")
        check(first_pixel(scratch, "light.png") == PAGE, f"light: {first_pixel(scratch, 'light.png')}")
        check(first_pixel(scratch, "dark.png") == DARK_PAGE, f"dark: {first_pixel(scratch, 'dark.png')}")


def policy(options):
    """The browser loads nothing and runs no script that gets into the page."""
    with Scratch(options) as scratch:
        write_report(scratch)
        with open(scratch.path("report.html")) as file:
            text = file.read()
        spoilt = "<main><script>document.title = 'spoilt'</script><img src='http://a.test/x.png'>"
        with open(scratch.path("spoilt.html"), "w") as file:
            file.write(text.replace("<main>", spoilt))
        dom, console = load(scratch, "spoilt.html")
        check("<title>Training report</title>" in dom, "a script of another ran")
        check(len([line for line in console if "violates" in line]) == 2, f"the console says {console}")


def pointer(options):
    """Values under the pointer, and a run that is hidden. A page without its policy runs the script that does both."""
    with Scratch(options) as scratch:
        write_report(scratch)
        with open(scratch.path("report.html")) as file:
            text = re.sub(r"<meta http-equiv=[^>]*>", "", file.read())
        script = """<script>
          const svg = document.querySelector("figure svg"), box = svg.getBoundingClientRect();
          const [first, last] = svg.dataset.x.split(" ");
          const x = (+first + (+last - +first) / 4) * box.width / svg.viewBox.baseVal.width;
          const move = () =>
            svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + 50 }));
          move();
          document.body.dataset.before = document.querySelector(".readout").innerText;
          document.querySelector(".legend button").click();
          move();
          document.body.dataset.after = document.querySelector(".readout").innerText;
        </script></body>"""
        with open(scratch.path("moved.html"), "w") as file:
            file.write(text.replace("</body>", script))
        dom, console = load(scratch, "moved.html")
        check(not console, f"the console says {console}")
        before, after = (re.search(f'data-{name}="([^"]*)"', dom)[1] for name in ("before", "after"))
        check(before.startswith("step 100"), f"the readout is {before}")
        check(re.search(r"\ba\s+0\.0\d+", before) and "script" in before, f"the readout is {before}")
        check(not re.search(r"\ba\s+0\.0\d+", after) and "script" in after, f"the readout is {after}")
        check(dom.count('class="run c0 d0 off"') == dom.count('data-run="0"') - 1, "the run is not hidden everywhere")


def cases(options):
    yield from {"report/browser": with_and_without_scripts, "report/browser-colours": colours,
                "report/browser-policy": policy, "report/browser-pointer": pointer}.items()
