"""What transformers says of a model that changes its own state."""

import logging

from transformers.utils.logging import get_logger

from study.subjects.huggingface.quiet import hear_once


def test_what_is_said_of_every_pass_is_heard_once() -> None:
    hear_once()
    hear_once()
    handler = get_logger().handlers[0]
    said = [f"Attention for {length} tokens is {name}" for length in (5, 13, 5) for name in ("full", "sparse")]
    records = [logging.LogRecord("transformers.models", logging.WARNING, "", 0, text, None, None) for text in said]
    assert [record.getMessage() for record in records if handler.filter(record)] == said[:2]
    ours = logging.LogRecord("study.engine", logging.WARNING, "", 0, said[0], None, None)
    assert handler.filter(ours), "a handler may be shared: what others say is theirs to repeat"
