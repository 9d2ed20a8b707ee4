import signal
import threading
from types import SimpleNamespace

import pytest
from pytorch_lightning.utilities.exceptions import SIGTERMException

from babelscope.training.interrupt import HANDLED, Interrupts, exit_by_signal

TERM, USR2, INT = signal.SIGTERM, signal.SIGUSR2, signal.SIGINT
FIRST, OTHER = SimpleNamespace(is_global_zero=True), SimpleNamespace(is_global_zero=False)


@pytest.fixture(autouse=True)
def handlers():
    """Leave every handler as it was, whatever a test does."""
    before = {signum: signal.getsignal(signum) for signum in HANDLED}
    yield
    for signum, who in before.items():
        signal.signal(signum, who)


@pytest.fixture
def interrupts():
    installed = Interrupts()
    installed.remember_handlers()
    installed.install()
    return installed


def test_a_signal_is_held_back_and_ends_nothing(interrupts):
    for signum in (TERM, USR2, INT):
        signal.raise_signal(signum)
        assert interrupts.pending == signum


def test_a_terminal_that_closes_is_left_and_counts_as_told_to_end(monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup would have ignored
    interrupts, left = Interrupts(), []
    interrupts.remember_handlers()
    interrupts.install()
    monkeypatch.setattr("babelscope.training.interrupt.leave_terminal", lambda: left.append(True))
    signal.raise_signal(signal.SIGHUP)
    assert interrupts.pending == TERM
    assert left


def test_a_signal_without_a_handler_ends_the_process_when_it_is_delivered(interrupts):
    signal.raise_signal(TERM)
    with pytest.raises(SystemExit) as end:
        interrupts.deliver(TERM, code=143)
    assert end.value.code == 143
    assert interrupts.pending == 0


def test_the_handler_of_before_gets_the_signal_and_may_let_the_training_go_on():
    heard = []
    signal.signal(USR2, lambda signum, frame: heard.append(signum))
    interrupts = Interrupts()
    interrupts.remember_handlers()
    signal.signal(USR2, signal.SIG_DFL)  # as somebody does between
    interrupts.install()
    for times in (1, 2):
        signal.raise_signal(USR2)
        assert interrupts.pending == USR2
        assert len(heard) == times - 1
        interrupts.deliver(USR2, code=140)
        assert heard == [USR2] * times


def test_ctrl_c_waits_and_a_second_one_does_not(interrupts, capfd):
    signal.raise_signal(INT)
    assert "Ctrl-C again ends at once" in capfd.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(INT)
    with pytest.raises(KeyboardInterrupt):
        interrupts.deliver(INT, code=130)


def test_what_was_ignored_stays_ignored():
    signal.signal(INT, signal.SIG_IGN)  # as a shell does for what runs in the background
    interrupts = Interrupts()
    interrupts.remember_handlers()
    interrupts.install()
    signal.raise_signal(INT)
    assert interrupts.pending == 0
    interrupts.deliver(INT, code=130)  # another process was told so


def test_handlers_come_back(interrupts):
    interrupts.restore()
    assert signal.getsignal(TERM) == signal.SIG_DFL
    assert signal.getsignal(INT) is signal.default_int_handler


def test_another_thread_handles_no_signals():
    interrupts = Interrupts()

    def listen():
        interrupts.remember_handlers()
        interrupts.install()

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert not interrupts.before
    assert signal.getsignal(TERM) == signal.SIG_DFL


def test_of_an_exit_that_ctrl_c_made_a_keyboard_interrupt_is_made_again(tmp_path):
    def lightning():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            signal.signal(INT, signal.SIG_IGN)
            raise SystemExit(1)  # noqa: B904

    with pytest.raises(KeyboardInterrupt), exit_by_signal(FIRST, tmp_path):
        lightning()
    assert signal.getsignal(INT) is signal.default_int_handler
    with pytest.raises(SystemExit) as end, exit_by_signal(FIRST, tmp_path):
        raise SystemExit(143)
    assert end.value.code == 143


@pytest.mark.parametrize(
    ("trainer", "code", "said"),
    [
        (FIRST, 143, "\nbabelscope: told to end by SIGTERM; the same command begins anew, for there is no {}\n"),
        (OTHER, None, ""),
    ],
)
def test_only_the_first_process_says_that_it_was_exit_by_signal(trainer, code, said, tmp_path, capsys):
    last = tmp_path / "last.ckpt"
    with pytest.raises(SystemExit) as end, exit_by_signal(trainer, last):
        raise SIGTERMException
    assert end.value.code == code
    assert capsys.readouterr().err == said.format(last)
