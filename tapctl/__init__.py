"""Put one payments stack into every environment, and prove it is still what it was."""

__version__ = "0.1.0"
