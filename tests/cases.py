"""The architectures that every stage is tested on: tiny models with random weights, and a tokenizer for them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from study.subjects.classifier import Classifier

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(60))]
LABELS = ("entailment", "neutral", "contradiction")
TOKENS = len(VOCABULARY)
SPECIAL = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}


def tiny_tokenizer(*, one_end: bool = False) -> tf.PreTrainedTokenizerFast:
    """One token a word `w0` ... `w59`; pairs as [CLS] a [SEP] b [SEP], or with `one_end` (T5) as [CLS] a b [SEP]."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    pair = "[CLS] $A $B:1 [SEP]:1" if one_end else "[CLS] $A [SEP] $B:1 [SEP]:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _bert_kin(config: type, model: type) -> Callable[[], tf.PreTrainedModel]:
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    return lambda: model(config(vocab_size=TOKENS, max_position_embeddings=64, num_labels=3, **sizes, **SPECIAL))


def _encoder_decoder(config: type, model: type, **more: object) -> Callable[[], tf.PreTrainedModel]:
    sizes = {
        "d_model": 24,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 3,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "max_position_embeddings": 64,
        "decoder_start_token_id": 3,
        "forced_eos_token_id": None,
        "scale_embedding": True,
    }
    return lambda: model(config(**{"vocab_size": TOKENS, **sizes, **SPECIAL, **more}))


def _t5(model: type, **more: object) -> Callable[[], tf.PreTrainedModel]:
    sizes = {"d_model": 24, "d_kv": 5, "d_ff": 32, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
    return lambda: model(tf.T5Config(vocab_size=TOKENS, pad_token_id=0, eos_token_id=3, **sizes, **more))


def _llama() -> tf.PreTrainedModel:
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    grouped = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return tf.LlamaForSequenceClassification(
        tf.LlamaConfig(vocab_size=TOKENS, num_labels=3, **sizes, **grouped, **SPECIAL)
    )


def _gpt2() -> tf.PreTrainedModel:
    sizes = {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 64}
    return tf.GPT2ForSequenceClassification(tf.GPT2Config(vocab_size=TOKENS, num_labels=3, **sizes, **SPECIAL))


def _distilbert() -> tf.PreTrainedModel:
    sizes = {"dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 32, "max_position_embeddings": 64}
    return tf.DistilBertForSequenceClassification(
        tf.DistilBertConfig(vocab_size=TOKENS, num_labels=3, pad_token_id=0, **sizes)
    )


def _electra() -> tf.PreTrainedModel:
    sizes = {"hidden_size": 24, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"intermediate_size": 32, "max_position_embeddings": 64, "num_labels": 3}
    return tf.ElectraForSequenceClassification(tf.ElectraConfig(vocab_size=TOKENS, **sizes, **more, **SPECIAL))


CLASSIFIERS: dict[str, Callable[[], tf.PreTrainedModel]] = {
    "bert": _bert_kin(tf.BertConfig, tf.BertForSequenceClassification),
    "roberta": _bert_kin(tf.RobertaConfig, tf.RobertaForSequenceClassification),
    "distilbert": _distilbert,
    "electra": _electra,
    "gpt2": _gpt2,
    "llama": _llama,
    "bart": _encoder_decoder(tf.BartConfig, tf.BartForSequenceClassification, num_labels=3),
    "t5": _t5(tf.T5ForSequenceClassification, num_labels=3),
}

SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "intermediate_size": 32, "max_position_embeddings": 64}


def architecture(kind: str, **fields: object) -> Callable[[], tf.PreTrainedModel]:
    """A tiny sequence classifier of transformers by its `model_type`; `fields` are those of its config."""
    config = {"vocab_size": TOKENS, "num_labels": 3, "num_attention_heads": 4, **SIZES, **SPECIAL, **fields}
    return lambda: tf.AutoModelForSequenceClassification.from_config(tf.AutoConfig.for_model(kind, **config))


LINEAR = {
    "linear_num_value_heads": 8,
    "linear_num_key_heads": 4,
    "linear_key_head_dim": 6,
    "linear_value_head_dim": 6,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 6}

MECHANISMS: dict[str, Callable[[], tf.PreTrainedModel]] = {
    "weights shared by layers": architecture("albert", embedding_size=16),
    "queries normed over all heads": architecture("olmo2", num_key_value_heads=2),
    "gate beside queries, linear attention between": architecture(
        "qwen3_next", num_hidden_layers=4, num_key_value_heads=2, head_dim=8, **LINEAR, **EXPERTS
    ),
    "queries, keys and values in one": architecture("gpt_neox"),
    "values of another size": architecture(
        "deepseek_v3", **LATENT, first_k_dense_replace=2, n_routed_experts=4, num_key_value_heads=4
    ),
    "projection called output": _encoder_decoder(
        tf.BigBirdPegasusConfig,
        tf.BigBirdPegasusForSequenceClassification,
        num_labels=3,
        attention_type="original_full",
    ),
    "dense beside attention": architecture(
        "mobilebert", embedding_size=16, intra_bottleneck_size=24, true_hidden_size=24, num_feedforward_networks=1
    ),
    "attention in a list of its own": lambda: tf.XLMForSequenceClassification(
        tf.XLMConfig(vocab_size=TOKENS, emb_dim=24, n_layers=2, n_heads=4, num_labels=3, pad_token_id=0)
    ),
    "stacks of layers in stacks": lambda: tf.FunnelForSequenceClassification(
        tf.FunnelConfig(
            vocab_size=TOKENS, block_sizes=[1, 1], d_model=24, n_head=4, d_head=6, d_inner=32, num_labels=3, **SPECIAL
        )
    ),
}
"""A tiny classifier for each way in which an architecture lays out its heads."""

TRANSLATORS: dict[str, Callable[[], tf.PreTrainedModel]] = {
    "bart": _encoder_decoder(tf.BartConfig, tf.BartForConditionalGeneration),
    "marian": _encoder_decoder(tf.MarianConfig, tf.MarianMTModel),
    "fsmt": _encoder_decoder(
        tf.FSMTConfig, tf.FSMTForConditionalGeneration, src_vocab_size=TOKENS, tgt_vocab_size=TOKENS, langs=["a", "b"]
    ),
    "m2m100": _encoder_decoder(tf.M2M100Config, tf.M2M100ForConditionalGeneration),
    "t5": _t5(tf.T5ForConditionalGeneration),
}


def build(make: Callable[[], tf.PreTrainedModel], seed: int = 0) -> tf.PreTrainedModel:
    """A tiny model with random weights, larger than usual so that every head matters."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make().eval()
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.3)
        return model


def subject(
    make: Callable[[], tf.PreTrainedModel],
    name: str = "tiny",
    *,
    seed: int = 0,
    tokenizer: tf.PreTrainedTokenizerFast | None = None,
    **options: Any,
) -> Classifier:
    """The classifier of a tiny model and the tiny tokenizer; `options` are those of `Classifier`."""
    settings = {"labels": LABELS, "max_length": 32, "truncate": False, "loaded": name, **options}
    return Classifier(build(make, seed), tokenizer or tiny_tokenizer(), **settings)


class Numbers:
    """A text processing whose words are token ids."""

    unknown: int | None = None

    def encode(self, text: str) -> tuple[int, ...]:
        return (*map(int, text.split()), SPECIAL["eos_token_id"])

    def encode_target(self, text: str) -> tuple[int, ...]:
        return self.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))
