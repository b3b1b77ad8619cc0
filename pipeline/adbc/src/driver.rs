//! How is a driver loaded, and how does a database of its begin?

use std::fmt;
use std::path::{Path, PathBuf};

use adbc_core::options::{AdbcVersion, OptionConnection, OptionDatabase, OptionValue};
use adbc_core::{Database as _, Driver as _};
use adbc_driver_manager::{ManagedDatabase, ManagedDriver};

use crate::{Connection, Error};

/// A driver. A clone is the same driver.
#[derive(Clone)]
pub struct Driver {
    driver: ManagedDriver,
    path: PathBuf,
}

/// A database of a driver, with its options. A clone is the same database; its connections share what the driver shares.
#[derive(Clone)]
pub struct Database {
    database: ManagedDatabase,
}

impl Driver {
    /// Loads a shared library and asks it for its driver: through `entrypoint`, or through the function that the library's name
    /// stands for (`libadbc_driver_x.so`: `AdbcDriverXInit`) or `AdbcDriverInit`. The library's code runs.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn load(path: &Path, entrypoint: Option<&str>) -> Result<Self, Error> {
        let failed =
            |reason: &str| Error::Library { path: path.to_owned(), reason: reason.to_owned() };
        // The loader would look for a name without a slash in other places.
        if !path.is_absolute() {
            return Err(failed("the path of a driver must be absolute"));
        }
        match path.metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(failed("it is not a file")),
            Err(error) => return Err(failed(&error.to_string())),
        }
        let load = |version| {
            let entrypoint = entrypoint.map(str::as_bytes);
            ManagedDriver::load_dynamic_from_filename(path, entrypoint, version)
        };
        // What ADBC 1.1 added is what cancels; drivers of 1.0 refuse that version.
        let loaded =
            load(AdbcVersion::V110).or_else(|newer| load(AdbcVersion::V100).map_err(|_| newer));
        match loaded {
            Ok(driver) => Ok(Self { driver, path: path.to_owned() }),
            // The words of the loader, which saw no data yet: what is missing, and whether it is a library at all.
            Err(error) if error.message.starts_with(LOADER) => {
                Err(failed(error.message.trim_start_matches(LOADER)))
            }
            Err(error) => Err(failed(&format!("it makes no ADBC driver: {}", Error::of(&error)))),
        }
    }

    /// Makes a database with options as the driver names them. Whether anything is connected is the driver's affair.
    ///
    /// # Errors
    /// All but [`Error::Library`] and [`Error::Stream`].
    pub fn database(
        &self,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Database, Error> {
        let options = options
            .into_iter()
            .map(|(name, value)| (OptionDatabase::from(name.as_str()), OptionValue::String(value)));
        let database = self.driver.clone().new_database_with_opts(options);
        database.map(|database| Database { database }).map_err(|error| Error::of(&error))
    }
}

impl Database {
    /// Connects, and asks that the connection only read; drivers that have no such thing are taken at what their login allows.
    ///
    /// # Errors
    /// All but [`Error::Library`] and [`Error::Stream`].
    pub fn connect(&self) -> Result<Connection, Error> {
        use adbc_core::Optionable as _;

        let mut connection = self.database.new_connection().map_err(|error| Error::of(&error))?;
        drop(
            connection
                .set_option(OptionConnection::ReadOnly, OptionValue::String("true".to_owned())),
        );
        Ok(Connection::new(connection))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Database {
    /// Options hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

/// How the driver manager begins what the system's loader said.
const LOADER: &str = "Error with dynamic library: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path, entrypoint: Option<&str>) -> String {
        Driver::load(path, entrypoint).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_library_is_refused_with_its_path() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (path, expected) in [
            (here.join("no such.so"), "No such file"),
            (here.to_owned(), "not a file"),
            (here.join("Cargo.toml"), "Cargo.toml: "),
            (PathBuf::from("libc.so.6"), "must be absolute"),
        ] {
            let said = refused(&path, None);
            assert!(said.starts_with(&path.display().to_string()), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }
}
