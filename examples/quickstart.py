"""Take a payment and give part of it back, on the fake: no account, no network, no set-up."""

from payport import Money, PaymentIntent, PaymentStatus, Payport
from payport.testing import FakeProvider


def charge(pay: Payport) -> PaymentIntent:
    """Take the money for one order."""
    return pay.payments.create(
        reference="order_12345",
        amount=Money(4999, "USD"),
        payment_method="pm_card_visa",
        confirm=True,
    )


def main() -> None:
    """Charge an order, ask a second time, and refund a part."""
    with Payport(FakeProvider()) as pay:
        intent = charge(pay)
        again = charge(pay)  # asking again returns the same payment and charges nobody twice
        assert again.id == intent.id
        match intent.status:
            case PaymentStatus.SUCCEEDED:
                print("paid:", intent.captured)
            case PaymentStatus.REQUIRES_ACTION:
                print("send the customer to:", intent.next_action)
            case PaymentStatus.REQUIRES_PAYMENT_METHOD if intent.decline:
                print("tell the customer:", intent.decline.user_message)
            case _:
                print("wait for the event:", intent.status)

        refund = pay.refunds.create(
            payment=intent.id, reference="return_77", amount=Money(1000, "USD")
        )
        print("refunded:", refund.amount, refund.status)


if __name__ == "__main__":
    main()
