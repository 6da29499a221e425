"""Downloading one published file, from its publisher or from a mirror.

What has arrived lies in ``<file>.part`` beside the target. When the connection breaks or the process is killed it
stays there, and the next attempt asks the server for the rest only (RFC 9110, section 14). It names the version that
the part is of, if the server told it (``If-Range``); a server that has another version by now, or that does not
know ranges, sends the whole file. The checksum of the whole has the last word.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.data._info import DatasetInfo, FileInfo
from toolkit.data._store import Obtain, part_of
from toolkit.errors import DataError

if TYPE_CHECKING:
    import requests

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
        _fetch(url, file, target, progress=progress)
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


def _fetch(url: str, file: FileInfo, target: Path, *, progress: bool) -> None:
    """Complete the part and put it at the target; a part that turns out to be of no use is removed."""
    import requests

    part = part_of(target)
    resumed = part.path.exists() and 0 < part.path.stat().st_size <= file.size
    try:
        if not (resumed and file.matches(part.path)):  # it may have been killed after the last byte
            _receive(url, file, part.path, part.version, resume=resumed, progress=progress)
        if not file.matches(part.path):
            size = part.path.stat().st_size
            raise _MismatchError(f"{size} of {file.size} bytes" if size < file.size else "another checksum")
    except requests.RequestException:
        raise  # the next attempt goes on from here
    except _MismatchError:
        part.remove()
        if not resumed:
            raise
        # Perhaps only the old part was wrong, or the server's idea of a range.
        return _fetch(url, file, target, progress=progress)
    except OSError:  # no room on the disk: the part holds some of it
        part.remove()
        raise
    part.path.replace(target)
    return None


def _receive(url: str, file: FileInfo, path: Path, version: Path, *, resume: bool, progress: bool) -> None:
    import requests

    # The published bytes as they are: the files are compressed already.
    headers = {"Accept-Encoding": "identity"}
    if resume:
        headers["Range"] = f"bytes={path.stat().st_size}-"
        known_url, _, known = version.read_text(encoding="utf-8").partition("\n") if version.exists() else ("", "", "")
        if known and known_url == url:
            headers["If-Range"] = known
    with requests.get(url, headers=headers, stream=True, timeout=_CONNECT_READ_SECONDS) as response:
        if response.status_code == requests.codes.range_not_satisfiable:
            raise _MismatchError("no bytes after those that are here")
        response.raise_for_status()
        start = _start_of(response)
        if start and not (resume and start == path.stat().st_size):
            raise _MismatchError("other bytes than the ones asked for")
        _note_version(url, response, version)
        with (
            path.open("ab" if start else "wb") as stream,
            _progress_bar(file, start) if progress else contextlib.nullcontext(lambda size: None) as advance,
        ):
            for chunk in response.iter_content(_CHUNK_BYTES):
                if stream.tell() + len(chunk) > file.size:  # no server shall fill the disk
                    raise _MismatchError("more bytes than the published file has")
                stream.write(chunk)
                advance(len(chunk))


def _start_of(response: requests.Response) -> int:
    """Position in the file of the first byte that the server sends."""
    import requests

    if response.status_code != requests.codes.partial_content:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not found:
        raise _MismatchError("a part of the file that it does not name")
    return int(found[1])


def _note_version(url: str, response: requests.Response, version: Path) -> None:
    """Write down which version of the file this is: its strong ETag, or else its date."""
    tag = response.headers.get("ETag", "")
    known = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    if known:
        version.write_text(f"{url}\n{known}", encoding="utf-8")
    else:
        version.unlink(missing_ok=True)


@contextlib.contextmanager
def _progress_bar(file: FileInfo, start: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; gives the function to call with the number of bytes that have arrived."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        # The catalogue's size, which the server cannot get wrong.
        task = bar.add_task(file.name, total=file.size, completed=start)
        yield lambda size: bar.advance(task, size)


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
