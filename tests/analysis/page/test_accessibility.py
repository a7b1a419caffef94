"""axe-core finds nothing to object to on the page, nor in the dialog of a head; and all of it works without a mouse."""

import pytest


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_violation(visit, axe, width, dark):
    tab = visit(width=width, dark=dark)
    assert axe(tab) == []
    if width == 1280:
        tab.locator("button.head").first.click()
        assert axe(tab) == []


def test_axe_is_asked_what_it_can_answer(visit, axe):
    tab = visit()
    tab.evaluate("document.body.append(document.createElement('img'), document.createElement('button'))")
    assert {line.split(":")[0] for line in axe(tab)} == {"image-alt", "button-name"}


def test_the_keyboard_alone_leads_through_the_page(visit):
    """Tab meets the way past the bar, the search, a part's link, marks of a figure and a table; each can be seen."""
    tab = visit()
    met, names = {}, {"skip", "find", "anchor", "mark", "table", "number", "menu"}
    name = """() => {
        const at = document.activeElement;
        const is = { skip: '.skip', find: '[role=combobox]', anchor: '.anchor', mark: 'svg [data-head]',
                     table: '.sort', number: '[data-cite]', menu: '.opens' };
        const found = Object.keys(is).find((key) => at.matches(is[key]));
        const style = getComputedStyle(at.matches('svg *') ? at.firstElementChild : at);
        return [found, style.outlineStyle !== 'none' || style.strokeWidth === '2px'];
    }"""
    for _ in range(400):
        tab.keyboard.press("Tab")
        found, seen = tab.evaluate(name)
        met.setdefault(found, seen)
        if names <= set(met):
            break
    assert names <= set(met)
    assert all(met[each] for each in names), met
