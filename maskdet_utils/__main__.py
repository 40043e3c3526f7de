"""Run the command `maskdet`, also as `python -m maskdet_utils`."""

import signal
import sys

CTRL_C = signal.getsignal(signal.SIGINT)  # a background job may ignore it
if CTRL_C is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the modules load, it ends the command without a traceback


def main() -> int:
    """Run one command, see `cli.main`, and return the exit code."""
    from . import cli

    signal.signal(signal.SIGINT, CTRL_C)
    try:
        return cli.main()
    finally:
        if CTRL_C is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nor is there one while Python ends


if __name__ == "__main__":
    sys.exit(main())
