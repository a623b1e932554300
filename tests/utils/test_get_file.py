"""`get_file`: the cache, checksums, retries and archives, against a local server."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from datasets.served import serving
from torchkeras_lite import utils
from torchkeras_lite.utils import archives, downloads
from torchkeras_lite.utils.archives import extract_archive
from torchkeras_lite.utils.downloads import file_sum


@pytest.fixture
def home(tmp_path, monkeypatch):
    path = tmp_path / "home"
    monkeypatch.setenv("KERAS_HOME", str(path))
    monkeypatch.setattr(downloads, "PAUSE", 0)
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "served"
    path.mkdir()
    (path / "plain.txt").write_text("abc")
    with zipfile.ZipFile(path / "cats.zip", "w") as archive:
        archive.writestr("cats/1.txt", "x")
    for name in ("f.tar.gz", "flowers.tgz"):
        with tarfile.open(path / name, "w:gz") as archive:
            add(archive, "f/a.txt")
    return path


def add(archive, name, **options):
    entry = tarfile.TarInfo(name)
    entry.size = 5
    for option, value in options.items():
        setattr(entry, option, value)
    archive.addfile(entry, io.BytesIO(b"hello"))


# Arguments, the result, and all files: what Keras 3.15.1 was seen to make of them.
FILES = [
    (dict(origin="plain.txt"), "datasets/plain.txt", ["datasets/plain.txt"]),
    (dict(origin="plain.txt?version=2"), "datasets/plain.txt", ["datasets/plain.txt"]),
    (dict(fname="q.txt", origin="plain.txt", cache_subdir="x"), "x/q.txt", ["x/q.txt"]),
    (
        dict(fname="flowers", origin="flowers.tgz", untar=True),
        "datasets/flowers",
        ["datasets/flowers/f/a.txt", "datasets/flowers_archive"],
    ),
    (
        dict(fname="flowers.tgz", origin="flowers.tgz", untar=True),
        "datasets/flowers_extracted",
        ["datasets/flowers.tgz", "datasets/flowers_extracted/f/a.txt"],
    ),
    (
        dict(fname="f.tar.gz", origin="f.tar.gz", extract=True),
        "datasets/f_extracted",
        ["datasets/f.tar.gz", "datasets/f_extracted/f/a.txt"],
    ),
    (
        dict(origin="f.tar.gz", untar=True),
        "datasets/f.tar.gz",
        ["datasets/f.tar.gz/f/a.txt", "datasets/f.tar.gz_archive"],
    ),
    (
        dict(fname="cats.zip", origin="cats.zip", extract=True),
        "datasets/cats_extracted",
        ["datasets/cats.zip", "datasets/cats_extracted/cats/1.txt"],
    ),
    (
        dict(fname="cats", origin="cats.zip", extract=True, archive_format="zip"),
        "datasets/cats",
        ["datasets/cats/cats/1.txt", "datasets/cats_archive"],
    ),
]


@pytest.mark.parametrize("number", range(len(FILES)))
def test_places_are_kerass(number, home, folder):
    options, result, files = FILES[number]
    with serving(folder) as (address, asked):
        options = {**options, "origin": address + options["origin"]}
        path = utils.get_file(**options)
        assert os.path.relpath(path, home) == result
        found = sorted(str(one.relative_to(home)) for one in home.rglob("*") if one.is_file())
        assert found == sorted(files)
        assert utils.get_file(**options) == path
        assert len(asked) == 1  # the second time it is in the cache


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_checksums(algorithm, home, folder):
    right = file_sum(folder / "plain.txt", algorithm)
    with serving(folder) as (address, asked):
        path = utils.get_file("p.txt", address + "plain.txt", file_hash=right, hash_algorithm=algorithm)
        utils.get_file("p.txt", address + "plain.txt", file_hash=right)
        assert len(asked) == 1
        (home / "datasets" / "p.txt").write_text("changed")
        utils.get_file("p.txt", address + "plain.txt", md5_hash=right)
        assert len(asked) == 2
        assert Path(path).read_text() == "abc"
        with pytest.raises(ValueError, match="Incomplete or corrupted file detected"):
            utils.get_file("p.txt", address + "plain.txt", file_hash="0" * len(right))
    assert Path(path).read_text() == "abc"  # what was there stays
    assert os.listdir(home / "datasets") == ["p.txt"]


def test_force_download(home, folder):
    with serving(folder) as (address, asked):
        for force in (False, True):
            utils.get_file(origin=address + "plain.txt", force_download=force)
    assert len(asked) == 2


def test_failures_are_tried_again(home, folder):
    with serving(folder, fails=[503, 500]) as (address, asked):
        assert Path(utils.get_file(origin=address + "plain.txt")).read_text() == "abc"
        assert len(asked) == 3


@pytest.mark.parametrize(("fails", "count"), [([404], 1), ([500] * 3, 3)])
def test_failures_say_what_to_put_where(fails, count, home, folder):
    with serving(folder, fails=fails) as (address, asked):
        with pytest.raises(OSError, match=rf"URL fetch failure on .*plain\.txt: {fails[0]}") as caught:
            utils.get_file(origin=address + "plain.txt")
        assert len(asked) == count
    assert str(home / "datasets" / "plain.txt") in str(caught.value)
    assert os.listdir(home / "datasets") == []


def cut_off(handler):
    """Promise 1000 bytes and send 2."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"ab")


