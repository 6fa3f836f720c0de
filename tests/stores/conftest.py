import pytest

pytest.register_assert_rewrite("weft.testing.store_contract", "weft.testing.finding_contract")
