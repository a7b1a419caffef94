"""Archives from the network, unpacked as folders that are whole or not there."""

import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from study.record.errors import InputError


def fetch_archive(url: str, folder: Path) -> None:
    """Unpack an archive as a folder; what its one top folder holds, if it has one.

    Raises:
        InputError: when it cannot be downloaded, or is no tar archive or an unsafe one.
    """
    from torch.hub import download_url_to_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        archive, content = Path(temporary, "archive"), Path(temporary, "content")
        try:
            download_url_to_file(url, str(archive), progress=sys.stderr.isatty())
            with tarfile.open(archive) as tar:
                tar.extractall(content, filter="data")
        except (OSError, tarfile.TarError, EOFError) as error:
            raise InputError(f"cannot get {url}: {error}") from error
        inside = list(content.iterdir())
        if len(inside) == 1 and inside[0].is_dir():
            content = inside[0]
        content.rename(folder)