def cut_off_in_chunks(handler):
    """Promise a chunk of 5 bytes and send 2."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nab")


@pytest.mark.parametrize("cut", [cut_off, cut_off_in_chunks], ids=["length", "chunks"])
def test_downloads_that_are_cut_off_are_tried_again(cut, home, folder):
    with serving(folder, fails=[cut, cut]) as (address, asked):
        assert Path(utils.get_file(origin=address + "plain.txt")).read_text() == "abc"
        assert len(asked) == 3
    with serving(folder, fails=[cut] * 3) as (address, asked):
        with pytest.raises(OSError, match=r"URL fetch failure on .*(after 2 of 1000 bytes|IncompleteRead)"):
            utils.get_file("other.txt", address + "plain.txt")
        assert len(asked) == 3
    assert os.listdir(home / "datasets") == ["plain.txt"]


def test_progress_is_shown(home, folder, capsys):
    with serving(folder) as (address, _):
        utils.get_file(origin=address + "plain.txt")
    said = capsys.readouterr().out
    assert said.startswith(f"Downloading data from {address}plain.txt")
    assert "3/3" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(fname="a.txt"), r'Please specify the "origin" argument'),
        (dict(origin="http://127.0.0.1:9/"), "Can't parse the file name from the origin"),
        (dict(fname="a/b.txt", origin="http://x/y"), "Paths are no longer accepted as the `fname` argument"),
        (dict(fname="../b.txt", origin="http://x/y"), "Paths are no longer accepted"),
        (dict(fname="..", origin="http://x/y"), "Paths are no longer accepted"),
    ],
    ids=range(5),
)
def test_names_are_refused(options, message, home):
    with pytest.raises(ValueError, match=message):
        utils.get_file(**options)


def test_other_refusals(home, folder):
    with serving(folder) as (address, _):
        with pytest.raises(ValueError, match="is no archive of the formats tar, zip"):
            utils.get_file("p.txt", address + "plain.txt", extract=True)
        with pytest.raises(ValueError, match="`archive_format` must be 'auto', 'tar', 'zip'"):
            utils.get_file("c.zip", address + "cats.zip", extract=True, archive_format="rar")
        utils.get_file("q.txt", address + "plain.txt")
        with pytest.raises(ValueError, match="`hash_algorithm` must be"):
            utils.get_file("q.txt", address + "plain.txt", file_hash="00", hash_algorithm="crc")


ENTRIES = {
    "parent": dict(name="../out.txt"),
    "inner parent": dict(name="a/../../out.txt"),
    "absolute": dict(name="/out.txt"),
    "drive": dict(name="C:/out.txt"),
    "backslash": dict(name="..\\out.txt"),
    "link": dict(name="link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": dict(name="link", type=tarfile.LNKTYPE, linkname="a.txt"),
    "device": dict(name="device", type=tarfile.CHRTYPE),
}


@pytest.mark.parametrize("kind", ENTRIES)
def test_archives_stay_in_their_folder(kind, tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        add(archive, "a.txt")
        add(archive, **ENTRIES[kind])
    with pytest.raises(ValueError, match="is refused because"):
        extract_archive(tmp_path / "bad.tar", tmp_path / "inner" / "out")
    if "link" not in kind and kind != "device":
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr(ENTRIES[kind]["name"], "x")
        with pytest.raises(ValueError, match="its path leads out of the folder"):
            extract_archive(tmp_path / "bad.zip", tmp_path / "inner" / "out")
    assert not (tmp_path / "inner" / "out").exists()
    assert not (tmp_path / "out.txt").exists()


def bomb(kind, path, size):
    """Write an archive of zeros."""
    zeros = io.BytesIO(bytes(size))
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/zeros", zeros.getvalue())
    else:
        entry = tarfile.TarInfo("a/zeros")
        entry.size = size
        with tarfile.open(path, "w:xz") as archive:
            archive.addfile(entry, zeros)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bombs_are_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FLOOR", 2**16)
    bomb(kind, tmp_path / "bomb", 2**21)
    with pytest.raises(ValueError, match=r"'a/zeros' is refused because .* bytes of the archive become more"):
        extract_archive(tmp_path / "bomb", tmp_path / "out")
    assert os.listdir(tmp_path) == ["bomb"]
    monkeypatch.setattr(archives, "FLOOR", 2**21)
    extract_archive(tmp_path / "bomb", tmp_path / "out")
    assert (tmp_path / "out" / "a" / "zeros").stat().st_size == 2**21


def test_what_a_bomb_says_of_its_size_is_not_believed(tmp_path, monkeypatch):
    """The limit counts what really comes out, over all entries."""
    monkeypatch.setattr(archives, "FLOOR", 2**16)
    writer = archives._Writer(tmp_path)
    with pytest.raises(ValueError, match="is refused because"):
        writer.write("a", 10, io.BytesIO(bytes(2 * writer.left)), tmp_path / "a")
    writer = archives._Writer(tmp_path)
    writer.write("a", writer.left, io.BytesIO(bytes(writer.left)), tmp_path / "a")
    with pytest.raises(ValueError, match="is refused because"):
        writer.write("b", 1, io.BytesIO(b"1"), tmp_path / "b")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_that_are_cut_off_say_so(kind, home, folder):
    bomb(kind, folder / "cut", 2**18)
    whole = (folder / "cut").read_bytes()
    if kind == "zip":  # the list of entries is at the end, so a byte inside is damaged
        (folder / "cut").write_bytes(whole[:60] + b"\xff" * 9 + whole[69:])
    else:
        (folder / "cut").write_bytes(whole[: len(whole) - 80])
    message = r"damaged or cut off: .*`force_download=True`"
    with serving(folder) as (address, _), pytest.raises(ValueError, match=message):
        utils.get_file("cut", address + "cut", extract=True)
    assert os.listdir(home / "datasets") == ["cut_archive"]
