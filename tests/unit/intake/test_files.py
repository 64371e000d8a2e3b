"""Which files are taken as they land, and how they are copied."""

from __future__ import annotations

import hashlib
import os

import pytest

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake import arrival, lines, sentences_of_ignored, take_copy
from ekyc_tasks.intake.files import arrivals


def landed(folder, name, content=b"x"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- which files ----------------------------------------------------------------------------------------


def test_arrivals_are_regular_files_by_name(tmp_path):
    for name in ("b.txt", "a/z.csv", "a/b.csv", "C.TXT"):
        landed(tmp_path, name)
    assert [each.name for each in arrivals(tmp_path)] == ["C.TXT", "a/b.csv", "a/z.csv", "b.txt"]
    assert all(each.has_landed and each.path == tmp_path / each.name for each in arrivals(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        ".folder/a.txt",
        "a/.b/c.txt",
        "a.part",
        "a.TMP",
        "a.csv.crdownload",
        "~$book.xlsx",
        ".DS_Store",
    ],
)
def test_unfinished_and_hidden_files_are_left_alone(tmp_path, name):
    landed(tmp_path, name)
    landed(tmp_path, "a.txt")
    assert [each.name for each in arrivals(tmp_path)] == ["a.txt"]


def test_links_are_not_followed(tmp_path):
    outside = landed(tmp_path, "outside/a.txt")
    folder = tmp_path / "landing"
    folder.mkdir()
    (folder / "file.txt").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    os.mkfifo(folder / "pipe.txt")
    assert arrivals(folder) == []


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_landing_folder_that_is_none(tmp_path, name):
    landed(tmp_path, "file")
    with pytest.raises(ConfigurationError, match=f"{name}.*LANDING_DIR"):
        arrivals(tmp_path / name)


def test_identity_changes_with_the_file(tmp_path):
    path = landed(tmp_path, "a.txt", b"1234")
    seen = arrivals(tmp_path)[0]
    assert seen.is_unchanged()
    assert seen == arrivals(tmp_path)[0]
    path.write_bytes(b"4321")
    os.utime(path, ns=(seen.mtime_ns, seen.mtime_ns))  # what `cp -p` and `rsync -t` do
    assert not seen.is_unchanged()
    assert seen.identity != arrivals(tmp_path)[0].identity


def test_a_file_that_is_gone_or_replaced_has_changed(tmp_path):
    path = landed(tmp_path, "a.txt", b"1234")
    seen = arrivals(tmp_path)[0]
    landed(tmp_path, "b.txt", b"1234").replace(path)
    assert not seen.is_unchanged()
    path.unlink()
    assert not seen.is_unchanged()


def test_a_file_that_is_renamed_in_was_written_before(tmp_path):
    path = landed(tmp_path, "elsewhere.txt")
    os.utime(path, (1, 1))
    path.rename(tmp_path / "a.txt")
    assert arrivals(tmp_path)[0].written_at == 1


def test_folders_and_links_that_are_named_like_files_are_named_and_left_alone(tmp_path):
    for name in ("a.csv/b.txt", "c/d.ZIP/e.txt", ".hidden.csv/f.txt", "2026.11/g.txt"):
        landed(tmp_path, name)
    for name in ("c/link.csv", ".link.csv", "link"):
        (tmp_path / name).symlink_to(tmp_path / "2026.11/g.txt")
    sentences = sentences_of_ignored(tmp_path)
    assert [each.split()[0] for each in sentences] == ["a.csv", "c/d.ZIP", "c/link.csv"]
    assert ["link" in each for each in sentences] == [False, False, True]
    assert [each.name for each in arrivals(tmp_path)] == ["2026.11/g.txt"]


@pytest.mark.parametrize(("inside", "name"), [(True, "sub/a.txt"), (False, "a.txt")])
def test_a_named_file(tmp_path, inside, name):
    path = landed(tmp_path / "landing", "sub/a.txt")
    seen = arrival(path, tmp_path / "landing" if inside else tmp_path / "elsewhere")
    assert (seen.name, seen.has_landed, seen.size) == (name, inside, 1)
    assert arrival(path, None).has_landed is False


def test_a_named_file_is_the_one_that_is_found(tmp_path, monkeypatch):
    landed(tmp_path, "sub/a.txt")
    monkeypatch.chdir(tmp_path)
    assert arrival(lines.Path("sub/../sub/a.txt"), tmp_path) == arrivals(tmp_path)[0]


def test_a_named_link_is_followed_and_stays(tmp_path):
    target = landed(tmp_path, "elsewhere/a.txt", b"12345")
    link = tmp_path / "landing.txt"
    link.symlink_to(target)
    seen = arrival(link, tmp_path)
    assert (seen.name, seen.size, seen.has_landed) == ("landing.txt", 5, False)
    assert take_copy(seen, tmp_path / "copy") == hashlib.sha256(b"12345").hexdigest()


@pytest.mark.parametrize("name", ["missing.txt", "folder", "dangling.txt"])
def test_a_named_file_that_is_none(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=name):
        arrival(tmp_path / name, None)


def test_a_named_file_without_permission(tmp_path, monkeypatch):
    path = landed(tmp_path, "a.txt")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(InputError, match=r"a\.txt.*permission"):
        arrival(path, None)


# --- copies ---------------------------------------------------------------------------------------------


def test_a_copy_is_private_and_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.intake.files.COPY_BYTES", 7)
    content = bytes(range(256))
    landed(tmp_path, "in/a.txt", content)
    copy = tmp_path / "copy"
    assert take_copy(arrivals(tmp_path / "in")[0], copy) == hashlib.sha256(content).hexdigest()
    assert copy.read_bytes() == content
    assert copy.stat().st_mode & 0o777 == 0o600


def test_no_copy_of_a_file_that_changed_since_it_was_seen(tmp_path):
    path = landed(tmp_path, "in/a.txt", b"1")
    seen = arrivals(tmp_path / "in")[0]
    path.write_bytes(b"12")
    with pytest.raises(InputError, match=r"a\.txt changed"):
        take_copy(seen, tmp_path / "copy")


def test_no_copy_of_a_file_that_changes_meanwhile(tmp_path, monkeypatch):
    path = landed(tmp_path, "in/a.txt", b"1")
    seen = arrivals(tmp_path / "in")[0]
    really_open = type(path).open

    def open_and_append(self, *args, **kwargs):
        file = really_open(self, *args, **kwargs)
        with really_open(path, "ab") as writer:
            writer.write(b"2")
        return file

    monkeypatch.setattr(type(path), "open", open_and_append)
    with pytest.raises(InputError, match=r"a\.txt changed"):
        take_copy(seen, tmp_path / "copy")


def test_no_copy_without_room(tmp_path):
    landed(tmp_path, "in/a.txt")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        take_copy(arrivals(tmp_path / "in")[0], tmp_path / "nowhere" / "copy")
