"""
What is inside the objects of requests that describe shoppers, as Adyen's description has it.

Kinds are those of `parameters`. Objects that are not here, such as `applicationInfo`, are checked
for being objects and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SHAPES", "Shape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The fields of an object, and those that have to be there."""

    kinds: dict[str, str]
    required: tuple[str, ...] = ()


_ADDRESS: Final = {
    "city": "string:3000",
    "country": "string",
    "houseNumberOrName": "string:3000",
    "postalCode": "string:10",
    "stateOrProvince": "string:3",
    "street": "string:3000",
}
_OF_AN_ADDRESS: Final = ("city", "country", "houseNumberOrName", "postalCode", "street")

#: By the name of the field that they are in.
SHAPES: Final[dict[str, Shape]] = {
    "authenticationData": Shape(
        kinds={
            "attemptAuthentication": "always|never",
            "authenticationOnly": "boolean",
            "threeDSRequestData": "object",
        }
    ),
    "billingAddress": Shape(kinds=_ADDRESS, required=_OF_AN_ADDRESS),
    "browserInfo": Shape(
        kinds={
            "acceptHeader": "string",
            "colorDepth": "integer",
            "javaEnabled": "boolean",
            "javaScriptEnabled": "boolean",
            "language": "string",
            "screenHeight": "integer",
            "screenWidth": "integer",
            "timeZoneOffset": "integer",
            "userAgent": "string",
        },
        required=(
            *("acceptHeader", "colorDepth", "javaEnabled", "language", "screenHeight"),
            *("screenWidth", "timeZoneOffset", "userAgent"),
        ),
    ),
    "company": Shape(
        kinds=dict.fromkeys(
            ("homepage", "name", "registrationNumber", "registryLocation", "taxId", "type"),
            "string",
        )
    ),
    "deliveryAddress": Shape(
        kinds={**_ADDRESS, "firstName": "string", "lastName": "string"}, required=_OF_AN_ADDRESS
    ),
    "riskData": Shape(
        kinds={
            "clientData": "string:5000",
            "customFields": "object",
            "fraudOffset": "integer",
            "profileReference": "string",
        }
    ),
    "shopperName": Shape(
        kinds={"firstName": "string:80", "lastName": "string:80"},
        required=("firstName", "lastName"),
    ),
    "threeDSRequestData": Shape(
        kinds={
            "challengeWindowSize": "01|02|03|04|05",
            "dataOnly": "false|true",
            "nativeThreeDS": "preferred|disabled",
            "threeDSVersion": "2.1.0|2.2.0",
        }
    ),
}
