//! The formats that are text, letter by letter: golden files, and what the manifest says about defused cells.

use antumbra_bundle::verify::{EntryBytes, RowCounter as _};
use antumbra_pipeline::FileRowCounter;

use crate::room::{PARTIAL, Room, request};

const TABLE: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";

/// Everything that a writer of text can get wrong; the last two columns are a formula and a quote by name.
const VALUES: &str =
    "create table t (id integer primary key, email text, txt text, num integer, flt real,
         dec decimal(10, 2), wide decimal(20, 2), raw blob, \"=cmd\" text, \"q\"\"q\" text);
     insert into t values
       (1, 'ada@example.com', 'plain', 7, 0.1, 19.99, 1.25, x'00ff', '=1+1', 'a,b;c'),
       (2, 'ada@example.com', '', 0, -0.5, 0, 0, x'', '', ''),
       (3, 'ada@example.com', null, null, null, null, null, null, null, null),
       (4, 'ada@example.com', 'say \"hi\"', -9223372036854775808, 1e300, -0.01, -7, x'22', '+1', '\"'),
       (5, 'ada@example.com', 'two' || char(10) || 'lines', 9223372036854775807, 9e999, 7, 3, x'f80000', '-1', '\"\"'),
       (6, 'ada@example.com', 'a' || char(13, 10) || 'b', 1, -9e999, 1, 1, x'0d0a', '@x', ','),
       (7, 'ada@example.com', 'e\u{301} \u{1f600} \u{65e5}\u{672c} \\', 1, 3, 1, 1, x'01', char(9) || 'tab', ' =1'),
       (8, 'ada@example.com', 'nul' || char(0) || 'inside', 1, 1, 1, 1, x'01', char(13) || 'return', '''=1'),
       (9, 'bob@example.com', '=other', 1, 1, 1, 1, x'01', '=', '=');";

#[test]
fn files_are_what_they_were_letter_by_letter() {
    let out = Room::with(VALUES).export(TABLE);
    same(out.file("shop/t.csv"), include_bytes!("../golden/values.csv"));
    same(out.file("shop/t.ndjson"), include_bytes!("../golden/values.ndjson"));
    assert_eq!(out.rows("t").len(), 8);
    let notes = &out.section("t").notes;
    let note =
        "7 cells of the CSV file begin with an apostrophe, so that a spreadsheet does not run them";
    assert!(notes.iter().any(|said| said == note), "{notes:?}");
    assert!(String::from_utf8_lossy(out.file("report/index.html")).contains(note));
    assert_eq!(out.content().settings.csv_formulas, "defuse");
}

#[test]
fn formulas_stay_when_settings_say_so() {
    let head = format!("{PARTIAL}csv_formulas = \"keep\"\n");
    let out = Room::with(VALUES).run(&head, TABLE, request());
    let golden = String::from_utf8(include_bytes!("../golden/values.csv").to_vec()).unwrap();
    // The one apostrophe that is the source's own is the one that stays.
    let kept = golden.replace("\"'", "\"").replace("\"=1\"\r\n", "\"'=1\"\r\n");
    same(out.file("shop/t.csv"), kept.as_bytes());
    assert!(out.section("t").notes.iter().all(|note| !note.contains("apostrophe")));
    assert_eq!(out.content().settings.csv_formulas, "keep");
}

#[test]
fn sections_without_rows_and_of_one_column_have_every_line() {
    let room = Room::with(
        "create table t (id integer primary key, email text, \"-x\" text);
         insert into t values (1, 'ada@example.com', null), (2, 'ada@example.com', ''), (3, 'ada@example.com', 'x');",
    );
    let points = "[[silo.datapoint]]\nname = \"none\"\nquery = \"select * from t where email = :email and id > 9\"\nkey = [\"id\"]\n
        [[silo.datapoint]]\nname = \"one\"\nquery = 'select \"-x\" from t where email in (:email)'\n";
    let out = room.export(points);
    same(out.file("shop/none.csv"), b"\"id\",\"email\",\"'-x\"\r\n");
    same(out.file("shop/none.ndjson"), b"");
    same(out.file("shop/one.csv"), b"\"'-x\",\r\n,\r\n\"\",\r\n\"x\",\r\n");
    same(out.file("shop/one.ndjson"), b"{\"-x\":null}\n{\"-x\":\"\"}\n{\"-x\":\"x\"}\n");
    for (name, rows) in [("none", 0), ("one", 3)] {
        for (format, extension) in [("CSV", "csv"), ("NDJSON", "ndjson")] {
            let mut bytes = out.file(&format!("shop/{name}.{extension}"));
            let counted = FileRowCounter.rows(format, EntryBytes::Stream(&mut bytes));
            assert_eq!(counted, Ok(Some(rows)), "{name}.{extension}");
        }
    }
    let note =
        "1 cell of the CSV file begins with an apostrophe, so that a spreadsheet does not run it";
    assert!(out.section("one").notes.iter().any(|said| said == note));
    assert_eq!(out.section("none").outcome, "empty");
}

fn same(found: &[u8], golden: &[u8]) {
    assert!(found == golden, "found:\n{}\n{found:?}", String::from_utf8_lossy(found));
}
