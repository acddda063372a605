"""Records a first session with `feeds` in a terminal, and writes it as an animated SVG.

The session is real: a shell in a pseudo terminal runs the commands. A second pane shows the article as it is edited.

The picture is one SVG file without scripts, so that it also moves in an `<img>`. Each part of a line has a CSS
animation that shows it from its time on. A second file is the last screen, for readers who prefer reduced motion:
not every browser tells a picture in an `<img>` that they do.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from xml.sax.saxutils import escape

COLUMNS, ROWS, EDITOR_ROWS = 80, 20, 7
HOME = "/home/me"  # replaces the temporary folder in the output
KEY_S = 0.055  # between two keys
READ_S = 1.8  # to read what has happened
END_S = 6.0  # of the last screen, before the recording begins again
MAX_WAIT_S = 0.7  # for output; longer waits are shortened
MIN_FRAME_S = 0.3  # of a line that is overwritten again and again: the progress display
TIMEOUT_S = 60.0
ARCHIVE_ARTICLES = 1_000

CELL, LINE, FONT, PADDING, BAR = 8.4, 19, 14, 14, 28  # pixels
_CONTROL = re.compile(r"\x1b\[(?P<values>[0-9;?]*)(?P<final>[@-~])|[\r\n\x07\x08]")
_INCOMPLETE = re.compile(r"\x1b(\[[0-9;?]*)?$")
_STYLES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}  # SGR codes (ECMA-48)

TITLE = "A first session with feeds"
DESCRIPTION = (
    "In a terminal, feeds init asks for the title, the address and the language of a new site. feeds new creates an "
    "article. feeds serve watches the folder: its log shows that the article is added, then edited after a save, "
    "rejected because of a date that does not exist, and fixed after the correction. Ctrl-C stops the server. In a "
    "site with 1,000 articles, feeds build shows its progress, and what it has published, read and written."
)


STYLE = f"""\
svg{{--bg:#1b1e24;--bar:#2b303a;--line:#4a515e;--text:#dfe3ea;--d:#a0a8b5;--r:#ff8f8f;--g:#7ddb8f;--y:#f0c674;--c:#7cd3e8}}
@media (prefers-color-scheme:light){{
svg{{--bg:#fff;--bar:#eef0f3;--line:#c4cad3;--text:#1f2430;--d:#596273;--r:#b3261e;--g:#1a6e34;--y:#7a5200;--c:#0b6478}}}}
.frame{{fill:var(--bg);stroke:var(--line)}}.bar{{fill:var(--bar)}}
text{{fill:var(--text);font:{FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}}
text{{white-space:pre}}
.b{{font-weight:bold}}.d{{fill:var(--d)}}.r{{fill:var(--r)}}.g{{fill:var(--g)}}.y{{fill:var(--y)}}.c{{fill:var(--c)}}"""


class Cell(NamedTuple):
    """A character on the screen."""

    character: str
    style: str = ""


@dataclass
class Row:
    """A line of the screen: what it showed, and from which time on (in seconds)."""

    versions: list[tuple[float, list[Cell]]] = field(default_factory=list)

    def show(self, now: float, cells: list[Cell]) -> None:
        """Show other cells from now on."""
        if self.versions and self.versions[-1][1] == cells:
            return
        if self.versions and self.versions[-1][0] == now:
            del self.versions[-1]
        self.versions.append((now, cells))


class Part(NamedTuple):
    """A part of a line of text that appears and perhaps disappears."""

    text: str
    style: str
    start: float
    end: float | None


def lines_of(row: Row) -> list[list[Part]]:
    """Return the texts that a row shows one after the other, each as its parts: a version may extend the one before."""
    versions = [row.versions[0]] if row.versions else []
    for number, version in enumerate(row.versions[1:], 1):
        is_last = number == len(row.versions) - 1
        if is_last or _extends(version[1], versions[-1][1]) or version[0] - versions[-1][0] >= MIN_FRAME_S:
            versions.append(version)
    lines: list[list[Part]] = []
    before: list[Cell] = []
    for number, (start, cells) in enumerate(versions):
        if not before or not _extends(cells, before):
            lines.append([])
            before = []
        rest = versions[number + 1 :]
        following = zip([cells, *(later for _, later in rest)], rest, strict=False)
        end = next((at for earlier, (at, later) in following if not _extends(later, earlier)), None)
        lines[-1] += [Part(text, style, start, end) for text, style in _runs(cells[len(before) :])]
        before = cells
    return [line for line in lines if line]


def _extends(cells: list[Cell], before: list[Cell]) -> bool:
    return bool(before) and cells[: len(before)] == before


def _runs(cells: list[Cell]) -> list[tuple[str, str]]:
    runs: list[tuple[str, str]] = []
    for character, style in cells:
        if runs and runs[-1][1] == style:
            runs[-1] = runs[-1][0] + character, style
        else:
            runs.append((character, style))
    return runs


class Screen:
    """A terminal that understands what commands write: text, colours, and lines that are cleared."""

    def __init__(self) -> None:
        self.rows = [Row()]
        self.scrolls: list[tuple[float, int]] = []  # the first visible row from a time on
        self._cells: list[Cell] = []
        self._column = 0
        self._style = ""
        self._rest = ""

    def write(self, now: float, text: str) -> None:
        """Show output. Raise `ValueError` for a control sequence that it does not know."""
        text = self._rest + text
        incomplete = _INCOMPLETE.search(text)
        self._rest = incomplete[0] if incomplete else ""
        text = text.removesuffix(self._rest)
        position = 0
        for match in _CONTROL.finditer(text):
            self._print(now, text[position : match.start()])
            self._control(now, match)
            position = match.end()
        self._print(now, text[position:])
        self.rows[-1].show(now, list(self._cells))

    def _print(self, now: float, text: str) -> None:
        for character in text:
            if self._column == COLUMNS:
                self._new_line(now)
                self._column = 0
            self._cells[self._column : self._column + 1] = [Cell(character, self._style)]
            self._column += 1

    def _control(self, now: float, match: re.Match[str]) -> None:
        values = (match["values"] or "").split(";")
        if match[0] == "\r":
            self._column = 0
        elif match[0] == "\n":
            self._new_line(now)
        elif match["final"] == "K" and values == [""]:
            del self._cells[self._column :]
        elif match["final"] == "m":
            codes = [value for value in values if value.strip("0")]
            self._style = " ".join(_STYLES[code] for code in codes) if codes else ""
        elif match[0] not in {"\x1b[?2004h", "\x1b[?2004l"}:  # pasting
            raise ValueError(f"unknown control sequence {match[0]!r}")

    def _new_line(self, now: float) -> None:
        self.rows[-1].show(now, self._cells)
        self.rows.append(Row())
        self._cells = []
        if len(self.rows) > ROWS:
            self.scrolls.append((now, len(self.rows) - ROWS))


class Session:
    """A shell in a pseudo terminal, an editor, and the time in the recording. Use it in a `with` statement."""

    def __init__(self, folder: Path) -> None:
        """Begin in a folder, which the recording shows as `HOME`."""
        self.screen = Screen()
        self.now = 0.0
        self.editor_title = Row()
        self.editor = [Row() for _ in range(EDITOR_ROWS)]
        self._folder = folder
        self._output = ""  # since the last `wait_for`
        self._held = ""  # perhaps the beginning of the folder's path
        self._terminal, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "BROWSER": "true",
            "PS1": r"\[\e[1m\]$ ",
            "PS0": r"\e[0m",
        }
        command = ["bash", "--norc", "--noprofile", "-i"]
        self._shell = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )  # fmt: skip
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the shell, and a command that still runs."""
        with suppress(OSError):  # EIO: the shell has ended
            while self._shell.poll() is None:
                os.write(self._terminal, b"\x03\x04")  # Ctrl-C, end of file
                if select.select([self._terminal], [], [], 0.2)[0]:
                    os.read(self._terminal, 65_536)
        self._shell.wait()
        os.close(self._terminal)

    def type(self, text: str) -> None:
        """Type a text, key by key, and Enter."""
        for key in text:
            os.write(self._terminal, key.encode())
            self.pause(KEY_S)
            self._read(is_typed=True)
        self.pause(4 * KEY_S)
        os.write(self._terminal, b"\r")

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._terminal, key)

    def wait_for(self, text: str) -> None:
        """Wait until a command has written a text since the last call. Raise `TimeoutError` after `TIMEOUT_S`."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self._output:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the terminal does not show {text!r}:\n{self._output}")
            self._read()
        self._output = self._output.partition(text)[2]

    def pause(self, seconds: float = READ_S) -> None:
        """Wait, also for the commands: their log shows the time."""
        time.sleep(seconds)
        self.now += seconds

    def open_editor(self, file: Path) -> None:
        """Show a file in the editor."""
        self._show_title(file, "")
        for row, line in zip(self.editor, file.read_text().splitlines(), strict=False):
            row.show(self.now, [Cell(character) for character in line])

    def edit(self, file: Path, number: int, text: str) -> None:
        """Change a line of the file in the editor, key by key, and save it."""
        lines = file.read_text().splitlines()
        lines += [""] * (number + 1 - len(lines))
        kept = next((at for at, (old, new) in enumerate(zip(lines[number], text, strict=False)) if old != new), 0)
        self._show_title(file, "")
        for length in range(kept, len(text) + 1):
            self.pause(KEY_S)
            self.editor[number].show(self.now, [Cell(character, "b") for character in text[:length]])
        self.pause(READ_S / 2)
        lines[number] = text
        file.write_text("\n".join(lines) + "\n")
        self._show_title(file, "saved")

    def _show_title(self, file: Path, state: str) -> None:
        title = f"Editor: {file.parent.name}/{file.name}"
        self.editor_title.show(self.now, [Cell(c, "d") for c in title] + [Cell(c, "g") for c in f"  {state}".rstrip()])

    def _read(self, *, is_typed: bool = False) -> None:
        """Show the next output. Waiting for it passes time in the recording, unless it echoes a typed key."""
        began = time.monotonic()
        readable, _, _ = select.select([self._terminal], [], [], TIMEOUT_S)
        if not readable:
            return
        output = self._held + os.read(self._terminal, 65_536).decode()
        if not is_typed:
            self.now += min(time.monotonic() - began, MAX_WAIT_S)
        folder = str(self._folder)
        held = next((size for size in range(len(folder) - 1, 0, -1) if output.endswith(folder[:size])), 0)
        self._held = output[len(output) - held :]
        output = output[: len(output) - held].replace(folder, HOME)
        self._output += output
        self.screen.write(self.now, output)


def write(folder: Path) -> None:
    """Run the session, and write it to a folder: the recording, and its last screen as a still picture."""
    with tempfile.TemporaryDirectory() as home, Session(Path(home)) as session:
        play(session, Path(home))
    (folder / "first-session.svg").write_text(svg(session, is_animated=True))
    (folder / "first-session-still.svg").write_text(svg(session, is_animated=False))


def play(session: Session, folder: Path) -> None:
    """Run the commands of the session in a folder."""
    _write_archive(folder / "archive")
    prompt = "$ "
    session.wait_for(prompt)
    session.type("feeds init my-site")
    for question, answer in (("Title", "Harbour News"), ("Address", "https://news.example"), ("Lang", "")):
        session.wait_for(question)
        session.wait_for(": ")
        session.pause(READ_S / 2)
        session.type(answer)
    session.wait_for(prompt)
    session.pause()
    session.type("cd my-site")
    session.wait_for(prompt)
    session.type('feeds new "Winter timetable" --category transport')
    session.wait_for(".md")
    session.wait_for(prompt)
    (article,) = (folder / "my-site" / "content").glob("*-winter-timetable.md")
    session.open_editor(article)
    session.pause()
    session.type("feeds serve --open")
    session.wait_for("changed")
    session.wait_for("\n")
    session.pause()
    date = article.read_text().splitlines()[2]
    for number, text, event, last_word in (
        (6, "The first crossing leaves at 06:40.", "edited", "changed"),
        (2, f"{date[:14]}32", "rejected", "exist"),  # the 32nd of this month
        (2, date, "fixed", "timetable"),
    ):
        session.edit(article, number, text)
        session.wait_for(event)
        session.wait_for(last_word)
        session.wait_for("\n")
        session.pause()
    session.press(b"\x03")
    session.wait_for("stopped")
    session.wait_for(prompt)
    session.pause()
    session.type(f"cd ../archive   # a site with {ARCHIVE_ARTICLES:,} articles")
    session.wait_for(prompt)
    session.type("feeds build")
    session.wait_for("articles published")
    session.wait_for(prompt)


def _write_archive(folder: Path) -> None:
    corpus = Path(__file__).parent.parent / "benchmarks" / "corpus.py"
    subprocess.run([sys.executable, corpus, str(ARCHIVE_ARTICLES), folder / "content"], check=True, capture_output=True)
    (folder / "config.yaml").write_text(
        "site: {title: Archive, url: 'https://archive.example', pages: true}\nfeeds: {by: [category]}\n"
    )


class _Animations:
    """The style sheet's rules that show parts of lines at their times."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._names: dict[tuple[float, float | None], str] = {}

    def name(self, start: float, end: float | None) -> str:
        """Return the class of what is visible from a time on, and until another."""
        key = round(start, 2), end and round(end, 2)
        return self._names.setdefault(key, f"t{len(self._names)}")

    def percent(self, at: float) -> str:
        """Return a time as a part of the recording, in the spelling of a keyframe."""
        return f"{at / self._total * 100:.2f}".rstrip("0").rstrip(".") + "%"

    def rules(self) -> tuple[str, str]:
        """Return the rules for still and for moving pictures."""
        still, moving = [], []
        for (start, end), name in self._names.items():
            frames = f"0%{{visibility:hidden}}{self.percent(start)}{{visibility:visible}}"
            if end is not None:
                still.append(f".{name}")
                frames += f"{self.percent(end)}{{visibility:hidden}}"
            moving.append(f".{name}{{animation-name:{name}}}@keyframes {name}{{{frames}}}")
        return ",".join(still) + "{visibility:hidden}" if still else "", "".join(moving)


def svg(session: Session, *, is_animated: bool) -> str:
    """Return a session as an SVG document: animated, or its last screen."""
    total = session.now + END_S
    animations = _Animations(total)
    width, pane = round(COLUMNS * CELL + 2 * PADDING), ROWS * LINE + 2 * PADDING - 6
    editor_top = BAR + pane
    height = editor_top + BAR + EDITOR_ROWS * LINE + PADDING
    rows = "".join(_row(row, number, animations) for number, row in enumerate(session.screen.rows))
    editor = "".join(_row(row, number, animations) for number, row in enumerate(session.editor))
    editor_title = _row(session.editor_title, 0, animations)
    hidden, moving = animations.rules()
    scrolls = [(0.0, 0), *session.screen.scrolls]
    frames = "".join(
        f"{animations.percent(at)}{{transform:translateY({-top * LINE}px)}}" for at, top in dict(scrolls).items()
    )
    animation = (
        "@media (prefers-reduced-motion:no-preference){"
        f".s,tspan{{animation:s {total:.2f}s step-end infinite}}@keyframes s{{{frames}}}{moving}}}\n"
    )
    inner = f'<svg x="{PADDING}" width="{width - 2 * PADDING}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
width="{width}" height="{height}" aria-labelledby="title desc" xml:space="preserve">
<title id="title">{escape(TITLE)}</title>
<desc id="desc">{escape(DESCRIPTION)}</desc>
<style>
{STYLE}
.s{{transform:translateY({-scrolls[-1][1] * LINE}px)}}{hidden}
{animation if is_animated else ""}</style>
<rect class="frame" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>
<path class="bar" d="M1 {BAR}V9a8 8 0 0 1 8-8h{width - 18}a8 8 0 0 1 8 8v{BAR - 9}z"/>
<path class="bar" d="M1 {editor_top}h{width - 2}v{BAR}H1z"/>
<text x="{PADDING}" y="19" class="d">Terminal</text>
{inner} y="{BAR + PADDING - 6}" height="{ROWS * LINE}"><g class="s">
{rows}</g></svg>
{inner} y="{editor_top + 4}" height="{BAR}">
{editor_title}</svg>
{inner} y="{editor_top + BAR + 6}" height="{EDITOR_ROWS * LINE}">
{editor}</svg>
</svg>
"""


def _row(row: Row, number: int, animations: _Animations) -> str:
    lines = []
    for parts in lines_of(row):
        length = sum(len(part.text) for part in parts)
        classes = [f"{animations.name(part.start, part.end)} {part.style}".strip() for part in parts]
        spans = "".join(
            f'<tspan class="{names}">{escape(part.text)}</tspan>' for part, names in zip(parts, classes, strict=True)
        )
        y = number * LINE + FONT
        lines.append(f'<text y="{y}" textLength="{length * CELL:.1f}">{spans}</text>\n')
    return "".join(lines)
