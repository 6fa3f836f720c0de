"""Lists users over HTTP and takes mail for them, on this machine.

    python prepare.py

Some of them want no news, some have no address, and some mailboxes are busy or gone. The file
mail.log beside this one has what the mail server takes and refuses. Ctrl-C ends both servers.
"""

import argparse
import sys
import threading
from pathlib import Path

import fanwise
from fanwise.demos.process import parse_amount, parse_port, serving


def main() -> None:
    """Read the command line, and serve until Ctrl-C."""
    options = read_options()
    people = ["--messages", options.messages]
    mail = [*people, "--port", options.mail_port, "--log", Path(__file__).with_name("mail.log")]
    if options.die_after:
        mail += ["--die-after", options.die_after]
    try:
        with (
            serving(
                "fanwise.demos.notify.users_server", *people, "--port", options.users_port
            ) as users,
            serving("fanwise.demos.notify.mail_server", *mail) as smtp,
        ):
            sys.stdout.write(
                f"{options.messages:,} users want news. They are listed at {users}, and their mail "
                f"is taken at {smtp}; Ctrl-C ends both. In another terminal:\n\n"
                f"    fanwise run workflow.yaml -p users={users} -p smtp={smtp}\n"
            )
            sys.stdout.flush()
            threading.Event().wait()
    except fanwise.FanwiseError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="List users, and take mail for them.")
    free = "0 takes any that is free"
    parser.add_argument("--messages", type=parse_amount, default=5_000, help="how many want news")
    parser.add_argument("--users-port", type=parse_port, default=8025, help=free)
    parser.add_argument("--mail-port", type=parse_port, default=2525, help=free)
    parser.add_argument(
        "--die-after", type=parse_amount, help="the mail server dies after so many messages"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
