"""The content folder: scans are complete, and watching gives early hints of changes."""

import itertools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.content import FileChanging, Folder
from feeds.core.errors import ArticleUnreadable, ConfigError, ContentFolderMissing


@pytest.fixture
def root(tmp_path):
    (tmp_path / "content").mkdir()
    return tmp_path / "content"


def folder(root, include=("**/*.md", "**/*.markdown"), exclude=()):
    return Folder(root, include, exclude)


def put(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def test_what_is_an_article(root):
    """Markdown files at any depth are found, without hidden, temporary or Hugo list files, and nothing else."""
    put(root, "a.md", "b/c.markdown", "b/d/index.md")
    put(
        root,
        ".a.md",
        ".git/a.md",
        "#a.md#",
        "a.md~",
        "~$a.md",
        ".#a.md",
        "_index.md",
        "b/_index.pt.md",
        "a.txt",
        "a.md.swp",
    )
    assert [file.path for file in folder(root).scan()] == ["a.md", "b/c.markdown", "b/d/index.md"]


def test_include_and_exclude(root):
    """Patterns work as in gitignore: with and without a slash, with `**`, and for whole folders."""
    put(root, "a.md", "drafts/b.md", "x/drafts/c.md", "x/README.md", "posts/d.md")
    assert [f.path for f in folder(root, exclude=["drafts/", "README.md"]).scan()] == ["a.md", "posts/d.md"]
    assert [f.path for f in folder(root, include=["posts/**"]).scan()] == ["posts/d.md"]


def test_what_can_not_be_an_article_says_why(root, tmp_path):
    """Links that lead out of the folder, pipes, broken links and invalid names are reported with a reason."""
    (tmp_path / "secret.md").write_text("x")
    (root / "out.md").symlink_to(tmp_path / "secret.md")
    (root / "broken.md").symlink_to("nowhere.md")
    (root / "loop").symlink_to(root)
    put(root, "in.md")
    (root / "inside.md").symlink_to("in.md")
    os.mkfifo(root / "pipe.md")
    (root / "folder.md").mkdir()
    with open(os.fsencode(root) + b"/caf\xe9.md", "wb"):
        pass
    put(root, "x\n\x1b[2J.md")
    found = {file.path: file.problem for file in folder(root).scan()}
    assert found == {
        "broken.md": "can't be read: No such file or directory",
        "caf\\xe9.md": "the file name is not UTF-8; rename it",
        "in.md": None,
        "inside.md": None,
        "out.md": "a symbolic link that leads out of the content folder",
        "pipe.md": "not a regular file",
        "x\\n\\x1b[2J.md": "the file name has a line break or a control character; rename it",
    }


def test_links_to_what_is_not_published(root, tmp_path):
    """A symbolic link is an article only if its target may be published: not hidden, excluded, secret or a draft's."""
    put(root, ".git/config", "private/x.md", "_drafts/d.md", "a.secret.md", "settings.yaml", "post/index.md", "post/notes.txt", "post/part.md",
        "free.txt", "x/_index.md", "~$y.md")  # fmt: skip
    targets = {
        "git": ".git/config", "private": "private/x.md", "drafts": "_drafts/d.md", "pattern": "a.secret.md", "config": "settings.yaml", "notes": "post/notes.txt",
        "list": "x/_index.md", "office": "~$y.md", "part": "post/part.md", "free": "free.txt",
    }  # fmt: skip
    for name, target in targets.items():
        (root / f"2026-01-02-{name}.md").symlink_to(target)
    (root / "2026-01-02-chain.md").symlink_to("2026-01-02-git.md")
    look = Folder(root, ["**/*.md"], ["private/", "*.secret.md"], [root / "settings.yaml", tmp_path / "none"])
    found = {file.path[11:-3]: file.problem for file in look.scan() if file.path.startswith("2026")}
    for name in ("git", "private", "drafts", "pattern", "list", "office", "chain"):
        assert found[name].startswith("a symbolic link to a file that is not published"), name
    assert found["config"] == "a symbolic link to the configuration or to a file of this program"
    assert found["notes"] == "a symbolic link to a file that belongs to another article"
    assert found["part"] is found["free"] is None
    assert [file.problem for file in look.scan("2026-01-02-git.md")] == [found["git"]]


def test_folders_in_folders(root):
    """A scan of folders at any depth of nesting completes."""
    deep = root
    for _ in range(400):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "a.md").write_text("x")
    assert len(list(folder(root).scan())) == 1


def test_wrong_patterns(root):
    """An invalid pattern is a mistake in the configuration."""
    with pytest.raises(ConfigError, match=r"content\.exclude"):
        folder(root, exclude=["!"])


