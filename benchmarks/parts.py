"""The parts of the benchmark by name, in the order in which they run."""

from collections.abc import Callable, Iterator

from benchmarks.cascade import cascade
from benchmarks.engine.efficiency import efficiency
from benchmarks.engine.growth import growth
from benchmarks.engine.heads_off import bert_base, classifier, gpu
from benchmarks.engine.importance import importance
from benchmarks.engine.language_models import language_models
from benchmarks.engine.orders import orders
from benchmarks.engine.pruned import pruned
from benchmarks.engine.translation import translation
from benchmarks.gates import gates
from benchmarks.observing import attention
from benchmarks.program.commands import commands
from benchmarks.program.launching import launching
from benchmarks.program.page import page
from benchmarks.program.report import report
from benchmarks.program.resampling import resampling
from benchmarks.program.store import store
from benchmarks.program.tracking import tracking
from benchmarks.replacement import replacement
from benchmarks.sets import sets
from benchmarks.sizes import Sizes
from benchmarks.table import Row

PARTS: dict[str, Callable[[Sizes], Iterator[Row]]] = {
    part.__name__: part
    for part in (
        classifier,
        bert_base,
        cascade,
        efficiency,
        orders,
        sets,
        translation,
        language_models,
        importance,
        replacement,
        gates,
        attention,
        pruned,
        store,
        resampling,
        page,
        commands,
        report,
        launching,
        tracking,
        growth,
        gpu,
    )
}
