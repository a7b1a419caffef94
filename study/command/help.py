"""What `study --help`, or `study` alone, says: what people want first, then what there is to choose."""

import re
import textwrap

from study.entry_files import description, options

WIDTH = 110
"""Columns of a line."""

USAGE = """\
Masks the attention heads of a trained transformer and stores what becomes of every example.

  study model=NAME data=NAME measure=NAME   one job; a sweep with -m: measure=ablation,no_head -m
  study experiment=NAME                     a sweep as the paper has it, or of the embedded toy models: toy_nli
  study ... plan=true                       how much there is to do and how long it takes; nothing is done
  study ... --cfg job                       every option of this job with its value

A model and data of yours:

  study model=hf_classifier model.path=FOLDER data=nli_file data.path=FILE.tsv measure=ablation
  study model=fairseq_folder model.path=FOLDER model.source_lang=en model.target_lang=fr \\
        data=parallel_file data.source=FILE.en data.target=FILE.fr measure=ablation

Measures (measure=ablation where none is given):

{measures}

Orders of measure=pruning (measure.order=importance where none is given):

{orders}

Others:

{others}

Options of any job: results=FOLDER, data.limit=N (the first N examples), precision=float32|bfloat16|screened|cascade,
device=auto|cpu|cuda:1, threads=N, memory_gb=N, shards=N shard=0,1,... -m (each takes a share of the examples).
screened: bfloat16, and close decisions again in float32. cascade: clear decisions by gradients; an audit bounds how
many are wrong (cascade.bound=0.001).
Folders with entries of yours: --config-dir FOLDER. Completion with TAB: eval "$(study completion bash)"
"""

LIST = """\
Lists what there is to choose, with what each entry still needs.

  study list                      every experiment, model, data set, measure, order ...: a line each
  study list model                the entries of a group, or those with this word in their names
  study list toy_classifier       one entry: its options, their values, and what each is

--config-dir FOLDER: with entries of yours.
"""

PRUNE = """\
Removes heads of a trained transformer for good and saves the smaller model, proved equal to the masked one.

  study prune model=NAME mask=0110... out=FOLDER                  a digit a head; 1: keep, 0: remove
  study prune model=NAME heads=[encoder_self.0.1,...] out=FOLDER
  study prune model=NAME order=FILE number=20 out=FOLDER          the first 20 of a file; share=0.4: that share

model= and model.NAME= are those of a job.
An address names a head (decoder_self.3.11), a group of heads that share keys and values (decoder_self.3.g1) or a
layer (decoder_self.3), counted from 0.
export=auto|none|torch|onnx: files for programs without this project. +scores.DATA=SCORE: for the model's card.
"""


def help_text() -> str:
    """The help of `study`."""
    others = ["hydra/launcher: serial, local_pool, slurm"]
    others += [f"{group}: {', '.join(options(group))}" for group in ("experiment", "model", "data", "tracking")]
    wrapped = [textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ") for text in others]
    return USAGE.format(measures=_lines("measure"), orders=_lines("measure/order"), others="\n".join(wrapped))


def _lines(group: str) -> str:
    """A line for each entry of a group, its name and what it is."""
    names = options(group)
    width = max(map(len, names)) + 2
    return "\n".join(f"  {name:<{width}}{_in_short(description(group, name), WIDTH - width)}" for name in names)


def _in_short(text: str, room: int) -> str:
    """Its first sentence, as much of it as there is room for."""
    return textwrap.shorten(re.split(r"\.$|\. ", text)[0], room, placeholder=" ...")
