from __future__ import annotations

import signal
import threading

import pytest

from bench.engines.interrupt import interrupts


def test_the_first_signal_asks_and_the_second_of_its_kind_insists(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interrupts(signal.SIGINT, signal.SIGTERM) as interrupt:
        assert not interrupt
        signal.raise_signal(signal.SIGTERM)
        assert interrupt
        signal.raise_signal(signal.SIGINT)  # another kind: whoever sent the first may not know of it
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr().err.count("stopping after this step") == 1


def test_a_thread_takes_no_signals() -> None:
    seen = []

    def body() -> None:
        with interrupts(signal.SIGTERM) as interrupt:
            seen.append((bool(interrupt), signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
