"""What the bot does, the same on every platform."""

__version__ = "0.1.0"
