"""Where the training of a decoder starts: a language model of transformers and its tokenizer, before the first step."""

from collections.abc import Sequence

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from study.record.errors import InputError
from study.subjects.huggingface.decoder_checks import require_decoder
from study.subjects.huggingface.load_decoder import WHAT
from study.subjects.huggingface.read_model import read_config, read_module, read_tokenizer
from study.subjects.model_files import HEADS_FILE
from study.training.decoder_options import DecoderTraining, DecoderTuning, NewLlama

PAD, UNKNOWN, BEGIN = "[PAD]", "[UNK]", "[BOS]"


def initial_decoder(training: DecoderTraining, texts: Sequence[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model, in float32, and its tokenizer; the words of a new one are those of the texts.

    Random weights come from torch's current random state.

    Raises:
        InputError: when a model to go on from cannot be read whole, or heads were removed from it.
    """
    if isinstance(training, DecoderTuning):
        folder = training.start_folder()
        require_decoder(folder)
        if (folder / HEADS_FILE).is_file():
            raise InputError(f"heads were removed from the model in {folder}: start from the whole model")
        config = read_config(folder, None, WHAT)
        seed = training.seed_of_weights if training.scratch else None
        model = read_module(folder, config, AutoModelForCausalLM, WHAT, warnings=False, fresh_seed=seed)
        return model, read_tokenizer(folder, config)
    assert isinstance(training, NewLlama), f"no way to start a {type(training).__name__}"
    tokenizer = word_tokenizer(texts, training.max_length)
    return new_llama(training, tokenizer), tokenizer


def word_tokenizer(texts: Sequence[str], max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer of the words of some texts, in alphabetical order; blanks part them, nothing stands before them."""
    words = sorted({word for text in texts for word in text.split()})
    vocabulary = {word: i for i, word in enumerate([PAD, UNKNOWN, BEGIN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    special = {"pad_token": PAD, "unk_token": UNKNOWN, "bos_token": BEGIN}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **special)


def new_llama(training: NewLlama, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """A Llama with random weights for the tokens of a tokenizer."""
    number = tokenizer.get_vocab()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=training.hidden,
        num_hidden_layers=training.layers,
        num_attention_heads=training.heads,
        num_key_value_heads=training.groups,
        intermediate_size=training.inner,
        max_position_embeddings=training.max_length,
        initializer_range=training.initial_range,
        pad_token_id=number[PAD],
        bos_token_id=number[BEGIN],
        eos_token_id=None,
    )
    return LlamaForCausalLM(config)
