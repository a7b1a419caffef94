import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from study.command.overrides import for_every_job, overrides_last, quoted


def value(argument: str) -> object:
    return OverridesParser.create().parse_override(argument).value()


@pytest.mark.parametrize(
    "path",
    ["Mein Ordner ü/x.tsv", 'it\'s "mine"/x.tsv', "C:\\new dir\\ü.tsv", "ends in ü\\", "(1) x.tsv", "a\\'b ü", "x [a"],
)
def test_paths_mean_what_they_say(path: str) -> None:
    [argument] = quoted([f"data.path={path}"])
    assert value(argument) == path


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_no_value_is_read_as_another(text: str) -> None:
    """What the grammar reads by itself stays as typed; everything else is the text that was typed."""
    typed = f"data.path={text}"
    [argument] = quoted([typed])
    assert argument == typed or value(argument) == text


@pytest.mark.parametrize(
    "argument", ["data=a,b", "model.labels=[a,b]", "data.path='x y'", "-m", "+a=1", "~a", "list", "a="]
)
def test_what_hydra_reads_stays(argument: str) -> None:
    assert quoted([argument]) == [argument]


@pytest.mark.parametrize(
    "option",
    [
        "data.limit=9",
        "data.labels=[a,b]",
        "data.path='x y,z'",
        "data.tokenised=true",
        "+data.fields={a: 1}",
        "data.id=null",
    ],
)
def test_an_option_of_a_group_that_is_swept_is_for_every_job(option: str) -> None:
    arguments = ["-m", "model=a", "data=a,b", "model.beam=2", "data.limit=1,2", option]
    *same, changed = for_every_job(arguments)
    assert same == arguments[:-1]
    override = OverridesParser.create().parse_override(changed)
    assert override.is_sweep_override()
    (job,) = set(override.sweep_string_iterator())
    assert value(f"x={job}") == value(option)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("model=a --multirun data=b,c", "--multirun model=a data=b,c"),
        ("-m model=a ~tracking", "-m model=a ~tracking"),
        ("+x=1 --cfg job y=2", "--cfg job +x=1 y=2"),
        ("prune model=a --config-dir conf out=b", "prune --config-dir conf model=a out=b"),
    ],
)
def test_overrides_may_stand_on_both_sides_of_a_flag(typed: str, given: str) -> None:
    assert overrides_last(typed.split()) == given.split()
