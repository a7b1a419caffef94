"""How likely words are: the output matrix meets the hidden states after which a word is scored, and no other.

Shapes: P pairs of mask and sequence, N rows after the last layer, T tokens, d width, Q hidden states, W words.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.engine.growing.token_tree import TokenTree
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.words import log_probabilities
from study.subjects.subject import to_device

CPU_LOGITS, GPU_LOGITS = 2**22, 2**26
"""Logits at a time: what a CPU looks through while it is at hand, and what fills a GPU."""


def request_scores(
    subject: LanguageModel, tree: TokenTree, hidden: Float[Tensor, "N T d"], row_P: Int[np.ndarray, " P"]
) -> tuple[Float[np.ndarray, "P requests"], Int[np.ndarray, "P requests"]]:
    """Scores of the requests of a tree for each of its pairs.

    Args:
        subject: the model, whose tail makes logits of hidden states.
        tree: the tree.
        hidden: last hidden states of all rows, at the tokens that masks act on.
        row_P: the row of each pair.

    Returns:
        Log-probability of each continuation, nats, and how many of its tokens are the most likely word.
    """
    num_words = subject.module.config.get_text_config().vocab_size
    logits_at_once = max(1, (CPU_LOGITS if hidden.device.type == "cpu" else GPU_LOGITS) // num_words)
    token_W = np.array(tree.words)[:, 0]
    shape, device = (len(row_P), len(token_W)), hidden.device
    wide = torch.promote_types(hidden.dtype, torch.float32)
    logp_PW, best_PW = (torch.empty(shape, dtype=dtype, device=device) for dtype in (wide, torch.bool))
    for places in np.split(tree.places, range(logits_at_once, len(tree.places), logits_at_once)):
        words = np.flatnonzero(np.isin(token_W, places))
        pairs_at_once = max(1, logits_at_once // len(places))
        for start in range(0, len(row_P), pairs_at_once):
            part = slice(start, start + pairs_at_once)
            found = _word_scores(subject, tree, hidden, row_P[part], words, places)
            at = to_device(torch.from_numpy(words), device)
            for all_PW, own_PW in zip((logp_PW, best_PW), found, strict=True):
                all_PW[part].index_copy_(1, at, own_PW)
    sums, greedy = (
        np.stack([of_word[:, list(words)].sum(1) for words in tree.scored], axis=1)
        for of_word in (logp_PW.cpu().double().numpy(), best_PW.cpu().long().numpy())  # waited for once a tree
    )
    return sums, greedy


def _word_scores(
    subject: LanguageModel,
    tree: TokenTree,
    hidden: Float[Tensor, "N T d"],
    row_P: Int[np.ndarray, " P"],
    words: Int[np.ndarray, " W"],
    places: Int[np.ndarray, " places"],
) -> tuple[Float[Tensor, "P W"], Bool[Tensor, "P W"]]:
    """The log-probability of some words of a tree, nats, and whether each is the most likely one.

    These are the words that stand after the tokens at some places.
    """
    token_W, target_W = np.array(tree.words)[words].T
    place_W = np.searchsorted(places, token_W)
    row_Q = np.arange(len(row_P))[:, None] * len(places) + place_W
    indices = (row_P, places - tree.read_once, np.tile(target_W, len(row_P)), row_Q.reshape(-1))
    rows, tokens, targets, logits = (to_device(torch.from_numpy(index), hidden.device) for index in indices)
    hidden_Qd = hidden[rows[:, None], tokens]
    scores = log_probabilities(subject.tail(hidden_Qd.flatten(0, 1)), targets, logits)
    logp_PW, best_PW = (score.view(len(row_P), len(target_W)) for score in scores)
    return logp_PW, best_PW
