"""`python -m bargein` is `bargein`."""

from bargein.cli import main

if __name__ == "__main__":
    main()
