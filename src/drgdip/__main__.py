"""``python -m drgdip``: the command line."""

from drgdip.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
