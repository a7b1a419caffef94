"""What there is to choose."""

from study.entries import entries_with


def test_every_option_of_every_entry_is_found_by_its_name() -> None:
    assert entries_with("measure", "order") == ["pruning"]
    assert entries_with("measure/order", "seeds") == ["random"]
    assert entries_with("data", "documents") == ["parallel_file"]
    assert entries_with("training", "merges") == ["fairseq", "iwslt14_de_en", "toy_translator"]
    assert entries_with("model", "no_such_option") == []
