"""The tally: what became of the pictures of a gallery, in numbers."""

from dataclasses import dataclass, fields


@dataclass
class Tally:
    """What became of the pictures of a gallery, in numbers."""

    kept: int = 0  # with the vector that they had
    moved: int = 0  # with that of the same picture under another name
    new: int = 0
    changed: int = 0
    gone: int = 0  # that were there before
    failed: int = 0  # that cannot be read

    def add(self, other: "Tally") -> None:
        """Add what became of some more pictures."""
        for number in fields(self):
            setattr(self, number.name, getattr(self, number.name) + getattr(other, number.name))

    def __str__(self) -> str:
        """Return the numbers in words, without those that are 0."""
        words = {
            "new": self.new,
            "changed": self.changed,
            "renamed or copied": self.moved,
            "gone": self.gone,
            "kept": self.kept,
            "that cannot be read": self.failed,
        }
        return ", ".join(f"{count:,} {word}" for word, count in words.items() if count)
