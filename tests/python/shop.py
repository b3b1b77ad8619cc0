"""What do the demo's settings ask of the shop? The rows of one person, datapoint by datapoint, in the words of its database."""

CUSTOMER = "select id from customers where email = :email or loyalty_number = :loyalty"
# datapoint: (rows of one person, redacted columns)
DATAPOINTS = {
    "customers": (f"select * from customers where id in ({CUSTOMER}) order by id", {}),
    "identities": (f"select * from identities where customer_id in ({CUSTOMER}) order by id", {}),
    "mailing_groups": (f'select * from "Group" where "customerId" in ({CUSTOMER}) order by "Id"', {}),
    "orders": (f"select * from orders where customer_id in ({CUSTOMER}) order by id", {}),
    "order_lines": (
        f"select * from order_lines where order_id in (select id from orders where customer_id in ({CUSTOMER})) order by id",
        {},
    ),
    "support_messages": (
        f"select * from support_messages where customer_id in ({CUSTOMER}) or sender_email = :email order by id",
        {},
    ),
    "page_events": (f"select * from page_events where customer_id in ({CUSTOMER}) order by id", {}),
    "images": (f"select * from images where customer_id in ({CUSTOMER}) order by id", {}),
    "payments": (
        f"select * from payments where customer_id in ({CUSTOMER}) order by id",
        {"card_number": "drop", "iban": "hash", "note": "hash"},
    ),
}
