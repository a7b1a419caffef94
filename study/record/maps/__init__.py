"""Maps: the attention weights of whole sentences, of tokens or of words, which the store keeps of few examples."""
