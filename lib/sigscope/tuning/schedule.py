"""How fast to learn at each step."""

import math


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Return the share of the full rate at a step: a linear rise, then half a cosine to 0."""
    rise = max(1, int(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def rate(step: int, steps: int, warmup: float, schedule: str) -> float:
    """Return the share of the full rate: "cosine" as above, "constant" stays up after its rise."""
    if schedule == "cosine":
        return learning_rate(step, steps, warmup)
    rise = int(warmup * steps)
    return (step + 1) / rise if step < rise else 1.0
