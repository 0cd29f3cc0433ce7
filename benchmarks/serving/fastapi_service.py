"""The peer: the service that a good engineer writes in an afternoon. One process, FastAPI, FAISS, XGBoost, NumPy.

``python benchmarks/serving/fastapi_service.py FOLDER PORT`` serves what export.py wrote. It finds 500 candidates by one
search, looks features up in arrays, runs the same trees and shows the best. It has one source, no cross features (they
are missing to the trees), no store, no fallback, no deadline, and two rules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import uvicorn
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel

CANDIDATES = 500

folder = Path(sys.argv[1])
about = json.loads((folder / "about.json").read_text())
catalogue = json.loads((folder / "items.json").read_text())
users, items = np.load(folder / "users.npz"), np.load(folder / "items.npz")
user_vectors, user_features, seen = users["vectors"], users["features"].astype(np.float32), users["seen"]
seen_starts, item_features, available = users["seen_starts"], items["features"].astype(np.float32), items["available"]
place_of = {user: place for place, user in enumerate(users["ids"].tolist())}
faiss.omp_set_num_threads(1)
index = faiss.IndexFlatIP(items["vectors"].shape[1])
index.add(items["vectors"])
boosters = {}
for objective in about["weights"]:
    boosters[objective] = xgboost.Booster(model_file=str(folder / f"trees.{objective}.ubj"))
    boosters[objective].set_param({"nthread": 1})

app = FastAPI()


class Asked(BaseModel):
    user_id: str
    n: int = 10


def calibrated(how: dict[str, Any], margins: np.ndarray) -> np.ndarray:
    if how["kind"] == "isotonic":
        return np.interp(margins, how["margins"], how["values"])
    return 1 / (1 + np.exp(-(how["slope"] * margins + how["intercept"])))


@app.post("/v1/recommend")
async def recommend(asked: Asked) -> dict[str, Any]:
    user = place_of[asked.user_id]
    mine = seen[seen_starts[user] : seen_starts[user + 1]]
    scores, rows = index.search(user_vectors[user : user + 1], CANDIDATES + len(mine))
    keep = ~np.isin(rows[0], mine) & available[rows[0]]
    rows, scores = rows[0][keep][:CANDIDATES], scores[0][keep][:CANDIDATES]
    features = np.full((len(rows), about["features"]), np.nan, np.float32)
    features[:, about["of_users"]] = user_features[user]
    features[:, about["of_items"]] = item_features[rows]
    features[:, about["score"]] = scores
    features[:, about["rank"]] = np.arange(1, len(rows) + 1)
    value = np.zeros(len(rows))
    for objective, weight in about["weights"].items():
        margins = boosters[objective].inplace_predict(features, predict_type="margin")
        value += weight * calibrated(about["calibrators"][objective], margins)
    best = np.argsort(-value)[: asked.n]
    return {
        "items": [
            {"item_id": catalogue["ids"][rows[b]], "title": catalogue["titles"][rows[b]], "score": float(value[b])}
            for b in best
        ],
        "degraded": [],
    }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
