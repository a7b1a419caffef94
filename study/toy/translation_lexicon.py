"""The words of the toy language pair: English-like on the left, their counterparts in a made-up language on the right.

The made-up language has two genders, which no word shows by itself, and endings that agree.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A thing: both its English forms, its counterpart, and the gender that articles and adjectives take from it."""

    singular: str
    plural: str
    stem: str
    feminine: bool


@dataclass(frozen=True)
class Verb:
    """A verb: its English forms and the stem of its counterpart."""

    plain: str
    third: str
    past: str
    stem: str


def _nouns(table: str) -> tuple[Noun, ...]:
    """Read `dog dogs canel m, ...`."""
    rows = (entry.split() for entry in table.split(", "))
    return tuple(Noun(singular, plural, stem, gender == "f") for singular, plural, stem, gender in rows)


def _verbs(table: str) -> tuple[Verb, ...]:
    """Read `see sees saw vid, ...`."""
    return tuple(Verb(*entry.split()) for entry in table.split(", "))


def _pairs(table: str) -> dict[str, str]:
    """Read `red rugel, ...`."""
    words = table.replace(",", "").split()
    return dict(zip(words[::2], words[1::2], strict=True))


GENERAL_NOUNS = _nouns(
    "dog dogs canel m, cat cats felin f, house houses mason f, garden gardens jardel m, book books livor m, "
    "teacher teachers maestel m, friend friends amik m, river rivers fluven f, road roads strad f, child children "
    "infel m, woman women dom f, man men homin m, letter letters skriv f, ship ships navel f, tree trees albor m, "
    "song songs cantel f, window windows fenest f, horse horses kaval m, city cities urban f, boy boys garsel m"
)
NEWS_NOUNS = _nouns(
    "minister ministers minist m, law laws legem f, company companies firmal f, worker workers laborel m, bank banks "
    "bankel f, judge judges judik m, report reports raport m, army armies armad f, farmer farmers agrik m, "
    "border borders frontel f, price prices pretel m, school schools skolen f"
)
CHAT_NOUNS = _nouns(
    "phone phones fonel m, pizza pizzas pizel f, party parties fest f, game games jog m, photo photos fotel f, "
    "movie movies filmel m, sister sisters sorel f, brother brothers frat m, coffee coffees kafel m, shirt shirts "
    "kamis f, joke jokes blag f, bike bikes velik m"
)
TRANSITIVES = _verbs(
    "see sees saw vid, like likes liked am, find finds found trov, help helps helped asist, follow follows followed "
    "segv, watch watches watched guard, need needs needed bezon, know knows knew konos, carry carries carried port, "
    "sell sells sold vend, buy buys bought kompr, lose loses lost perd, want wants wanted vol, "
    "forget forgets forgot oblid"
)
INTRANSITIVES = _verbs(
    "sleep sleeps slept dorm, wait waits waited atend, leave leaves left part, return returns returned torn, "
    "laugh laughs laughed rid, fall falls fell kad"
)
ADJECTIVES = _pairs(
    "red rug, old vekel, small pikol, big grand, new nov, good bon, dark obskur, happy felis, poor povr, quiet kalm, "
    "strange estran, green verd, young jun, famous famel"
)
ADVERBS = _pairs("today odia, often sovent, here aki, again denov, now oran")
PREPOSITIONS = _pairs("near preso, behind dretro, with kon, without sen, from da")
NUMBERS = _pairs("two du, three tre, four kvar, five sink")
NAMES = ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Greta", "Hugo")
