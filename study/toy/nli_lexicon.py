"""The words of the toy NLI language: genres with things and places of their own, and what the words mean to each other.

A word's meaning is its place among the others: a *kind* covers its members (every hen is a bird), members of different
kinds and different members of one kind exclude each other, an adjective excludes its opposite, one cannot be in two
places or in two postures at once. Whatever is not said here is independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """What a text of one genre speaks of.

    Attributes:
        kinds: living things, by kind; they act and are acted upon.
        places: where things happen, with their preposition.
    """

    kinds: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]


@dataclass(frozen=True)
class Transitive:
    """A verb with an object, in the two forms that the grammar needs.

    Attributes:
        active: as in `is pushing a cow`.
        passive: as in `is pushed by a cow`.
        covers: verbs (their active form) that are ways of doing this.
    """

    active: str
    passive: str
    covers: tuple[str, ...] = ()


def _genre(kinds: str, places: str) -> Genre:
    """Read `bird: hen duck goose; ...` and `in the barn, ...`."""
    pairs = (kind.split(": ") for kind in kinds.split("; "))
    return Genre({kind: tuple(members.split()) for kind, members in pairs}, tuple(places.split(", ")))


TRAIN_GENRES = {
    "farm": _genre("bird: hen duck goose; beast: cow goat horse", "in the barn, on the field, by the pond"),
    "school": _genre("pupil: reader writer drummer; teacher: coach tutor lecturer", "in the hall, on the stairs"),
    "harbour": _genre("sailor: captain cook pilot; fish: cod eel trout", "on the pier, in the boat, by the rocks"),
    "theatre": _genre("artist: dancer singer juggler; guest: critic student tourist", "on the stage, in the lobby"),
}
OTHER_GENRES = {
    "hospital": _genre("doctor: surgeon dentist vet; visitor: priest lawyer florist", "in the ward, by the lift"),
    "forest": _genre("hunter: archer trapper falconer; reptile: snake lizard turtle", "under the oak, on the path"),
    "court": _genre("noble: duke prince earl; guard: knight squire sentry", "at the gate, in the tower"),
}
GENRES = TRAIN_GENRES | OTHER_GENRES

OPPOSITES = (("big", "small"), ("old", "young"), ("happy", "sad"), ("quiet", "loud"), ("rich", "poor"))
POSTURES = {"resting": ("sleeping", "sitting"), "moving": ("walking", "running")}
TRANSITIVES = (
    Transitive("touching", "touched", covers=("pushing", "pulling")),
    Transitive("pushing", "pushed"),
    Transitive("pulling", "pulled"),
    Transitive("following", "followed", covers=("chasing", "hunting")),
    Transitive("chasing", "chased"),
    Transitive("hunting", "hunted"),
    Transitive("watching", "watched"),
    Transitive("helping", "helped"),
)

PASSIVES = {verb.active: verb.passive for verb in TRANSITIVES}
NOUN_KINDS = {kind: members for genre in GENRES.values() for kind, members in genre.kinds.items()}
COVERED = {**NOUN_KINDS, **POSTURES, **{verb.active: verb.covers for verb in TRANSITIVES if verb.covers}}
"""The words that cover others, with those that they cover."""

WIDER = {word: cover for cover, words in COVERED.items() for word in words}
OPPOSITE = {a: b for pair in OPPOSITES for a, b in (pair, pair[::-1])}
INTRANSITIVES = tuple(word for cover, words in POSTURES.items() for word in (cover, *words))


def covers(wide: str, narrow: str) -> bool:
    """Whether everything that the second word says is also what the first says."""
    return wide == narrow or WIDER.get(narrow) == wide
