"""Reading of folders and archives."""
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, List, Tuple

__all__ = ['Read', 'open_source']

# Reads a file of the source by name.
Read = Callable[[str], bytes]


@contextmanager
def open_source(path: Path) -> Iterator[Tuple[List[str], Read]]:
    """Names of all files in a folder or an archive, and how to read them.

    Archives are not unpacked: their files are read into memory, and links and
    devices in them are ignored.

    Args:
        path: A folder, or a zip or tar file.

    Yields:
        The names, and a function from a name to the content of the file.

    Raises:
        ValueError: The file is not an archive, or is damaged.
    """
    try:
        if path.is_dir():
            yield _files_of(path), lambda name: (path / name).read_bytes()
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                members = {x.name: x for x in archive if x.isreg()}
                # None is for what is not a file.
                yield list(members), lambda name: archive.extractfile(
                    members[name]).read()  # type: ignore[union-attr]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield archive.namelist(), archive.read
        else:
            raise ValueError(
                f'{str(path)!r} is neither a folder nor a zip or tar file.')
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f'{str(path)!r} is damaged: {error}') from error


def _files_of(folder: Path) -> List[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*')
        if path.is_file())
