//! Which columns does the driver say are unique and never NULL?

use adbc_core::Connection as _;
use adbc_core::options::{ObjectDepth, OptionConnection};
use adbc_driver_manager::ManagedConnection;
use arrow_array::cast::AsArray;
use arrow_array::types::Int16Type;
use arrow_array::{Array, ArrayRef, RecordBatchReader, StructArray};

use crate::Error;

type Keys = Vec<Vec<String>>;

/// Asks for the constraints of a table.
pub(crate) fn of(connection: &ManagedConnection, parts: &[String]) -> Result<Keys, Error> {
    let [before @ .., table] = parts else { return Ok(Vec::new()) };
    let schema =
        before.last().cloned().or_else(|| current(connection, OptionConnection::CurrentSchema));
    let catalog = match before {
        [catalog, _] => Some(catalog.clone()),
        _ => current(connection, OptionConnection::CurrentCatalog),
    };
    let (catalog, schema) = (catalog.as_deref(), schema.as_deref());
    // The filters are patterns, in which `_` is any character: what comes is compared again.
    let found = connection
        .get_objects(ObjectDepth::All, catalog, schema, Some(table), None, None)
        .map_err(|error| Error::of(&error))?;
    read(found, catalog, schema, table)
}

fn current(connection: &ManagedConnection, which: OptionConnection) -> Option<String> {
    use adbc_core::Optionable as _;

    connection.get_option_string(which).ok().filter(|name| !name.is_empty())
}

/// Reads the nested answer. What is not of the shape that ADBC gives it proves nothing.
fn read(
    found: impl RecordBatchReader,
    catalog: Option<&str>,
    schema: Option<&str>,
    table: &str,
) -> Result<Keys, Error> {
    let mut promised: Option<Keys> = None;
    for batch in found {
        let catalogs = StructArray::from(batch.map_err(|_| Error::Stream)?);
        for one in named(&catalogs, "catalog_name", catalog) {
            let schemas = list(&catalogs, "catalog_db_schemas", one);
            let Some(schemas) = schemas.as_ref().and_then(|list| list.as_struct_opt()) else {
                continue;
            };
            for one in named(schemas, "db_schema_name", schema) {
                let tables = list(schemas, "db_schema_tables", one);
                let Some(tables) = tables.as_ref().and_then(|list| list.as_struct_opt()) else {
                    continue;
                };
                for one in named(tables, "table_name", Some(table)) {
                    let keys = keys(tables, one);
                    match &mut promised {
                        None => promised = Some(keys),
                        Some(all) => all.retain(|key| keys.contains(key)),
                    }
                }
            }
        }
    }
    Ok(promised.unwrap_or_default())
}

fn keys(tables: &StructArray, table: usize) -> Keys {
    let columns = list(tables, "table_columns", table);
    let never_null: Vec<String> = columns
        .as_ref()
        .and_then(|columns| columns.as_struct_opt())
        .map(|columns| {
            let all = 0..columns.len();
            all.filter(|row| is_never_null(columns, *row))
                .filter_map(|row| text(columns, "column_name", row))
                .collect()
        })
        .unwrap_or_default();
    let constraints = list(tables, "table_constraints", table);
    let Some(constraints) = constraints.as_ref().and_then(|list| list.as_struct_opt()) else {
        return Vec::new();
    };
    let mut keys = Keys::new();
    for row in 0..constraints.len() {
        let Some(kind) = text(constraints, "constraint_type", row) else { continue };
        let columns: Option<Vec<String>> = list(constraints, "constraint_column_names", row)
            .map(|names| (0..names.len()).map(|at| text_at(&names, at)).collect::<Option<_>>())
            .unwrap_or_default();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { continue };
        let whole = match kind.as_str() {
            "PRIMARY KEY" => true,
            "UNIQUE" => columns.iter().all(|name| never_null.contains(name)),
            _ => false,
        };
        if whole {
            keys.push(columns);
        }
    }
    keys
}

fn is_never_null(columns: &StructArray, row: usize) -> bool {
    let said = columns.column_by_name("xdbc_nullable");
    let number = said.and_then(|said| said.as_primitive_opt::<Int16Type>());
    number.is_some_and(|number| number.is_valid(row) && number.value(row) == 0)
        || text(columns, "xdbc_is_nullable", row).is_some_and(|word| word == "NO")
}

/// The rows whose name this is; all of them if it is not known. A name that is NULL or empty stands for there being none.
fn named<'a>(
    rows: &'a StructArray,
    column: &'a str,
    name: Option<&'a str>,
) -> impl Iterator<Item = usize> + 'a {
    (0..rows.len()).filter(move |row| match (name, text(rows, column, *row)) {
        (Some(name), Some(found)) => found.is_empty() || found == name,
        (None, _) | (_, None) => true,
    })
}

fn list(rows: &StructArray, column: &str, row: usize) -> Option<ArrayRef> {
    let lists = rows.column_by_name(column)?.as_list_opt::<i32>()?;
    lists.is_valid(row).then(|| lists.value(row))
}

fn text(rows: &StructArray, column: &str, row: usize) -> Option<String> {
    text_at(rows.column_by_name(column)?, row)
}

fn text_at(texts: &ArrayRef, row: usize) -> Option<String> {
    let texts = texts.as_string_opt::<i32>()?;
    texts.is_valid(row).then(|| texts.value(row).to_owned())
}
