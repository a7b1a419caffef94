"""Proof that what stands in a unit's place is what it is said to be, one row and one unit at a time.

A head of every layer and the MLP of every layer are off in turn, in a batch with others, and in every other way of
running the model. The reference reads one row alone, and is another way to the same numbers:

- a constant, or what a donor gives: the unit's columns of the projection are zero, and r through these columns is added
  behind it; an MLP's weights are zero, and r is added to what it gives;
- uniform attention: a loop over tokens, and over the tokens that each may look at, which are those that have weight in
  the model's own attention where all queries are zero.

Shapes: R rows, T tokens, S tokens that are looked at, H heads, D size of a head.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from study.certification.certify import TOLERANCE, CertificationError, columns_zeroed
from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.sites import AttentionSite
from study.masking.stand_ins import Place, StandIn
from study.record.units import Head, Mlp
from study.subjects.subject import Subject, TokenRow

VALUE = re.compile(r"(?:^|\.)(?:value|value_proj|v_proj|v_lin|v_head|v)$")
"""Names of value projections within an attention module."""

ROUNDED_TOLERANCE = 0.1
"""The tolerance of weights in half precision."""


@torch.no_grad()
def certify_stand_in(subject: Subject) -> float:
    """Prove what stands in the place of a certified subject's units.

    Returns:
        The largest difference from the references, as a share of the largest value of the response.

    Raises:
        CertificationError: with the units whose place something else stands in.
    """
    rows = subject.probe()
    scale = subject.response(rows, None).abs().max().item() or 1.0
    within = TOLERANCE if subject.module.dtype == torch.float32 else ROUNDED_TOLERANCE
    units = units_to_prove(subject)
    largest, reasons = 0.0, dict[str, None]()
    for start in range(0, len(units), len(rows)):
        own = [units[(start + i) % len(units)] for i in range(len(rows))]
        xi = subject.as_xi(subject.layout.each_off(own))
        ways = {"the plain pass": subject.response(rows, xi)}
        if start == 0:
            ways |= subject.other_responses(rows, xi)
        expected = torch.cat([expected_response(subject, row, unit) for row, unit in zip(rows, own, strict=True)])
        for way, found in ways.items():
            for unit, difference in zip(own, (found - expected).abs().amax(1) / scale, strict=True):
                largest = max(largest, difference.item())
                if not difference.item() <= within:
                    reasons[f"{way}: something else stands in the place of {unit} (differs by {difference:.2g})"] = None
    if reasons:
        raise CertificationError(subject.loaded, list(reasons))
    return largest


def units_to_prove(subject: Subject) -> list[Head | Mlp]:
    """A head of each layer, another one from layer to layer, and every MLP."""
    layout = subject.layout
    heads = [layout.heads[layout.columns(*layer)] for layer in layout.layers]
    return [own[i % len(own)] for i, own in enumerate(heads)] + [Mlp(layer) for layer in layout.mlps]


def expected_response(subject: Subject, row: TokenRow, unit: Head | Mlp) -> Tensor:
    """What the model says of one row with one unit off, by the reference."""
    with subject.gate.standing(stand_in := subject.stand_in([row])), ExitStack() as stack:
        if stand_in.is_seen_at_calls:
            assert isinstance(unit, Head), "only heads look at tokens"
            site = subject.gate.site(unit)
            stack.enter_context(
                _looking_alike(site, unit.index) if site.caller else _replaced_by_hand(subject, row, site, unit.index)
            )
        else:
            stack.enter_context(_added(subject, stand_in, unit))
            stack.enter_context(columns_zeroed(subject, subject.layout.without([unit])))
        return subject.response([row], None)


@contextmanager
def _added(subject: Subject, stand_in: StandIn, unit: Head | Mlp) -> Iterator[None]:
    """What stands in the place of a unit added behind what its weights give, which are those of before the block."""
    gate = subject.gate
    if isinstance(unit, Mlp):
        module, batch_dim = gate.mlp_site(unit).output, gate.mlp_site(unit).batch_dim

        def instead(place: Place) -> Tensor | None:
            return stand_in.mlp(unit.layer, place)
    else:
        site = gate.site(unit)
        weight = site.head_columns(unit.index).clone()
        module, batch_dim = site.projection, site.batch_dim

        def instead(place: Place) -> Tensor | None:
            found = stand_in.heads((unit.kind, unit.layer), place)
            return None if found is None else found[:, :, unit.index].to(weight) @ weight

    hook = module.register_forward_hook(_adds(instead, batch_dim))
    try:
        yield
    finally:
        hook.remove()


def _adds(instead: Callable[[Place], Tensor | None], batch_dim: int | None) -> Callable[[nn.Module, Any, Any], Any]:
    def add(_: nn.Module, __: Any, output: Any) -> Any:
        given, *rest = output if isinstance(output, tuple) else (output,)
        rows = given[None] if batch_dim is None else given.movedim(batch_dim, 0)
        found = instead(Place(slice(0, 1), torch.arange(rows.shape[1], device=given.device)[None]))
        if found is None:
            return None
        more = rows + found.to(rows)
        more = more[0] if batch_dim is None else more.movedim(0, batch_dim)
        return (more, *rest) if isinstance(output, tuple) else more

    return add


@contextmanager
def _looking_alike(site: AttentionSite, index: int) -> Iterator[None]:
    """One head looks at all tokens that it may look at alike."""

    def answer(call: AttentionCall) -> Answer:
        contexts, weights = call.attend()
        if call.module is site.caller:
            contexts = contexts.clone()
            value = call.value[0, index // (call.num_heads // call.num_groups)]
            for token, allowed in enumerate(_allowed(call, index)):
                contexts[0, token, index] = torch.stack([value[other] for other in allowed]).mean(0)
        return contexts, weights

    with attention_calls(answer):
        yield


def _allowed(call: AttentionCall, index: int) -> Sequence[list[int]]:
    """The tokens that each token may look at: those that have weight where all queries are zero."""
    blind = replace(call, query=torch.zeros_like(call.query))
    allowed: list[list[int]] = [[] for _ in range(call.num_queries)]
    for other in range(call.value.shape[2]):
        value = torch.zeros_like(call.value)
        value[:, :, other] = 1.0
        for token, weight in enumerate(blind.attend(value)[0][0, :, index, 0].tolist()):
            if weight > 0.0:
                allowed[token].append(other)
    return allowed


@contextmanager
def _replaced_by_hand(subject: Subject, row: TokenRow, site: AttentionSite, index: int) -> Iterator[None]:
    """As `_looking_alike`, where no attention function is called; other passes show values and allowed tokens."""
    value = _output(subject, row, _values(subject, site))
    value = value.movedim(site.batch_dim, 0)[0].unflatten(-1, (site.num_heads, -1))[:, index]
    allowed = _allowed_by_hand(subject, row, site, index, len(value))

    def replace_head(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        heads = inputs[0].clone().unflatten(-1, (site.num_heads, -1))
        for token, others in enumerate(allowed):
            heads.movedim(site.batch_dim, 0)[0, token, index] = torch.stack([value[other] for other in others]).mean(0)
        return (heads.flatten(-2), *inputs[1:])

    hook = site.projection.register_forward_pre_hook(replace_head)
    try:
        yield
    finally:
        hook.remove()


def _values(subject: Subject, site: AttentionSite) -> nn.Module:
    """The projection that makes the values.

    Raises:
        CertificationError: when its name is not known.
    """
    found = [part for name, part in site.attention.named_modules() if VALUE.search(name)] if site.attention else []
    if len(found) != 1 or site.query is None or site.is_fused:
        raise CertificationError(subject.loaded, [f"{site}: the projection that makes its values has no known name"])
    return found[0]


def _allowed_by_hand(
    subject: Subject, row: TokenRow, site: AttentionSite, index: int, num_keys: int
) -> Sequence[list[int]]:
    """As `_allowed`: a pass for each token that may be looked at, in which it alone has a value."""
    assert site.query is not None, "a query of a known name"
    allowed: list[list[int]] = []
    for other in range(num_keys):

        def only(_: nn.Module, __: Any, output: Tensor, other: int = other) -> Tensor:
            value = torch.zeros_like(output)
            value.movedim(site.batch_dim, 0)[0, other] = 1.0
            return value

        with ExitStack() as stack:
            blind = site.query.register_forward_hook(_zeros)
            stack.callback(blind.remove)
            stack.callback(_values(subject, site).register_forward_hook(only).remove)
            heads = _input(subject, row, site.projection).movedim(site.batch_dim, 0)[0]
        weights = heads.unflatten(-1, (site.num_heads, -1))[:, index, 0].tolist()
        allowed = allowed or [[] for _ in weights]
        for token, weight in enumerate(weights):
            if weight > 0.0:
                allowed[token].append(other)
    return allowed


def _zeros(_: nn.Module, __: Any, output: Tensor) -> Tensor:
    return torch.zeros_like(output)


def _output(subject: Subject, row: TokenRow, module: nn.Module) -> Tensor:
    """What a part gives while one row is read."""
    seen: list[Tensor] = []

    def see(_: nn.Module, __: Any, output: Tensor) -> None:
        seen.append(output)

    hook = module.register_forward_hook(see)
    try:
        subject.response([row], None)
    finally:
        hook.remove()
    return seen[-1]


def _input(subject: Subject, row: TokenRow, module: nn.Module) -> Tensor:
    """What a part reads while one row is read."""
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        subject.response([row], None)
    finally:
        hook.remove()
    return seen[-1]
