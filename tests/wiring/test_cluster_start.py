"""A cluster that does not come up is not ready, and other errors of Ray stay what they are."""

from __future__ import annotations

import pytest

from remora.core.errors import NotReady
from remora.wiring.cluster import starting


def test_ray_that_does_not_start_in_time_is_tried_again_and_is_no_bug() -> None:
    with pytest.raises(NotReady, match=r"timed out during startup.*Run the same command again"), starting():
        raise Exception("The current node timed out during startup. This could happen because")


def test_every_other_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), starting():
        raise ZeroDivisionError
