"""The groups of `payport.testing.store_contract.StoreContract`."""

import pytest

# pytest explains a failing `assert` only in modules that it was told of before their import.
pytest.register_assert_rewrite(
    f"{__name__}.due",
    f"{__name__}.inbox",
    f"{__name__}.journal",
    f"{__name__}.payments",
    f"{__name__}.restorations",
    f"{__name__}.secrecy",
    f"{__name__}.transactions",
)
