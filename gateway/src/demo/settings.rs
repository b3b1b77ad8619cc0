//! What are the demo's settings? Also the shortest complete example of a silo.

use super::directory::POSTGRES_URL;
use crate::cli::DemoSilo;

/// Writes the settings file of the demo. All paths in it are relative to it.
pub(super) fn text(gateway_hash: &str, silo: DemoSilo) -> String {
    let place = match silo {
        DemoSilo::Sqlite => "type = \"sqlite\"\npath = \"source/shop.db\"\n".to_owned(),
        DemoSilo::Postgres => {
            format!("type = \"postgres\"\nurl = {{ file = \"{POSTGRES_URL}\" }}\n")
        }
    };
    format!(
        "{HEAD}internal_key_hashes = [\"{gateway_hash}\"]   # of keys/gateway.key\n\n[[silo]]\nname = \"shop\"\n{place}{SHOP}"
    )
}

const HEAD: &str = r#"# The demo's settings. `antumbra config show --config antumbra.toml` prints them with all defaults.

[listen]
address = "127.0.0.1:5039"

[data]
directory = "data"

[keys]
ring = "keys/ring.json"
root = { file = "keys/root.key" }

[gateway]
"#;

const SHOP: &str = r#"
[[silo.datapoint]]
name = "customers"
title = "Customer account"
table = "customers"
match = { email = "email", loyalty_number = "coreIdentifier" }   # column = identifier; any one matches
provides = { customer_id = "id" }                                # identifier = column
key = ["id"]

[[silo.datapoint]]
name = "identities"
title = "Accounts elsewhere"
table = "identities"
match = { customer_id = "customer_id" }
key = ["id"]

[[silo.datapoint]]
name = "mailing_groups"
title = "Mailing groups"
table = "Group"                                                  # a reserved word: quoted by the gateway
match = { customerId = "customer_id" }
key = ["Id"]

[[silo.datapoint]]
name = "orders"
title = "Orders"
table = "orders"
match = { customer_id = "customer_id" }
key = ["id"]
time_column = "created_at"

[[silo.datapoint]]
name = "order_lines"
title = "What was ordered"
query = "select l.* from order_lines l join orders o on o.id = l.order_id where o.customer_id in (:customer_id)"
tenant_query = "select l.* from order_lines l"
key = ["id"]

[[silo.datapoint]]
name = "support_messages"
title = "Messages to the help desk"
table = "support_messages"
match = { customer_id = "customer_id", sender_email = "email" }
key = ["id"]
time_column = "created_at"

[[silo.datapoint]]
name = "page_events"
title = "Pages visited"
table = "page_events"
match = { customer_id = "customer_id" }
key = ["id"]
time_column = "ts"

[[silo.datapoint]]
name = "images"
title = "Uploaded pictures"
table = "images"
match = { customer_id = "customer_id" }
key = ["id"]

[[silo.datapoint]]
name = "payments"
title = "Payments"
table = "payments"
match = { customer_id = "customer_id" }
key = ["id"]
time_column = "created_at"
redact = { card_number = "drop", iban = "hash", note = "hash" }
"#;
