"""What computes many masks on many examples, fast and exactly. Why and how: `design/engine.md`.

`evaluator` asks and stores, `choose` says which engine answers: `OneMaskAtATime` in `engine`, which is every model's,
`bottom_up` for classifiers, `batched_decoding` for translators. These two read the model's weights (`weights`) and
compute once what masks share (`prefixes`).

A tensor's axes stand in its type, or at the end of its name (`context_BTHD`):

    M masks                            H heads of a layer, or of the model where masks are meant
    E examples or sentences            D size of a head
    P pairs of mask and example        d width of the model, c width of a context
    T tokens so far, or of an example  R rows before a layer, hypotheses of a search
    S source tokens                    N rows after a layer, nodes of a search
    K sources: encoder states          G groups of pairs that share hidden states
    C classes                          W beams of a group
    V words                            L slots of a group: the tokens of all its beams, forgotten ones among them
    B, Q batch and queries of one attention
"""
