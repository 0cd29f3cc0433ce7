"""One feature service per model: what it is trained on and what it is served with."""

import item_views
import user_views
from feast import FeatureService
from on_demand import user_item

of_items = list(item_views.views.values())
of_users = [view for name, view in user_views.views.items() if name != "user_history"]
profiles = [view for view in of_users if view.name == "user_profile"]

retrieval = FeatureService(
    name="retrieval",
    features=[user_views.views["user_history"], *profiles],
    description="What the user tower reads.",
)

ranking = FeatureService(
    name="ranking",
    features=[*of_users, *of_items, user_item],
    description="What the ranker reads: both sides, and what depends on both.",
)

user = FeatureService(
    name="user",
    features=of_users,
    description="What a query carries of its user; the history comes beside it, exact to the instant.",
)

item_snapshot = FeatureService(
    name="item_snapshot",
    features=of_items,
    description="What is kept of every item in the memory of who ranks.",
)
