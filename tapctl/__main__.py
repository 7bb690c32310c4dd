"""``python -m tapctl``."""

from tapctl.cli import main

if __name__ == "__main__":
    main()
