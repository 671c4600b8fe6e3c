"""
Cuts from Adyen's OpenAPI descriptions what the tests need: `tests/data/adyen/*.json`.

    python scripts/adyen_openapi.py FOLDER

FOLDER has `CheckoutService-v72.json`, `Webhooks-v1.yaml` and `LICENSE`, as
https://github.com/Adyen/adyen-openapi has them. What is kept is as it was, except for texts that
only people read. Needs PyYAML, which nothing else here does.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

DATA: Final = Path(__file__).parents[1] / "tests" / "data" / "adyen"

#: What the simulator speaks.
_PATHS: Final = (
    *("/cancels", "/paymentMethods", "/payments", "/payments/details", "/sessions"),
    *("/payments/{paymentPspReference}/cancels", "/payments/{paymentPspReference}/captures"),
    *("/payments/{paymentPspReference}/refunds", "/payments/{paymentPspReference}/reversals"),
    *("/sessions/{sessionId}", "/storedPaymentMethods"),
    "/storedPaymentMethods/{storedPaymentMethodId}",
)
#: What the simulator tells.
_WEBHOOKS: Final = (
    *("AUTHORISATION", "CANCELLATION", "CANCEL_OR_REFUND", "CAPTURE", "CAPTURE_FAILED"),
    *("CHARGEBACK", "CHARGEBACK_REVERSED", "DISPUTE_DEFENSE_PERIOD_ENDED", "EXPIRE"),
    *("INFORMATION_SUPPLIED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED", "NOTIFICATION_OF_CHARGEBACK"),
    *("OFFER_CLOSED", "PREARBITRATION_OPEN", "PREARBITRATION_WON", "RECURRING_CONTRACT"),
    *("REFUND", "REFUNDED_REVERSED", "REFUND_FAILED", "REQUEST_FOR_INFORMATION"),
    *("SECOND_CHARGEBACK", "TECHNICAL_CANCEL"),
)
#: What only people read, where its value is a text and not the name of a field.
_READ_BY_PEOPLE: Final = frozenset({"description", "summary", "deprecated", "title"})


def main(folder: Path) -> None:
    """Write the subset."""
    import yaml  # noqa: PLC0415 - see the module's docstring

    checkout = json.loads((folder / "CheckoutService-v72.json").read_text(encoding="utf-8"))
    checkout["paths"] = {path: checkout["paths"][path] for path in _PATHS}
    _write(DATA / "checkout-v72.json", _cut(checkout, ("paths",)))
    webhooks = yaml.safe_load((folder / "Webhooks-v1.yaml").read_text(encoding="utf-8"))
    webhooks["webhooks"] = {code: webhooks["webhooks"][f"/{code}"] for code in _WEBHOOKS}
    _write(DATA / "webhooks-v1.json", _cut(webhooks, ("webhooks",)))
    shutil.copyfile(folder / "LICENSE", DATA / "LICENSE")


def _cut(document: dict[str, Any], roots: tuple[str, ...]) -> dict[str, Any]:
    """The document with nothing but its roots and what they refer to."""
    kept: dict[str, Any] = {"openapi": document["openapi"], "info": _info(document)}
    kept |= {root: _without_texts(document[root]) for root in roots}
    components: dict[str, dict[str, Any]] = {}
    wanted = _references(kept)
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        place = components.setdefault(kind, {})
        if name not in place:
            place[name] = _without_texts(document["components"][kind][name])
            wanted += _references(place[name])
    return {**kept, "components": {k: dict(sorted(v.items())) for k, v in components.items()}}


def _info(document: dict[str, Any]) -> dict[str, Any]:
    info = document["info"]
    return {"title": info["title"], "version": info["version"]}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for inner in value.values() for ref in _references(inner)]
    return [ref for inner in value for ref in _references(inner)] if isinstance(value, list) else []


def _without_texts(value: Any, *, names: bool = False) -> Any:
    """
    The value without what only people read.

    Args:
        names: Whether the keys are names of fields or examples, such as a field `description`.
    """
    if isinstance(value, list):
        return [_without_texts(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inner if key == "value" else _without_texts(inner, names=key in _NAMES)
        for key, inner in value.items()
        if names or not (key in _READ_BY_PEOPLE or key.startswith("x-"))
    }


#: Below these, keys are names.
_NAMES: Final = frozenset({"properties", "examples", "headers", "responses", "patternProperties"})


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
