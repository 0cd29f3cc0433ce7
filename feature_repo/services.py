"""One feature service per model: what it is trained on and what it is served with."""

import item_views
import user_views
from feast import FeatureService
from item_views import item_activity, item_catalogue
from on_demand import user_item

optional = [
    view
    for view in (getattr(user_views, "user_affinity", None), getattr(user_views, "user_profile", None))
    if view is not None
]

of_items = [item_activity, item_catalogue]
if hasattr(item_views, "item_profile"):
    of_items.append(item_views.item_profile)

retrieval = FeatureService(
    name="retrieval",
    features=[user_views.user_history, *(view for view in optional if view.name == "user_profile")],
    description="What the user tower reads.",
)

ranking = FeatureService(
    name="ranking",
    features=[user_views.user_activity, *optional, *of_items, user_item],
    description="What the ranker reads: both sides, and what depends on both.",
)

user = FeatureService(
    name="user",
    features=[user_views.user_activity, *optional],
    description="What a query carries of its user; the history comes beside it, exact to the instant.",
)

item_snapshot = FeatureService(
    name="item_snapshot",
    features=of_items,
    description="What is kept of every item in the memory of who ranks.",
)
