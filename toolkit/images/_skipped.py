"""What is known of an image that was left out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """An image that could not be used and was left out on request (``on_error="skip"``).

    Attributes:
        index: its place among the images given; leave the same places out of the labels.
        source: its path, or what kind of thing it was.
        reason: the error's message.
    """

    index: int
    source: str
    reason: str