def test_a_folder_behind_a_link_is_a_folder(root, tmp_path):
    """The content folder itself may be a symbolic link, as git-sync makes it."""
    put(root, "a.md")
    (tmp_path / "current").symlink_to(root)
    assert [file.path for file in folder(tmp_path / "current").scan()] == ["a.md"]


def test_a_folder_that_is_away(root):
    """A missing folder is an error, never an empty list."""
    shutil.rmtree(root)
    with pytest.raises(ContentFolderMissing):
        list(folder(root).scan())


def test_reading_what_is_being_written(root):
    """A file that changed since the scan is left to the next scan; one that was removed can't be read."""
    put(root, "a.md", "b.md")
    look = folder(root)
    first, second = look.scan()
    (root / "a.md").write_text("changed")
    (root / "b.md").unlink()
    with pytest.raises(FileChanging):
        look.read(first, 100)
    with pytest.raises(ArticleUnreadable):
        look.read(second, 100)


def test_what_is_expected_may_not_be_there(root):
    """Files that were removed or replaced by something else are reported when they are read, and none stays open."""
    put(root, "a.md", "b.md", "c.md")
    os.mkfifo(root / "pipe.md")
    look = folder(root)
    found = list(look.scan())
    (root / "b.md").unlink()
    (root / "c.md").unlink()
    os.mkfifo(root / "c.md")
    look.prefetch(found)
    with pytest.raises(OSError, match="No such device"):  # no process has opened the pipe, because it is not a file
        os.open(root / "pipe.md", os.O_WRONLY | os.O_NONBLOCK)
    opened = [one.resolve() for one in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.is_relative_to(root)]
    assert look.read(found[0], 100) == b"x"


def test_what_is_in_memory_is_not_asked_for(root, monkeypatch):
    """The system is asked to prefetch files that are not in the page cache, and no others."""
    put(root, *(f"{number:02d}.md" for number in range(60)))
    look = folder(root)
    found, asked = list(look.scan()), []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda handle, *_: asked.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    monkeypatch.setattr(os, "preadv", lambda *_: 1)  # not every file system reports what is in the page cache
    look.prefetch(found)
    assert not asked
    (root / "25.md").unlink()  # one of the files that are tested

    def away(*_):
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", away)
    look.prefetch(found)
    assert [path.name for path in asked] == [file.path for file in found if file.path != "25.md"]


def replace_root(root):
    (root.parent / "other").mkdir()
    put(root.parent, "other/n.md")
    root.rename(root.parent / "replaced")
    (root.parent / "other").rename(root)


def recreate_root(root):
    shutil.rmtree(root)
    put(root, "p.md")


def move_in(root):
    put(root.parent, "new/x.md")
    (root.parent / "new").rename(root / "new")


def atomic_save(root):
    put(root, ".b.tmp")
    (root / ".b.tmp").rename(root / "b.md")


CHANGES = {  # one after the other
    "atomic save": atomic_save,
    "new file": lambda root: put(root, "e.md"),
    "edit": lambda root: (root / "a.md").write_text("new"),
    "removal": lambda root: (root / "e.md").unlink(),
    "rename": lambda root: (root / "a.md").rename(root / "c.md"),
    "a name that is spelled out": lambda root: put(root, "b\x02.md"),
    "one that was": lambda root: (root / "c\x02" / "d.md").unlink(),
    "folder moved in": move_in,
    "in a new folder": lambda root: put(root, "deep/er/x.md"),
    "folder replaced": replace_root,
    "in the new one": lambda root: put(root, "m.md"),
    "folder away": shutil.rmtree,
    "folder back": lambda root: put(root, "b.md"),
    "in the one that is back": lambda root: put(root, "k.md"),
    "folder deleted and created at once": recreate_root,  # the new one may have the old one's inode number
    "in the created one": lambda root: put(root, "q.md"),
    "and once more": lambda root: put(root, "r.md"),
}


