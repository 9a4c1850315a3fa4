"""The lines by number, and the three ways a line can end."""

LINES = {}


class Line:
    def __init__(self, number, sentence, check):
        self.number, self.sentence, self.check = number, sentence, check


class Failed(Exception):
    """The server does not do what the line says."""


class Skipped(Exception):
    """The kit was not given what it takes to ask."""


def line(number, sentence):
    """Registers a function as the check of one line. It returns when the line holds."""

    def register(check):
        if number in LINES:
            raise ValueError(f"line {number} stands twice")
        LINES[number] = Line(number, sentence, check)
        return check

    return register


def demand(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def demand_equal(found, expected, what):
    demand(found == expected, f"{what}: expected {expected!r}, found {found!r}")
