"""Signals that ask a process to stop: it ends its step, saves it, and leaves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The signals that ask a run to stop: Ctrl-C, kill, and a terminal that hangs up.
STOP = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))

_NOTE = b"\nsdibench: stopping after this step; once more stops at once\n"


class Interrupt:
    """True once a signal has asked to stop."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._seen)

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        """Note a signal; raise KeyboardInterrupt if it is its second."""
        if number in self._seen:
            raise KeyboardInterrupt
        self._seen.add(number)
        if number == signal.SIGINT and multiprocessing.parent_process() is None:
            os.write(2, _NOTE)  # no buffer: the signal may have come in the middle of a write to one


@contextmanager
def interrupts(*signals: signal.Signals) -> Iterator[Interrupt]:
    """Take the signals meanwhile; none outside the main thread, which Python sends them to.

    SIGHUP that is ignored (by nohup) stays ignored.
    """
    interrupt = Interrupt()
    mine = signals if threading.current_thread() is threading.main_thread() else ()
    mine = tuple(each for each in mine if each.name != "SIGHUP" or signal.getsignal(each) is not signal.SIG_IGN)
    before = {each: signal.signal(each, interrupt.ask) for each in mine}
    try:
        yield interrupt
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
