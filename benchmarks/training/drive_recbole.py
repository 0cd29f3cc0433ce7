"""RecBole's models as its own trainer trains them; runs in the peers' environment, prints one line."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from meter import measured
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.data.utils import create_samplers
from recbole.utils import get_model, get_trainer, init_seed


def main() -> None:
    work = json.loads(sys.argv.pop(1))  # RecBole reads the command line too
    torch.set_num_threads(work["threads"])
    data = np.load(work["data"])
    write(data["user"], data["item"])
    config = Config(model=work["model"], dataset="events", config_dict=settings(work))
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    built = dataset.build()
    sampler = create_samplers(config, dataset, built)[0]
    batches = TrainDataLoader(config, built[0], sampler, shuffle=True)
    model = get_model(config["model"])(config, built[0])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    epochs = iter(range(work["rounds"]))
    rounds = [
        measured(lambda some: trainer._train_epoch(some, next(epochs)), batches, len, work["limit_seconds"])
        for _ in range(work["rounds"])
    ]
    if work["model"] == "BPR":
        save(model, dataset, *data["shape"])
    versions = {name: version(name) for name in ("recbole", "torch", "numpy", "pandas")}
    print(json.dumps({"rounds": rounds, "positives": len(built[0]), "versions": versions}))


def settings(work):
    """All rows are trained on; what is not said is RecBole's default."""
    said = {
        "data_path": str(Path.cwd()),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"RS": [1, 0, 0]}, "group_by": "none", "order": "TO", "mode": "full"},
        "train_batch_size": work["batch"],
        "embedding_size": work["dimension"],
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "seed": work["seed"],
    }
    if work["model"] == "SASRec":
        said |= {
            "hidden_size": work["dimension"],
            "inner_size": 4 * work["dimension"],
            "hidden_dropout_prob": 0.2,
            "attn_dropout_prob": 0.2,
            "loss_type": "CE",
            "train_neg_sample_args": None,
            "MAX_ITEM_LIST_LENGTH": work["length"],
        }
    return said


def write(user, item) -> None:
    """Atomic files as RecBole reads them; the place among the user's own is the time."""
    folder = Path("events")
    folder.mkdir()
    place = np.arange(len(user)) - np.searchsorted(user, user)
    with (folder / "events.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        file.writelines(f"{u}\t{i}\t{n}\n" for u, i, n in zip(user, item, place, strict=True))


def save(model, dataset, users, items) -> None:
    """Vectors of all users and items, into this folder; zeros for those that training never saw."""
    tables = {}
    for name, field, count, table in (
        ("users", "user_id", users, model.user_embedding),
        ("items", "item_id", items, model.item_embedding),
    ):
        tokens = dataset.field2id_token[field][1:].astype(np.int64)
        tables[name] = np.zeros((count, table.embedding_dim), np.float32)
        tables[name][tokens] = table.weight.detach().numpy()[1:]
    np.savez("vectors.npz", **tables)


if __name__ == "__main__":
    main()
