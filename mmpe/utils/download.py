"""Downloads that are complete and verified, or fail."""
import contextlib
import hashlib
import http.client
import queue
import re
import threading
import time
from pathlib import Path
from typing import Any, Generator, Optional
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from .files import PathLike, atomic_write
from .progress import ProgressBar

__all__ = ['DownloadError', 'download', 'is_url']

_HASH = re.compile(r'-([0-9a-f]{8,64})\.pth$')
# Limits: seconds without data, bytes, and bytes per second after a minute.
_TIMEOUT, _LARGEST, _SLOWEST = 60, 2**33, 1000


class DownloadError(OSError):
    """A file cannot be downloaded, or does not match its name."""


def is_url(source: PathLike) -> bool:
    """Whether a source is a URL (http or https)."""
    return urlparse(str(source)).scheme in ('http', 'https')


def download(url: str, path: PathLike) -> None:
    """Download a file, with a progress bar.

    If the name of a checkpoint ends with a hash, as in
    ``name-71d9634b.pth``, the file is verified. (A ``.pkl`` file of SinGAN has
    the hash of its checkpoint in its name.)

    Args:
        url: URL of the file.
        path: Output path; it does not exist until the download is complete.

    Raises:
        DownloadError: The file cannot be downloaded, is a web page, is
            incomplete, has another hash, is larger than 8 GiB, or comes at
            less than 1000 bytes per second.
        OSError: The file cannot be written.
    """
    name = Path(urlparse(url).path).name
    expected = _HASH.search(name)
    with atomic_write(path) as temporary:
        try:
            digest = _fetch(url, temporary)
        except HTTPError as error:
            raise DownloadError(f'Cannot download {url}: the server says '
                                f'{error.code} {error.reason}.') from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, DownloadError) or _is_local(error):
                raise
            reason = getattr(error, 'reason', error)
            raise DownloadError(f'Cannot download {url}: '
                                f'{" ".join(str(reason).split())}.') from error
        if expected and not digest.startswith(expected[1]):
            raise DownloadError(
                f'{url} is not the published file: its SHA-256 must start '
                f'with {expected[1]}, not with {digest[:len(expected[1])]}.')


def _is_local(error: Exception) -> bool:
    """Whether writing to the disk failed."""
    return getattr(error, 'filename', None) is not None


def _fetch(url: str, path: Path) -> str:
    """Write the content of a URL to a file; return its SHA-256."""
    sha256, received, start = hashlib.sha256(), 0, time.monotonic()
    with contextlib.closing(_parts(url)) as parts:
        total = _length(next(parts))
        with open(path, 'wb') as file, ProgressBar(
                total=total,
                desc=Path(urlparse(url).path).name,
                unit='B',
                unit_scale=True) as bar:
            for chunk in parts:
                if not received and _is_web_page(chunk):
                    raise DownloadError(
                        f'{url} is a web page, not a file of weights.')
                file.write(chunk)
                sha256.update(chunk)
                received += len(chunk)
                _check_bounds(url, received, time.monotonic() - start)
                bar.update(len(chunk))
    if total is not None and received < total:
        raise DownloadError(f'Cannot download {url}: the connection ended '
                            f'after {received} of {total} bytes.')
    return sha256.hexdigest()


def _parts(url: str) -> Generator[Any, None, None]:
    """The response of a server, then its content in parts.

    urllib only limits the time between two bytes, so a server can take a
    minute for each byte of its headers. A thread waits for them instead.
    """
    request = Request(url, headers={'User-Agent': 'mmpe'})
    parts: queue.Queue = queue.Queue(maxsize=4)
    is_over = threading.Event()

    def receive() -> None:
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:
                parts.put(response)
                chunk = None
                while chunk != b'' and not is_over.is_set():
                    chunk = response.read1(1 << 16)
                    parts.put(chunk)
        except Exception as error:
            parts.put(error)

    threading.Thread(target=receive, daemon=True).start()
    try:
        while True:
            part = parts.get(timeout=_TIMEOUT)
            if isinstance(part, Exception):
                raise part
            if part == b'':
                return
            yield part
    except queue.Empty:
        raise TimeoutError(f'no data for {_TIMEOUT} seconds') from None
    finally:
        is_over.set()
        while not parts.empty():  # unblock the thread
            parts.get_nowait()


def _check_bounds(url: str, received: int, seconds: float) -> None:
    if received > _LARGEST:
        raise DownloadError(f'Cannot download {url}: it is larger than '
                            f'{_LARGEST / 2**30:g} GiB.')
    if seconds > _TIMEOUT and received < _SLOWEST * seconds:
        raise DownloadError(f'Cannot download {url}: the server sent only '
                            f'{received} bytes in {seconds:.0f} seconds.')


def _length(response: http.client.HTTPResponse) -> Optional[int]:
    length = response.headers.get('Content-Length', '')
    return int(length) if length.isdecimal() else None


def _is_web_page(beginning: bytes) -> bool:
    start = beginning.lstrip()[:9].lower()
    return start.startswith((b'<!doctype', b'<html'))
