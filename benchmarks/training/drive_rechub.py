"""torch-rechub's matching models as its own trainer trains them; runs in the peers' environment, prints one line."""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch
from meter import measured
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.matching import DSSM, SASRec, YoutubeDNN
from torch_rechub.trainers import MatchTrainer
from torch_rechub.utils.data import MatchDataGenerator


def main() -> None:
    work = json.loads(sys.argv[1])
    torch.set_num_threads(work["threads"])
    torch.manual_seed(work["seed"])
    data = np.load(work["data"])
    users, items = data["shape"]
    make = {"DSSM": dssm, "YoutubeDNN": youtube, "SASRec": sasrec}[work["model"]]
    model, trainer, columns, positives, total, batch = make(
        work, data["user"], data["item"], int(users), int(items), np.random.default_rng(work["seed"])
    )
    y = np.ones(len(next(iter(columns.values()))), np.int64 if trainer.mode == 1 else np.float32)
    if trainer.mode == 2:
        y = np.zeros(len(y), np.int64)  # the positive stands first
    batches, _, _ = MatchDataGenerator(columns, y).generate_dataloader(columns, columns, batch, num_workers=0)
    rounds = [
        measured(trainer.train_one_epoch, batches, positives, work["limit_seconds"]) for _ in range(work["rounds"])
    ]
    if work["model"] != "SASRec":
        save(model, int(users), int(items))
    versions = {name: version(name) for name in ("torch-rechub", "torch", "numpy")}
    print(json.dumps({"rounds": rounds, "positives": total, "versions": versions}))


def dssm(work, user, item, users, items, draw):
    """Two tables and nothing on them; every other item of the batch is a negative."""
    fields = [[SparseFeature("user", users, work["dimension"])], [SparseFeature("item", items, work["dimension"])]]
    model = DSSM(*fields, user_params={"dims": []}, item_params={"dims": []})
    trainer = MatchTrainer(model, mode=0, in_batch_neg=True)
    return model, trainer, {"user": user, "item": item}, lambda batch: len(batch[1]), len(user), work["batch"]


def youtube(work, user, item, users, items, draw):
    """Two tables, and one negative of even chances for each positive."""
    fields = [
        [SparseFeature("user", users, work["dimension"])],
        [SparseFeature("item", items, work["dimension"])],
        [SequenceFeature("neg_items", items, work["dimension"], pooling="concat", shared_with="item")],
    ]
    model = YoutubeDNN(*fields, user_params={"dims": []}, temperature=0.1)
    trainer = MatchTrainer(model, mode=2)
    columns = {"user": user, "item": item, "neg_items": draw.integers(0, items, (len(item), 1))}
    return model, trainer, columns, lambda batch: len(batch[1]), len(user), work["batch"]


def sasrec(work, user, item, users, items, draw):
    """The last ``length`` places of every user, 0 is padding behind; one negative a place."""
    length = work["length"]
    seq = np.zeros((users, length), np.int64)
    pos = np.zeros_like(seq)
    for who, own in enumerate(np.split(item + 1, np.flatnonzero(np.diff(user)) + 1)):
        last = own[-length - 1 :]
        seq[who, : len(last) - 1], pos[who, : len(last) - 1] = last[:-1], last[1:]
    there = (pos > 0).any(1)
    seq, pos = seq[there], pos[there]
    columns = {"seq": seq, "pos": pos, "neg": np.where(pos > 0, draw.integers(1, items + 1, pos.shape), 0)}
    fields = [
        SequenceFeature(
            name, items + 1, work["dimension"], pooling="concat", shared_with=None if name == "seq" else "seq"
        )
        for name in columns
    ]
    model = SASRec(fields, max_len=length, dropout_rate=0.2, num_blocks=2, num_heads=2)
    trainer = MatchTrainer(model, mode=1)
    pairwise = trainer.criterion  # of version 0.9.0, it flattens one of its two arguments only
    trainer.criterion = lambda own, others: pairwise(own.reshape(-1), others.reshape(-1))
    total = int((pos > 0).sum())
    batch = max(1, round(work["batch"] * len(pos) / total))
    return model, trainer, columns, lambda batch: int((batch[0]["pos"] > 0).sum()), total, batch


@torch.no_grad()
def save(model, users, items) -> None:
    """Vectors of all users and items, into this folder."""
    model.eval()
    model.mode = "user"
    who = model.user_tower({"user": torch.arange(users)})
    model.mode = "item"
    what = model.item_tower({"item": torch.arange(items)})
    np.savez("vectors.npz", users=who.numpy(), items=what.numpy())


if __name__ == "__main__":
    main()
