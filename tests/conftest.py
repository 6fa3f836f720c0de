import pytest

pytest.register_assert_rewrite(
    "fanwise.testing.executor_contract",
    "fanwise.testing.ownership_contract",
    "fanwise.testing.queue_contract",
    "fanwise.testing.resuming_contract",
    "fanwise.testing.store_contract",
    "fanwise.testing.maintenance_contract",
)
