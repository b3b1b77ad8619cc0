//! What do the tests of the `adbc` silo need? `DuckDB`'s library, which is an ADBC driver, and a database file that it filled.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use antumbra_adbc::Driver;
use antumbra_pipeline::silo::adbc::AdbcSilo;
use antumbra_pipeline::silo::{Session, Silo};
use tempfile::TempDir;

/// A database file in a directory of its own; removed when dropped.
pub(crate) struct Duck {
    dir: TempDir,
}

impl Duck {
    /// Makes a database by running statements, one after another.
    pub(crate) fn with(statements: &[&str]) -> Self {
        let duck = Self { dir: tempfile::tempdir().unwrap() };
        duck.run(statements);
        duck
    }

    /// Runs statements while no silo is open.
    pub(crate) fn run(&self, statements: &[&str]) {
        let driver = Driver::load(&library(), Some(ENTRYPOINT)).unwrap();
        let mut connection =
            driver.database([("path".to_owned(), self.path())]).unwrap().connect().unwrap();
        for sql in statements {
            let rows = connection.statement(sql, None).and_then(antumbra_adbc::Statement::execute);
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(rows.map(Result::unwrap).count() < 1_000, "{sql}");
        }
    }

    pub(crate) fn path(&self) -> String {
        self.dir.path().join("shop.duckdb").display().to_string()
    }

    pub(crate) fn silo(&self) -> AdbcSilo {
        let options = vec![
            ("path".to_owned(), self.path()),
            ("access_mode".to_owned(), "read_only".to_owned()),
        ];
        AdbcSilo::new(&settings(options), &[]).unwrap()
    }

    pub(crate) async fn session(&self) -> Box<dyn Session> {
        self.silo().connect().await.unwrap()
    }
}

/// A silo of `DuckDB` with these options.
pub(crate) fn settings(options: Vec<(String, String)>) -> antumbra_config::AdbcSilo {
    antumbra_config::AdbcSilo {
        driver: library(),
        entrypoint: Some(ENTRYPOINT.to_owned()),
        options,
        secret_options: Vec::new(),
    }
}

/// Where `tests/run` put the library.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told by their script, not by settings"
)]
pub(crate) fn library() -> PathBuf {
    let path = std::env::var("ANTUMBRA_DUCKDB");
    path.expect("ANTUMBRA_DUCKDB names DuckDB's library (tests/run installs it)").into()
}

const ENTRYPOINT: &str = "duckdb_adbc_init";
