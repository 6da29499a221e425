"""Downloading one published file, from its publisher or from a mirror."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.data._catalogue import DatasetInfo, FileInfo
from toolkit.data._store import Obtain
from toolkit.errors import DataError

URL_VARIABLE = "TOOLKIT_DATA_URL"

_CHUNK_BYTES = 1 << 16
_CONNECT_READ_SECONDS = (10, 30)


class _MismatchError(Exception):
    """What a server sent has another length or checksum than the catalogue says."""


def downloading(
    info: DatasetInfo,
    *,
    progress: bool = True,
    base_url: str | None = None,
    attempts: int = 3,
    pause: float = 1.0,
) -> Obtain:
    """An ``obtain`` that downloads.

    Args:
        info: the catalogue's entry.
        progress: show a progress bar.
        base_url: a mirror that is asked instead of the published addresses, e.g. one inside a school;
            it serves ``<base_url>/<data set>/<file>``, as the cache folder is laid out.
        attempts: how often each address is tried.
        pause: seconds before the second attempt; the third waits twice as long, and so on.
    """

    def download(file: FileInfo, target: Path) -> None:
        urls = [f"{base_url.rstrip('/')}/{info.name}/{file.name}"] if base_url else list(file.urls)
        failures: dict[str, str] = {}
        for attempt in range(attempts):
            time.sleep(pause * attempt)
            for url in list(urls):
                failure, try_again = _try_url(url, file, target, progress=progress)
                if failure is None:
                    return
                failures[url] = failure
                if not try_again:
                    urls.remove(url)
            if not urls:
                break
        raise _no_download(info, file, failures)

    return download


def _try_url(url: str, file: FileInfo, target: Path, *, progress: bool) -> tuple[str | None, bool]:
    """Download once.

    Returns:
        What went wrong (``None``: nothing) and whether another attempt may help.
    """
    import requests  # 75 ms that a set from the cache need not pay
    import urllib3

    try:
        _stream(url, file, target, progress=progress)
        return None, False
    except _MismatchError as error:
        return str(error), True
    except requests.HTTPError as error:
        return f"HTTP status {error.response.status_code}", True
    except requests.ConnectionError as error:
        # urllib3 wraps it thus when there was no connection at all: no network, no such host.
        unreachable = bool(error.args) and isinstance(error.args[0], urllib3.exceptions.MaxRetryError)
        return (_no_connection(error) if unreachable else "the connection broke"), not unreachable
    except requests.RequestException as error:
        return f"the connection broke ({type(error).__name__})", True


def _no_connection(error: Exception) -> str:
    kind = type(error).__name__  # SSLError, ProxyError, ConnectTimeout say more than ConnectionError
    return "no connection" if kind == "ConnectionError" else f"no connection ({kind})"


def _stream(url: str, file: FileInfo, target: Path, *, progress: bool) -> None:
    import pooch

    bar = _progress_bar(file) if progress else contextlib.nullcontext(False)
    with bar as progressbar, target.open("wb") as stream:
        downloader = pooch.HTTPDownloader(
            progressbar=progressbar,
            chunk_size=_CHUNK_BYTES,
            timeout=_CONNECT_READ_SECONDS,
            # The published bytes as they are: the files are compressed already.
            headers={"Accept-Encoding": "identity"},
        )
        downloader(url, _BoundedStream(stream, file.size), None)
    if not file.matches(target):
        size = target.stat().st_size
        raise _MismatchError(f"{size} of {file.size} bytes" if size < file.size else "another checksum")


class _BoundedStream:
    """A stream that refuses more bytes than the published file has, so that no server fills the disk."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def write(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise _MismatchError("more bytes than the published file has")
        self._stream.write(chunk)

    def flush(self) -> None:
        self._stream.flush()


class _RichBar:
    """What pooch expects of a progress bar, drawn by Rich."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task
        self.total = 0  # pooch sets it; the catalogue's size is used, which the server cannot get wrong

    def update(self, n_bytes: int) -> None:
        self._bar.advance(self._task, n_bytes)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        """Nothing to do: the context manager stops the bar."""


@contextlib.contextmanager
def _progress_bar(file: FileInfo) -> Iterator[_RichBar]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _RichBar(bar, bar.add_task(file.name, total=file.size))


def _no_download(info: DatasetInfo, file: FileInfo, failures: dict[str, str]) -> DataError:
    if any("bytes" in failure or "checksum" in failure for failure in failures.values()):
        hint = "The login page of a network may have answered in the server's place. "
    else:
        hint = ""
    return DataError(
        f"data set {info.name!r}",
        f"to download {file.name}",
        "; ".join(f"{failure} from {url}" for url, failure in failures.items()),
        f"{hint}Until then data.load({info.stand_in!r}) needs no network. Fetch it later with "
        f"`toolkit data fetch {info.name}`, or from a folder that holds it with "
        f"`toolkit data fetch {info.name} --from FOLDER`.",
    )


def mirror_url() -> str | None:
    """The mirror that the environment variable ``TOOLKIT_DATA_URL`` names, if any.

    Raises:
        DataError: if it is not a web address.
    """
    url = os.environ.get(URL_VARIABLE)
    if url and not url.startswith(("http://", "https://")):
        raise DataError(URL_VARIABLE, "an address that begins with http:// or https://", repr(url))
    return url or None
