"""What all tests share."""

import signal

# Started in the background by a shell, tests would ignore Ctrl-C, and so would the processes that they send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