class Watcher:
    """A thread that watches a folder, and the hints that it received."""

    def __init__(self, look, how):
        self._look = look
        self._how = how
        self._stop = threading.Event()
        self._told = threading.Condition()
        self.hints = []  # each hint, with the results of a scan after it
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def state(self):
        try:
            return [(file.path, file.size) for file in self._look.scan()]
        except ContentFolderMissing:
            return "gone"

    def _watch(self):
        for hint in self._look.watch(self._how, self._stop):
            found = self.state()
            with self._told:
                self.hints.append((hint, found))
                self._told.notify_all()

    def wait_for(self, condition, name=""):
        with self._told:
            assert self._told.wait_for(lambda: condition(self.hints), 120), (name, self.hints[-4:])

    def end(self):
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.mark.integration
@pytest.mark.parametrize("how", ["events", "poll"])
def test_every_change_is_hinted_at(root, how, monkeypatch):
    """Every kind of change causes a hint that includes its path, and the next scan finds the change."""
    monkeypatch.setattr("feeds.content.watch._IDENTITY_CHECK_INTERVAL_MS", 50)
    monkeypatch.setattr("feeds.content.watch._SCAN_INTERVAL_S", 3600)  # seconds: no event may be missed
    monkeypatch.setattr("feeds.content.watch._POLL_INTERVAL_S", 0.05)
    put(root, "a.md", "c\x02/d.md")
    watcher = Watcher(folder(root), how)
    try:
        for name, change in CHANGES.items():
            before = watcher.state()
            began = len(watcher.hints)
            change(root)
            after = watcher.state()
            assert after != before, name

            def covered(hints, before=before, after=after, began=began):
                told = {path for hint, _ in hints[began:] for path in hint or ()}
                anything = after == "gone" or before == "gone" or any(hint is None for hint, _ in hints[began:])
                return any(found == after for _, found in hints[began:]) and (
                    anything or all(set(above(path)) & told for path, _ in set(before) ^ set(after))
                )

            watcher.wait_for(covered, name)
    finally:
        watcher.end()


def above(path):
    """Return a path and the folders that contain it."""
    return [path[:end] for end in range(1, len(path) + 1) if path[end : end + 1] in {"/", ""}]


def test_the_usual_patterns_are_the_usual_files(root):
    """The default patterns are checked without pathspec, with the same result."""
    put(root, "a.md", "B.MD", "c.markdown", "d/e.md", "f.md.txt", "g.Md", "h/.md", "[i].md")
    usual = folder(root, include=["**/*.md", "**/*.markdown"])
    spelled = folder(root, include=["**/*.md", "**/*.markdown"], exclude=["nothing/"])
    assert [found.path for found in usual.scan()] == [found.path for found in spelled.scan()]
    assert "a.md" in [found.path for found in usual.scan()]


NAMES = st.sampled_from(["a", "a.md", "a-b.md", "b", "b.md", "B.md", "c\n", "c\n.md", "é.md", "z.markdown", ".x.md"])
TREES = st.recursive(st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=5), max_leaves=25)


def plant(root, tree):
    """Write a tree of files (None) and folders (their contents)."""
    for name, inside in tree.items():
        if inside is None:
            (root / name).write_text("x")
        else:
            (root / name).mkdir()
            plant(root / name, inside)


