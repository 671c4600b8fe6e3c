"""A webhook's request as it came: bytes as they were, headers by any name, nothing printed."""

from payport.providers.deliveries import WebhookRequest


def test_headers_are_found_whatever_the_case_of_their_names():
    request = WebhookRequest(body=b"{}", headers={"X-Signature": "v1", "x-other": "2"})
    assert request.header("x-signature") == request.header("X-SIGNATURE") == "v1"
    assert request.header("x-missing") is None


def test_the_body_is_kept_byte_for_byte_and_cannot_change_afterwards():
    body = bytearray(b'{"a": 1}\r\n')
    request = WebhookRequest(body=body, headers={}, url="https://shop.example/hook")
    body[0] = 0
    assert request.body == b'{"a": 1}\r\n'
    assert request.url == "https://shop.example/hook"


def test_a_request_says_how_long_it_is_and_not_what_is_in_it():
    request = WebhookRequest(body=b"canary", headers={"x-signature": "canary"})
    assert repr(request) == "WebhookRequest(6 bytes)"
