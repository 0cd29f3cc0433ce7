"""Whom features are about. Ids are strings, as in the user's world."""

from feast import Entity
from feast.value_type import ValueType

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING, description="Who asks.")
item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING, description="What is recommended.")
