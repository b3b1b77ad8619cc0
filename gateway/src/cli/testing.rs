//! A small shop with keys and settings, for tests of commands.

use std::path::PathBuf;
use std::sync::Arc;

use antumbra_config::{Settings, Sources};
use antumbra_jobs::{SqliteStore, SystemClock};
use rusqlite::Connection;
use tempfile::TempDir;

use super::args::SettingsArgs;
use super::{KeyFiles, generate_keys, private_file};
use crate::app;

/// Everything a command needs: a settings file with a silo, its database, keys.
pub(crate) struct Shop {
    pub(crate) settings: Settings,
    directory: TempDir,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("antumbra.toml"), SETTINGS).unwrap();
        let file = Some(directory.path().join("antumbra.toml"));
        let base = directory.path().to_owned();
        let settings =
            antumbra_config::load(&Sources { file, base, ..Sources::default() }).unwrap().settings;
        generate_keys(&settings.keys, &[], &SystemClock).await.unwrap();
        let shop = Self { settings, directory };
        shop.sql(TABLES);
        shop
    }

    /// Returns a path in the shop's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the names in a directory of the shop, sorted.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Changes the shop's database.
    pub(crate) fn sql(&self, statements: &str) {
        Connection::open(self.path("shop.db")).unwrap().execute_batch(statements).unwrap();
    }

    /// Returns the flags that lead to the settings.
    pub(in crate::cli) fn args(&self) -> SettingsArgs {
        SettingsArgs { config: Some(self.path("antumbra.toml")), set: Vec::new() }
    }

    /// Opens the store as a daemon does.
    pub(crate) async fn store(&self) -> SqliteStore {
        let ring = app::open_ring(&self.settings.keys, &[]).await.unwrap();
        app::open_store_beside(&self.settings, &ring, Arc::new(SystemClock)).unwrap()
    }

    /// Returns the public key that `verify` trusts.
    pub(crate) fn public_key(&self) -> String {
        let path = KeyFiles::beside(&self.settings.keys.ring).public;
        private_file::read_private(&path).unwrap().unwrap()
    }
}

const SETTINGS: &str = r#"
[data]
directory = "data"

[keys]
ring = "keys/ring.json"
root = { file = "keys/root.key" }

[[silo]]
name = "shop"
type = "sqlite"
path = "shop.db"

[[silo.datapoint]]
name = "customers"
table = "customers"
match = { email = "email" }
provides = { customer_id = "id" }
key = ["id"]

[[silo.datapoint]]
name = "orders"
table = "orders"
match = { customer_id = "customer_id" }
key = ["id"]
redact = { note = "drop" }

[[silo.datapoint]]
name = "orphans"
table = "orphans"
match = { nobody = "nobody_knows" }
key = ["id"]
"#;

const TABLES: &str = "
create table customers (id integer primary key, email text, name text);
create unique index customers_by_email on customers (email);
create table orders (id integer primary key, customer_id integer not null, note text, amount real);
create index orders_of_customer on orders (customer_id);
create table orphans (id integer primary key, nobody text);
create index orphans_of_nobody on orphans (nobody);
insert into customers values (4711081500, 'ada@example.org', 'Ada'), (4712, 'bob@example.org', 'Bob');
insert into orders values (1, 4711081500, 'secret-note', 1.5), (2, 4711081500, null, 2.5), (3, 4711081500, 'x', 3), (4, 4712, 'y', 4);
";
