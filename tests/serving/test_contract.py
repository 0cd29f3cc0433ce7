"""What the OpenAPI document promises is what the API does: schemathesis looks for requests that prove otherwise."""

from __future__ import annotations

import schemathesis
from hypothesis import settings
from tests.events.memory import Memory
from tests.serving.small_shop import SmallShop
from tests.serving.test_routes import Front

from remora.events.contract import EventContract
from remora.events.entity_contract import OF_TYPES, EntityContract
from remora.events.entity_intake import EntityIntake
from remora.events.from_settings import ENTITIES
from remora.events.intake import Intake
from remora.serving.entity_writes import EntityWrites
from remora.serving.routes import application

CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"allow-extra-parameters": False},  # HTTP lets a client send headers of its own
        "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},  # 413 too: what is invalid may be long
    }
)
SHOP = SmallShop()
CONTRACT = EntityContract(kind="items", types={name: name for name in OF_TYPES})
ENTITY_WRITES = EntityWrites({kind: EntityIntake(Memory(), kind) for kind in ENTITIES}, lambda kind: CONTRACT)
APP = application(Front(SHOP), Intake(Memory(), EventContract.of(SHOP.settings.data)), ENTITY_WRITES)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP, config=CONFIG)


@SCHEMA.parametrize()
@settings(max_examples=60, deadline=None)
def test_no_request_breaks_the_contract_or_the_server(case: schemathesis.Case) -> None:
    """Valid requests are answered, invalid ones refused, answers have the shape and status that are documented."""
    case.call_and_validate()