@given(st.dictionaries(NAMES, TREES, max_size=5), st.data())
def test_a_scan_that_was_left_goes_on(tree, data):
    """An interrupted and resumed scan finds the same files in the same order as an uninterrupted one."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        plant(root, tree)
        whole = list(folder(root).scan())
        assert [file.path for file in whole] == sorted(file.path for file in whole)
        look, found = folder(root), []
        while True:
            some = data.draw(st.integers(1, 4))
            found += (more := list(itertools.islice(look.scan(after=found[-1].path if found else ""), some)))
            if len(more) < some:
                break
        assert found == whole


def test_a_scan_that_goes_on_lists_nothing_twice(root, monkeypatch):
    """A scan of a large folder that is interrupted often lists its names only once."""
    put(root, *(f"{place}{number}.md" for place in ("", "x/", "y/") for number in range(20)))
    asked, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: asked.append(path) or scandir(path))
    look, found = folder(root), []
    while len(found) < 60:
        found += itertools.islice(look.scan(after=found[-1].path if found else ""), 7)
    assert len(asked) == 3


def become_link(place):
    """Replace the folder with a link that leads out of the content folder."""
    place.rename(place.parent.parent / "out")
    place.symlink_to(place.parent.parent / "out")


def become_file(place):
    """Replace the folder with a file that is not an article."""
    shutil.rmtree(place)
    place.write_text("x")


@pytest.mark.parametrize("become", [become_link, become_file])
@pytest.mark.parametrize("gone", ["b", "c"])
def test_what_is_no_folder_any_more_while_a_scan_is_left(root, gone, become):
    """A folder that was replaced by a link or a file after an interrupted scan is skipped without an error."""
    put(root, *(f"{place}/{number}.md" for place in "abc" for number in range(4)))
    look = folder(root)
    assert len([*itertools.islice(look.scan(), 6)]) == 6
    become(root / gone)
    rest = [file.path for file in look.scan(after="b/1.md")]
    assert rest == [
        path for path in ("b/2.md", "b/3.md", *(f"c/{n}.md" for n in range(4))) if not path.startswith(gone)
    ]


@pytest.mark.parametrize("after", ["", "a/1.md"])
def test_a_checkout_that_is_replaced_during_a_scan(root, tmp_path, after):
    """If the link to the folder changes its target during a scan, no file of the old target counts as deleted."""
    put(root, *(f"{place}/{number}.md" for place in "abc" for number in range(4)))
    (tmp_path / "current").symlink_to(root)
    look = folder(tmp_path / "current")
    first = [file.path for file in itertools.islice(look.scan(), 2)]
    assert first[-1] == "a/1.md"
    scan = look.scan(after=after)
    next(scan)
    shutil.copytree(root, tmp_path / "other")
    (tmp_path / "new").symlink_to(tmp_path / "other")
    (tmp_path / "new").replace(tmp_path / "current")
    (root / "b/2.md").unlink()
    shutil.rmtree(root / "c")
    with pytest.raises(ContentFolderMissing):
        list(scan)
    assert len([*look.scan(after=after)]) == 12 - 2 * bool(after)


def test_a_path_is_an_article_only_if_a_scan_of_all_would_find_it(root):
    """A scan of one path, as after a save, respects the include and exclude patterns."""
    put(root, "a.md", "b.md", "x/c.md", "y/c.md", "y/d.txt")
    for look in (folder(root, exclude=["b.md", "y/"]), folder(root, include=["a.md", "x/*.md"])):
        whole = [file.path for file in look.scan()]
        assert whole == ["a.md", "x/c.md"]
        paths = ("a.md", "b.md", "x", "x/c.md", "y", "y/c.md", "y/d.txt")
        assert sorted({file.path for path in paths for file in look.scan(path)}) == whole


@pytest.mark.parametrize("gone", ["b/2.md", "b", "c"])
def test_what_goes_away_while_a_scan_is_left(root, gone):
    """A file or folder that was removed after an interrupted scan is not found, without an error."""
    put(root, *(f"{place}/{number}.md" for place in "abc" for number in range(4)))
    look = folder(root)
    first = [file.path for file in itertools.islice(look.scan(), 6)]
    assert first[-1] == "b/1.md"
    (shutil.rmtree if len(gone) == 1 else os.unlink)(root / gone)
    rest = [file.path for file in look.scan(after=first[-1])]
    assert rest == [
        path for path in ("b/2.md", "b/3.md", *(f"c/{n}.md" for n in range(4))) if not path.startswith(gone)
    ]


def test_a_file_that_goes_away_during_a_scan(root):
    """A file removed after its folder was listed is not found; if its folder is removed too, the scan reports that."""
    put(root, "a/1.md", "a/2.md", "a/3.md")
    scan = folder(root).scan()
    assert next(scan).path == "a/1.md"
    (root / "a/2.md").unlink()
    assert next(scan).path == "a/3.md"
    scan = folder(root).scan()
    assert next(scan).path == "a/1.md"
    shutil.rmtree(root / "a")
    with pytest.raises(ContentFolderMissing, match="was deleted while it was listed"):
        next(scan)


def test_another_process_is_given_no_names(root):
    """The data that is sent to each reading process does not grow with the folder."""
    put(root, "a.md")
    look = folder(root)
    small = len(pickle.dumps(look))
    put(root, *(f"{number}.md" for number in range(100)))
    scan = look.scan()
    next(scan)
    assert len(pickle.dumps(look)) == small
    assert len([*scan]) == 100


WATCHING = """
import logging, sys, threading
from pathlib import Path
from feeds.content.watch import watch
logging.basicConfig(format="%(message)s")
hints = watch(Path(sys.argv[1]), "auto", threading.Event(), lambda: 0.0)
print([next(hints) for _ in range(4)])
"""


@pytest.mark.needs("strace")
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("call", "error", "limit"),
    [
        ("inotify_add_watch", "ENOSPC", "fs.inotify.max_user_watches"),
        ("inotify_init1", "EMFILE", "fs.inotify.max_user_instances"),
        ("inotify_init1", "ENFILE", "fs.file-max"),
    ],
)
def test_no_watches_left(tmp_path, call, error, limit):
    """If the system can watch no more folders, one sentence names its limit, and the folder is polled."""
    injected = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}"]
    command = [*injected, sys.executable, "-c", WATCHING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[None, None, None, None]\n"
    assert done.stderr == (
        f"{tmp_path}: the system can't watch more folders (inotify), so it is scanned every second instead; "
        f"raise the limit {limit} with sysctl\n"
    )
