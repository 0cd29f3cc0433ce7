"""A peer: LibRecommender's own serving of embedding models, over the vectors that export.py wrote.

``python benchmarks/serving/librecommender.py FOLDER PORT``, in an environment of its own (librecommender.txt), with a
Redis at ``REDIS_HOST``. Users, what they have seen and their vectors are in Redis, items in its FAISS index, both put
there by its own functions; one search is all it does: nothing ranks what it finds. A route reads the request that the
others read and calls the function that its own route calls.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from libserving.sanic_serving import embed_deploy
from libserving.serialization import embed2redis, save_embed, save_faiss_index
from sanic import Request
from sanic.response import HTTPResponse
from sanic.response import json as answer


def model(folder: Path) -> SimpleNamespace:
    """What its functions ask of a model that it trained; ids are whole numbers to it."""
    users, items = np.load(folder / "users.npz"), np.load(folder / "items.npz")
    starts, people, things = users["seen_starts"], range(len(users["ids"])), range(len(items["vectors"]))
    itself_of_person, itself_of_thing = dict(enumerate(people)), dict(enumerate(things))
    known = SimpleNamespace(
        user2id=itself_of_person,
        item2id=itself_of_thing,
        id2user=itself_of_person,
        id2item=itself_of_thing,
        user_consumed={u: users["seen"][starts[u] : starts[u + 1]].tolist() for u in people},
    )
    return SimpleNamespace(
        model_name="exported",
        data_info=known,
        n_users=len(people),
        n_items=len(things),
        user_embeds_np=users["vectors"],
        item_embeds_np=items["vectors"],
    )


def answer_with_names(folder: Path) -> None:
    """Add the route that the others have: its answer, in their words."""
    numbers = {user: place for place, user in enumerate(np.load(folder / "users.npz")["ids"].tolist())}
    names = json.loads((folder / "items.json").read_text())["ids"]

    @embed_deploy.app.post("/v1/recommend")
    async def recommend(request: Request) -> HTTPResponse:
        asked, redis = request.json, embed_deploy.app.ctx.redis
        user = await redis.hget("user2id", numbers[asked["user_id"]])
        found = await embed_deploy.recommend_on_similar_embeds(user, asked["n"], redis)
        there = [item for item in found if item is not None]  # its search may come back with fewer than were asked for
        return answer({"items": [{"item_id": names[int(item)]} for item in there], "degraded": []})


def main(folder: Path, port: int) -> None:
    """Fill Redis and the index, and serve."""
    exported = folder / "librecommender"
    exported.mkdir(exist_ok=True)
    save_embed(str(exported), model(folder))
    embed2redis(str(exported), *os.environ["REDIS_HOST"].split(":"))
    save_faiss_index(str(exported), model(folder))
    answer_with_names(folder)
    embed_deploy.find_index_path = lambda: str(exported / "faiss_index.bin")
    embed_deploy.app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
