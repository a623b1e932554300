"""`get_file`: a file from the network or the cache, checked, and unpacked where that is asked for."""

import hashlib
import hmac
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from torchkeras_lite.base.atomic_file import replacing
from torchkeras_lite.base.keras_home import keras_home
from torchkeras_lite.callbacks.progress import Progbar, announce
from torchkeras_lite.utils.archives import extract_archive

CHUNK = 1 << 18
ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt; each further one waits twice as long
TIMEOUT = 60
ALGORITHMS = {"md5": hashlib.md5, "sha256": hashlib.sha256}


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """Return the path of a file, downloaded where the cache does not hold it.

    It is written beside its place and moved there when it is whole and its checksum is right. A download that
    fails is tried three times; a path that is already there without a checksum is taken as it is.

    Args:
        fname: Name in the cache; the last part of `origin` when not given.
        origin: URL of the file.
        untar: Earlier name of `extract`, for tar files.
        md5_hash: Earlier name of `file_hash`.
        file_hash: MD5 or SHA-256 sum of the file, in hexadecimal digits.
        cache_subdir: Folder in the cache, or an absolute path.
        hash_algorithm: `"md5"`, `"sha256"`, or `"auto"` to tell by the length of the sum.
        extract: Whether the file is an archive to be unpacked. `fname="a"` keeps it as `a_archive` and
            unpacks it into the folder `a`; `fname="a.zip"` keeps that name and unpacks into `a_extracted`.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of them, `"auto"` for both, or `None`.
        cache_dir: Folder of the cache; `KERAS_HOME` or `~/.keras` when not given.
        force_download: Whether the file is downloaded even if the cache holds it.

    Returns:
        The path of the file, or of the folder into which it was unpacked.

    Raises:
        ValueError: no `origin`, a path as the name, a checksum that does not fit; an archive of another
            format, a damaged one, one that would write outside of its folder, or one whose content takes more
            than 64 MiB and more than 200 times its own size.
        OSError: the download failed; the message says which file to put where.

    Source: Keras 3 `keras.utils.get_file`. Differs: failed downloads are tried again, a file with a wrong
    checksum is not kept, links in archives are refused.
    """
    if origin is None:
        raise ValueError('get_file: Please specify the "origin" argument (URL of the file to download).')
    file_hash = md5_hash if file_hash is None else file_hash
    folder = _folder(cache_dir, cache_subdir)
    unpacks = untar or extract
    file_name, folder_name = _names(fname, origin, unpacks)
    target = os.path.join(folder, file_name)
    os.makedirs(folder, exist_ok=True)
    fetched = _fetch(origin, target, file_hash, hash_algorithm, force_download)
    if not unpacks:
        return target
    place = os.path.join(folder, folder_name)
    if fetched or not os.path.exists(place):
        extract_archive(target, place, archive_format)
    return place


def _names(fname, origin, unpacks):
    """Return the names of the file and of the folder into which it is unpacked."""
    given = fname is not None
    if not given:
        fname = urllib.parse.unquote(os.path.basename(urllib.parse.urlsplit(origin).path))
        if not fname:
            raise ValueError(
                f"get_file: Can't parse the file name from the origin provided: '{origin}'. Please specify "
                "the "
                "`fname` argument."
            )
    fname = os.fspath(fname)
    if os.path.basename(fname.replace("\\", "/")) != fname or fname in (".", ".."):
        raise ValueError(
            "get_file: Paths are no longer accepted as the `fname` argument. To specify the file's parent "
            f"directory, use the `cache_dir` argument. Received: fname={fname}"
        )
    stem, ending = os.path.splitext(fname)
    if not unpacks:
        return fname, None
    if given and ending:
        return fname, f"{stem.removesuffix('.tar')}_extracted"
    return f"{fname}_archive", fname


def _folder(cache_dir, cache_subdir):
    """Return the folder for a file; where the cache cannot be written, one below `/tmp`, as in Keras."""
    home = keras_home() if cache_dir is None else os.path.expanduser(os.fspath(cache_dir))
    os.makedirs(home, exist_ok=True)
    if not os.access(home, os.W_OK):
        home = os.path.join("/tmp", ".keras")
    return os.path.join(home, os.fspath(cache_subdir))


def _fetch(origin, target, file_hash, algorithm, force):
    """Have the file at `target`, and return whether it was downloaded."""
    if os.path.isfile(target) and not force:
        if file_hash is None or has_hash(target, file_hash, algorithm):
            return False
        announce(
            f"A local file was found, but it seems to be incomplete or outdated because the {algorithm} file "
            f"hash does not match the original value of {file_hash} so we will re-download the data."
        )
    announce(f"Downloading data from {origin}")
    with replacing(target) as temporary:
        _download_with_retries(origin, temporary, target)
        if file_hash is not None and not has_hash(temporary, file_hash, algorithm):
            raise ValueError(
                f"Incomplete or corrupted file detected. The {algorithm} file hash does not match the "
                "provided "
                f"value of {file_hash}. {origin} may hold another version: check the sum, or try again."
            )
    return True


def _download_with_retries(origin, path, target):
    for attempt in range(ATTEMPTS):
        try:
            return _download(origin, path)
        except urllib.error.HTTPError as error:
            error.close()
            if (error.code < 500 and error.code not in (408, 429)) or attempt == ATTEMPTS - 1:
                raise OSError(_advice(origin, target, f"{error.code} -- {error.reason}")) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS - 1 or isinstance(error, ValueError):
                reason = getattr(error, "reason", None) or error
                raise OSError(_advice(origin, target, reason)) from error
        time.sleep(PAUSE * 2**attempt)
    return None


def _advice(origin, target, reason):
    return (
        f"URL fetch failure on {origin}: {reason}. Without a network, put the file that this address gives "
        "at "
        f"{target}"
    )


def _download(origin, path):
    request = urllib.request.Request(origin, headers={"User-Agent": "torchkeras_lite"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response, open(path, "wb") as file:
        size = int(response.headers.get("Content-Length") or 0) or None
        bar, done = Progbar(size, unit_name="byte"), 0
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            bar.update(done, finalize=False)
        if size is not None and done != size:
            raise OSError(f"the connection ended after {done} of {size} bytes")
        bar.update(done, finalize=True)


def has_hash(path, file_hash, algorithm="auto"):
    """Whether a file has the MD5 or SHA-256 sum `file_hash`.

    Raises:
        ValueError: an unknown algorithm.
    """
    if algorithm == "auto":
        algorithm = "sha256" if len(file_hash) == 64 else "md5"
    if algorithm not in ALGORITHMS:
        raise ValueError(f"get_file: `hash_algorithm` must be 'auto', 'md5' or 'sha256', got {algorithm!r}.")
    return hmac.compare_digest(file_sum(path, algorithm), str(file_hash).lower())


def file_sum(path, algorithm="sha256"):
    """Return the checksum of a file in hexadecimal digits."""
    summed = ALGORITHMS[algorithm]()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            summed.update(chunk)
    return summed.hexdigest()
