import pytest

pytest.register_assert_rewrite(
    "weft.testing.control_contract",
    "weft.testing.resuming_contract",
    "weft.testing.store_contract",
    "weft.testing.upkeep_contract",
)
