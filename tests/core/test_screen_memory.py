from streamguard.core.regions import Rectangle
from streamguard.core.screen_memory import MOST_PASSED, ScreenMemory
from tests.core.made_screens import LEANING, UPRIGHT, Corners, filmed, shown

OUTLINE = Rectangle(30, 247, 50, 420)
UPRIGHT_OUTLINE = Rectangle(40, 230, 60, 420)
LOW: Corners = (UPRIGHT[0], (420.0, 48.0), UPRIGHT[2], UPRIGHT[3])


def test_leaning_screen_is_found_in_every_picture() -> None:
    memory, luma = ScreenMemory(), filmed(shown(), LEANING)

    found = [memory.screen_of(luma, OUTLINE) for _ in range(3)]

    assert None not in found


def test_content_without_bars_on_three_sides_is_no_screen() -> None:
    luma = filmed(shown(), LEANING)
    below, beside = luma[30:, 50:420], luma[:, 50:]

    assert ScreenMemory().screen_of(below, Rectangle(0, 217, 0, 370)) is None
    assert ScreenMemory().screen_of(beside, Rectangle(0, 270, 0, 370)) is None
    assert ScreenMemory().screen_of(luma, None) is None


def test_screen_that_touches_one_border_is_found() -> None:
    corners: Corners = tuple((x, y - 25) for x, y in LEANING)  # type: ignore[assignment]  # four
    luma = filmed(shown(), corners)

    screen = ScreenMemory().screen_of(luma, Rectangle(0, 222, 50, 420))

    assert screen is not None


def test_upright_content_is_looked_at_ever_more_seldom() -> None:
    upright, leaning = filmed(shown(), UPRIGHT), filmed(shown(), LOW)

    def pictures_until_found(n_upright: int) -> int:
        memory = ScreenMemory()
        for _ in range(n_upright):
            assert memory.screen_of(upright, UPRIGHT_OUTLINE) is None
        n_passed = 0
        while memory.screen_of(leaning, UPRIGHT_OUTLINE) is None:
            n_passed += 1
        return n_passed

    assert [pictures_until_found(n) for n in (0, 1, 2, 3, 6, 7, 8)] == [0, 1, 0, 3, 0, 7, 6]
    assert [pictures_until_found(n) for n in (15, 31, 47)] == [MOST_PASSED] * 3


def test_another_content_is_looked_at_at_once() -> None:
    memory = ScreenMemory()
    memory.screen_of(filmed(shown(), UPRIGHT), UPRIGHT_OUTLINE)

    assert memory.screen_of(filmed(shown(), LEANING), OUTLINE) is not None


def test_dark_picture_keeps_the_sides_that_do_not_show() -> None:
    memory, dark = ScreenMemory(), shown(2)
    dark[:90] = 20

    before = memory.screen_of(filmed(shown(), LEANING), OUTLINE)
    after = memory.screen_of(filmed(dark, LEANING), OUTLINE)

    assert before is not None
    assert after is not None
    assert after.top == before.top


def test_sides_are_forgotten_with_their_content() -> None:
    memory, dark = ScreenMemory(), shown(2)
    dark[:90] = 20
    memory.screen_of(filmed(shown(), LEANING), OUTLINE)
    memory.screen_of(filmed(shown(), LEANING), None)

    assert memory.screen_of(filmed(dark, LEANING), OUTLINE) is None
