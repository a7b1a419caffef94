"""The parts of the benchmark by name, in the order in which they run."""

from collections.abc import Callable, Iterator

from .efficiency import efficiency
from .growth import growth
from .heads_off import bert_base, classifier, gpu
from .importance import importance
from .launching import launching
from .orders import orders
from .page import page
from .pruned import pruned
from .resampling import resampling
from .sizes import Sizes
from .storing import store
from .table import Row
from .tracking import tracking
from .translation import translation

PARTS: dict[str, Callable[[Sizes], Iterator[Row]]] = {
    part.__name__: part
    for part in (
        classifier,
        bert_base,
        efficiency,
        orders,
        translation,
        importance,
        pruned,
        store,
        resampling,
        page,
        launching,
        tracking,
        growth,
        gpu,
    )
}
