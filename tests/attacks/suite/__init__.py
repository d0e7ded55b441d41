"""Attacks on a running Mooring, over HTTP."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ATTACKS = {}
READ_THE_LOG = set()


def attack(section, reads_the_log=False):
    """Enrols an attack under its own name, with the section that describes it."""

    def enrol(function):
        assert function.__name__ not in ATTACKS, function.__name__
        ATTACKS[function.__name__] = (section, function)
        if reads_the_log:
            READ_THE_LOG.add(function.__name__)
        return function

    return enrol
