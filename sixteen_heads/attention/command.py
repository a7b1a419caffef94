"""`study attention`: a page of what every head of a model looks at in one sentence.

  study attention model=NAME text="A man is sleeping."                 a sentence
  study attention model=NAME text="A man sleeps." text="He is awake."  a pair, for models that read two texts
  study attention model=NAME text="Two dogs run." target="Zwei ..."    a translation that is not the model's own
  study attention model=NAME text=@FILE.txt                            the text of a file
  study attention model=NAME data=NAME example=ID                      an example of a data set

heads_off=L2H3,encoder_self.0.1   the maps without these heads beside those with every head on; groups and layers too
layers=0,5                        these layers alone, for long texts
out=FILE.html                     where the page is written (attention/MODEL-TEXT.html)
head=L2H3 out=FILE.pdf            the picture of one head, for a paper: .pdf, .png or .svg

model= and its options, device= and threads= are those of a job.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from analysis.formatting import slug
from sixteen_heads.attention.request import Request
from sixteen_heads.browser import open_in_browser
from study.command.misspelt import as_typed, sentence
from study.record.errors import InputError, StudyError, listed
from study.record.files import WriteError, made_folder, whole_file

if TYPE_CHECKING:
    from analysis.page.maps.sentence_page import SentencePage

FOLDER = Path("attention")
PICTURES = (".pdf", ".png", ".svg")
LONGEST = 60
"""Letters of a file name that say which model and text it is of."""


def show(arguments: Sequence[str], prog: str) -> int:
    """Write the page of a sentence and open it; the exit status."""
    if not arguments or any(word in ("-h", "--help") for word in arguments):
        print(__doc__)
        return 0
    try:
        out = write_page(Request.parse(arguments))
    except (StudyError, HydraException, OmegaConfBaseException) as error:
        words = str(error) if isinstance(error, StudyError) else sentence(error, arguments)
        print(f"{prog}: {as_typed(words, arguments)}", file=sys.stderr)
        return 1
    print(out.resolve())
    if not open_in_browser(out.resolve().as_uri()):
        print("Open it in a browser, here or on another machine: the file is all that it needs.", file=sys.stderr)
    return 0


def write_page(request: Request) -> Path:
    """Write the page of what is asked for; the file.

    Raises:
        StudyError: when it cannot be made or written.
    """
    from sixteen_heads.attention.sentence import sentence_page  # takes the analysis and the schemas of every model

    if request.out is not None and request.out.is_dir():
        raise WriteError(f"out={request.out} is a folder: name a file, as in out=map.html")
    _require_picture(request)
    page = sentence_page(request)
    if request.head:
        return write_picture(page, request)
    out = request.out or FOLDER / f"{slug(f'{page.model}-{next(iter(page.texts.values()))}')[:LONGEST].strip('-')}.html"
    made_folder(out.parent)
    with whole_file(out) as draft:
        draft.write_text(page.html(), encoding="utf-8")
    return out


def write_picture(page: "SentencePage", request: Request) -> Path:
    """Write the picture of the head that is asked for; the file.

    Raises:
        StudyError: when there is no such head, or the file cannot be written.
    """
    from sixteen_heads.attention.maps import AttentionMaps  # takes matplotlib

    drawing, out = AttentionMaps(page).picture(request.head), request.out
    assert out is not None
    content = {".svg": drawing.file.encode, ".pdf": drawing.pdf, ".png": drawing.png}[out.suffix.lower()]()
    made_folder(out.parent)
    with whole_file(out) as draft:
        draft.write_bytes(content)
    return out


def _require_picture(request: Request) -> None:
    """Refuse a picture of no head, and a head without a picture."""
    is_picture = request.out is not None and request.out.suffix.lower() in PICTURES
    if is_picture and not request.head:
        raise InputError(f"out={request.out} is a picture: head=L2H3 says of which head; out=FILE.html shows all")
    if request.head and not is_picture:
        raise InputError(f"head={request.head} is for a picture: out=FILE ending in {listed(PICTURES)}")
