"""Recipes: all that a run depends on besides its model and its data; and those of the reports."""

from __future__ import annotations

from dataclasses import dataclass, replace

LOSSES = ("sigmoid", "softmax")
WAYS = ("locked", "trained", "adapters")
ONE_OF = {
    "loss": LOSSES,
    "image": WAYS,
    "text": WAYS,
    "optimiser": ("adamw", "adam"),
    "schedule": ("cosine", "constant"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "searched": ("gallery", "split"),
}
AT_LEAST = {"epochs": 1, "batch_size": 2, "micro_batch": 1, "views": 0, "rank": 1, "block": 1}
SHARES = ("warmup", "flip", "crop", "word_dropout", "feature_dropout")


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune. The defaults are SigLiT's: image tower locked, text tower trained.

    Attributes:
        loss: "sigmoid" (SigLIP) or "softmax" (CLIP).
        image: what becomes of the image tower: "locked", "trained", or "adapters" (LoRA).
        text: the same of the text tower.
        heads: whether the linear layers after locked towers learn too (the projections of CLIP and
            of dual encoders, the last layer of SigLIP's text tower).
        words: whether the vectors of the tokens learn where the text tower does.
        layers: how many of a trained tower's last layers learn; None means the whole tower.
        epochs: how often the training set is gone through.
        every_caption: an epoch shows each caption once; else each picture once, with a caption
            drawn at random.
        batch_size: pairs that are each other's negatives.
        micro_batch: pairs that pass through a tower at once. A larger batch is cut up so, and its
            loss and gradients are nevertheless those of the whole batch.
        block: rows of the batch's table of scores held at once.
        optimiser: "adamw", or "adam", whose weight decay is part of the gradient.
        lr: of towers and adapters.
        head_lr: of the linear layers after the towers, and of temperature and bias; None means lr.
        betas: of the optimiser.
        eps: of the optimiser.
        weight_decay: of matrices with adamw, of all weights with adam; never of t and b.
        schedule: "cosine" or "constant", after the warm-up.
        warmup: the share of the steps in which the rate rises.
        clip: the longest gradient; 0 means any.
        scale: t at the start. None takes the checkpoint's own if it was trained by this loss, else
            the paper's: 10 (sigmoid), 1 / 0.07 (softmax).
        bias: b at the start of the sigmoid loss; None as for scale, the paper's is -10.
        flip: how often a picture is mirrored. It makes "left" mean right.
        crop: the least share of a picture's area that a crop shows; 1 shows all of it.
        views: augmented views kept of each picture where the image tower is locked; 0 shows it as
            it is. A tower that learns sees a new one each time.
        word_dropout: the share of a caption's words left out, where the text tower learns.
        feature_dropout: the share of a locked tower's features hidden at each step.
        rank: of the adapters.
        alpha: their strength; what they add is multiplied by alpha / rank.
        adapter_dropout: of their input.
        precision: what trained towers compute in; "auto" is bfloat16 where that is fast, float16 on
            older GPUs, else float32.
        patience: epochs without a better score after which the run stops; None runs to the end.
        searched: what val captions are asked of: the whole "gallery", or the val "split" alone.
        seed: of all that is random.
    """

    loss: str = "sigmoid"
    image: str = "locked"
    text: str = "trained"
    heads: bool = True
    words: bool = False
    layers: int | None = None
    epochs: int = 10
    every_caption: bool = False
    batch_size: int = 256
    micro_batch: int = 64
    block: int = 256
    optimiser: str = "adamw"
    lr: float = 5e-5
    head_lr: float | None = None
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    weight_decay: float = 0.01
    schedule: str = "cosine"
    warmup: float = 0.1
    clip: float = 1.0
    scale: float | None = None
    bias: float | None = None
    flip: float = 0.5
    crop: float = 0.6
    views: int = 0
    word_dropout: float = 0.0
    feature_dropout: float = 0.0
    rank: int = 8
    alpha: float = 16.0
    adapter_dropout: float = 0.0
    precision: str = "float32"
    patience: int | None = None
    searched: str = "gallery"
    seed: int = 0

    def __post_init__(self):
        """Refuse what cannot be done, in a sentence."""
        for name, known in ONE_OF.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; choose from {', '.join(known)}"
                )
        for name, least in AT_LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share, from 0 to 1")
        if self.image == self.text == "locked" and not self.heads:
            raise ValueError("both towers are locked and heads is False, so nothing would learn")
        if self.word_dropout and self.text == "locked":
            raise ValueError(
                "word_dropout needs a text tower that learns: a locked one reads each caption "
                "once; set word_dropout=0, or use feature_dropout"
            )

    def but(self, **changes: object) -> Recipe:
        """Return this recipe with some settings changed."""
        return replace(self, **changes)

    def way(self, side: str) -> str:
        """Return what becomes of the tower of a side, "image" or "text"."""
        return self.image if side == "image" else self.text


SIGLIT = Recipe(head_lr=1e-3, feature_dropout=0.5)  # Zhai et al. 2023, section 3.3, in small
HEADS = SIGLIT.but(text="locked", epochs=40, batch_size=1024, head_lr=3e-3, weight_decay=0.05)
R3 = Recipe(  # R3 on COCO, as far as it says; constant rate, no clipping and no crops: it says none
    loss="softmax",
    image="trained",
    text="trained",
    words=True,
    epochs=10,
    every_caption=True,
    batch_size=64,
    optimiser="adam",
    lr=1e-5,
    betas=(0.9, 0.98),
    eps=1e-6,
    weight_decay=0.2,
    schedule="constant",
    warmup=0.0,
    clip=0.0,
    flip=0.0,
    crop=1.0,
    precision="auto",
    searched="split",
)
R4 = Recipe(  # R4 says only: SigLIP, Flickr30k, a contrastive loss, 224 x 224; the rest is ours
    image="trained",
    text="trained",
    words=True,
    epochs=5,
    every_caption=True,
    batch_size=256,
    lr=1e-5,
    weight_decay=0.1,
    flip=0.0,
    crop=0.8,
    precision="auto",
    patience=2,
    searched="split",
)
ADAPTERS = R4.but(image="adapters", text="adapters", words=False, lr=2e-4, weight_decay=0.0)
PRESETS: dict[str, Recipe] = {
    "SigLiT": SIGLIT,
    "heads": HEADS,
    "R3": R3,
    "R4": R4,
    "adapters": ADAPTERS,
}
