"""`python -m fanwise` is `fanwise`."""

from fanwise.cli import main

if __name__ == "__main__":
    main()
