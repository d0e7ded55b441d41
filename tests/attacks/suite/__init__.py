"""Attacks on a running Mooring, over HTTP."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ATTACKS = {}


def attack(section):
    """Enrols an attack under its own name, with the section that describes it."""

    def enrol(function):
        assert function.__name__ not in ATTACKS, function.__name__
        ATTACKS[function.__name__] = (section, function)
        return function

    return enrol
