"""The two towers: an item's content and identity, and a user's history and profile, as vectors of one space.

Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations" (RecSys 2019) for the shape
and the correction; Yang et al., "Mixed negative sampling" (WWW 2020) for the negatives.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remora.core.errors import UnreadableInput
from remora.core.json_document import parse_document
from remora.retrieval.content import Content, EncodedContent
from remora.retrieval.history_encoders.trained_with import check_trained_with
from remora.retrieval.history_networks.build import summary_network
from remora.settings.components import HistoryEncoderChoice

HINT = "Build the bundle again."


@dataclass(frozen=True, kw_only=True)
class TowerSpec:
    """Everything that shapes the network; goes to JSON beside the weights.

    ``trained`` counts the items that have an identity, rows 1 to ``trained`` of its table; row 0 is every other item.
    ``encoder`` reads the history.
    """

    dimension: int
    history_length: int
    encoder: HistoryEncoderChoice
    trained: int
    item_content: Content
    user_content: Content

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"encoder": self.encoder.model_dump(mode="json")}

    @classmethod
    def parse(cls, content: bytes, where: str, encoder: HistoryEncoderChoice) -> TowerSpec:
        """What :meth:`to_json` gave, as the file ``where`` holds it; ``encoder`` is the one that the settings choose.

        DataError where the file names another one: nothing is built of what it names. UnreadableInput where it
        describes no towers.
        """
        written = parse_document(content, where, dict[str, Any], HINT)
        try:
            check_trained_with(written["encoder"], encoder, where=where, command="remora train retrieval")
            encoder.check_dimension(written["dimension"])
            contents = {name: Content.from_json(written[name]) for name in ("item_content", "user_content")}
            return cls(**{**written, **contents, "encoder": encoder})
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise UnreadableInput(where, f"it describes no towers ({error})", HINT) from error


class ContentEncoder(nn.Module):
    """(n, T) tags, (n, W) words and (n, M) numbers to (n, d): the mean of tags, that of words, and a small network."""

    def __init__(self, content: Content, dimension: int) -> None:
        super().__init__()
        self.tags = nn.EmbeddingBag(content.tag_count + 1, dimension, mode="mean", padding_idx=0)
        self.words = nn.EmbeddingBag(content.buckets + 1, dimension, mode="mean", padding_idx=0)
        inputs = 2 * dimension + content.number_count
        self.mix = nn.Sequential(nn.Linear(inputs, 2 * dimension), nn.ReLU(), nn.Linear(2 * dimension, dimension))
        for table in (self.tags, self.words):
            nn.init.normal_(table.weight, std=dimension**-0.5)
            # The draw has filled the row of padding too, which training leaves as it is.
            with torch.no_grad():
                table.weight[0] = 0

    def forward(self, tags: Tensor, words: Tensor, numbers: Tensor) -> Tensor:
        """Vectors (n, d), not normalised."""
        return self.mix(torch.cat([self.tags(tags), self.words(words), numbers], dim=1))


class ItemTower(nn.Module):
    """Identity plus content. An item without an identity (row 0, a zero that stays zero) is its content alone."""

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        self.identity = nn.Embedding(spec.trained + 1, spec.dimension, padding_idx=0)
        self.content = ContentEncoder(spec.item_content, spec.dimension)
        nn.init.normal_(self.identity.weight, std=spec.dimension**-0.5)
        # The draw has filled the row of padding too, which training leaves as it is.
        with torch.no_grad():
            self.identity.weight[0] = 0

    def forward(self, identity: Tensor, tags: Tensor, words: Tensor, numbers: Tensor) -> Tensor:
        """Unit vectors (n, d)."""
        return F.normalize(self.identity(identity) + self.content(tags, words, numbers), dim=1)


class UserTower(nn.Module):
    """The recency-weighted mean of the history, its last item, what a reader makes of it, and the profile.

    Works on item vectors, not on item ids: a new item in a history counts by its content, and serving needs only the
    vectors of the index.
    """

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        width = spec.dimension
        self.recency = nn.Parameter(torch.linspace(-3.0, 0.0, spec.history_length))
        self.reader = summary_network(spec.encoder, dimension=width, length=spec.history_length)
        self.profile = ContentEncoder(spec.user_content, width)
        self.mix = nn.Sequential(nn.Linear(4 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.trust = nn.Parameter(torch.ones(1))  # in the prior

    def forward(self, history: Tensor, present: Tensor, tags: Tensor, words: Tensor, numbers: Tensor) -> Tensor:
        """Vectors (n, d + 1) from unit vectors of the history (n, L, d), most recent last, where ``present`` (n, L)."""
        # Not -inf, of which an empty history would make NaN; such weights are zero by `present`.
        weight = torch.softmax(self.recency.masked_fill(~present, -1e4), dim=1) * present
        mean = torch.bmm(weight[:, None], history)[:, 0]
        last = history[:, -1] * present[:, -1:]
        read = self.reader(history, present, mean, last)
        profile = self.profile(tags, words, numbers)
        user = F.normalize(mean + last + self.mix(torch.cat([mean, last, read, profile], dim=1)), dim=1)
        return torch.cat([user, self.trust.expand(len(user), 1)], dim=1)


class TwoTower(nn.Module):
    """Both towers, with the catalogue's content beside them as buffers that are not saved with the weights.

    A vector of the index has one place more than the towers': an item's ``prior`` (how often it is wanted, as a
    logarithm in units of the cosine), which the user's last place weighs. So the towers need not spend directions of
    their space on popularity, which cosines express badly.
    """

    catalogue_identity: Tensor
    catalogue_tags: Tensor
    catalogue_words: Tensor
    catalogue_numbers: Tensor
    catalogue_prior: Tensor

    def __init__(self, spec: TowerSpec, identity: np.ndarray, content: EncodedContent, prior: np.ndarray) -> None:
        super().__init__()
        self.spec = spec
        self.item = ItemTower(spec)
        self.user = UserTower(spec)
        self.register_buffer("catalogue_prior", torch.tensor(prior, dtype=torch.float32), persistent=False)
        for name, value in {
            "identity": identity.astype(np.int64),
            "tags": content.tags,
            "words": content.words,
            "numbers": content.numbers,
        }.items():
            self.register_buffer(f"catalogue_{name}", torch.tensor(value), persistent=False)

    def items(self, rows: Tensor, hide: Tensor | None = None) -> Tensor:
        """Unit vectors (n, d) of item rows (n,); identities are left out where ``hide`` (n,) holds."""
        identity = self.catalogue_identity[rows]
        if hide is not None:
            identity = identity.masked_fill(hide, 0)
        return self.item(identity, self.catalogue_tags[rows], self.catalogue_words[rows], self.catalogue_numbers[rows])

    def with_prior(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """Vectors (n, d + 1) of the index from unit vectors (n, d) of item rows."""
        return torch.cat([vectors, self.catalogue_prior[rows][:, None]], dim=1)

    def forward(
        self, history: Tensor, profile: tuple[Tensor, Tensor, Tensor], candidates: Tensor, id_dropout: float
    ) -> tuple[Tensor, Tensor]:
        """Users (n, d + 1) and candidates (m, d + 1) for histories (n, L), -1 is padding, and item rows (m,).

        Every item is computed once however often it occurs in the batch.
        """
        present = history >= 0
        unique, where = torch.unique(history.clamp(min=0), return_inverse=True)
        # The gradient of a look-up is summed much faster than that of indexing.
        read = F.embedding(where, self.items(unique))
        hide = torch.rand(len(candidates), device=candidates.device) < id_dropout if id_dropout else None
        return self.user(read, present, *profile), self.with_prior(self.items(candidates, hide), candidates)

    @torch.inference_mode()
    def item_vectors(self, step: int = 8192) -> np.ndarray:
        """Vectors (items, d + 1) float32 of the whole catalogue for the index: a unit vector and the prior."""
        self.eval()
        rows = torch.arange(len(self.catalogue_identity), device=self.catalogue_identity.device)
        return torch.cat([self.with_prior(self.items(part), part) for part in rows.split(step)]).cpu().numpy()
