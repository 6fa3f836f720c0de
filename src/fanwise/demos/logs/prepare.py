"""Writes access logs into the folder logs beside this file: a server writes them, and is asked.

    python prepare.py

It starts the server, requests 10,000 pages of it, ends it, and rotates its log. The workflow then
finds `logs/access.log`, its rotated predecessors, and `logs/servers.json`.
"""

import argparse
import sys
from pathlib import Path

import fanwise
from fanwise.demos.logs.writing import write_logs
from fanwise.demos.process import parse_amount


def main() -> None:
    """Read the command line, and write the logs, in the place of those that are there."""
    parser = argparse.ArgumentParser(description="Have a server write access logs.")
    parser.add_argument("--lines", type=parse_amount, default=10_000, help="how many at least")
    options = parser.parse_args()
    folder = Path(__file__).with_name("logs")
    folder.mkdir(exist_ok=True)
    sys.stdout.write("Requesting pages ...\n")
    sys.stdout.flush()
    try:
        written = write_logs(folder, options.lines)
    except fanwise.FanwiseError as error:
        sys.exit(str(error))
    answers = ", ".join(f"{status}: {count:,}" for status, count in written.answers.items())
    sys.stdout.write(f"{written.log} and its predecessors are there. Answers: {answers}.\n")


if __name__ == "__main__":
    main()
