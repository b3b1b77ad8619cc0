//! Every kind of fault, with the exact line an operator reads.

use std::path::PathBuf;

use antumbra_config::{Faults, Loaded, Sources, load};

/// Loads `text` as `antumbra.toml` with variables and flags.
fn load_with(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("antumbra.toml"), text).expect("there is room for a file");
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    load(&Sources {
        file: Some(PathBuf::from("antumbra.toml")),
        environment: owned(environment),
        flags: owned(flags),
        base: folder.path().to_owned(),
    })
}

/// Returns the lines of the faults of a file, without the file's name.
fn faults(text: &str) -> Vec<String> {
    let faults = load_with(text, &[], &[]).expect_err("the settings are faulty");
    lines(&faults)
        .into_iter()
        .map(|line| line.strip_prefix("antumbra.toml:").unwrap_or(&line).to_owned())
        .collect()
}

fn lines(faults: &Faults) -> Vec<String> {
    faults.to_string().lines().map(str::to_owned).collect()
}

/// Loads a silo with one datapoint; the first line of `datapoint` is line 6 of the file.
fn datapoint_faults(datapoint: &str) -> Vec<String> {
    faults(&format!(
        "[[silo]]\nname = 'shop'\ntype = 'sqlite'\npath = 'shop.db'\n[[silo.datapoint]]\n{datapoint}"
    ))
}

#[test]
fn unknown_keys_are_named_with_what_was_probably_meant() {
    assert_eq!(
        faults("[listn]\n[listen]\nadress = '127.0.0.1:1'\nport = 5\n[log]\nLevel = 'info'\n"),
        [
            r#"1: listn: unknown setting, did you mean "listen"?"#,
            r#"3: listen.adress: unknown setting, did you mean "address"?"#,
            "4: listen.port: unknown setting, known here are address, body_limit, drain_timeout, \
             header_timeout, insecure_http, max_connections, public_url, request_timeout, tls_certificate, tls_key",
            r#"6: log.Level: unknown setting, did you mean "level"?"#,
        ]
    );
}

#[test]
fn wrong_types_say_what_was_expected() {
    assert_eq!(
        faults(
            "data = 5\n[listen]\naddress = 'localhost'\ninsecure_http = 'yes'\nbody_limit = '1 M'\n\
             max_connections = 0\nheader_timeout = 10\n[organization]\nuri = true\ntenant = 'a b'\n\
             [export]\ndeflate_level = 12\nretention = 1979-05-27\nmax_identifier_values = 1.5\n\
             csv_formulas = 'Keep'\n"
        ),
        [
            "1: data: expected a table, found 5",
            r#"3: listen.address: expected an IP address and port such as "127.0.0.1:5039", found "localhost""#,
            r#"4: listen.insecure_http: expected true or false, found "yes""#,
            r#"5: listen.body_limit: expected a size above zero such as "64 MiB", "10MB" or a number of bytes, found "1 M""#,
            "6: listen.max_connections: expected a whole number from 1 to 1000000, found 0",
            r#"7: listen.header_timeout: expected a length of time above zero such as "30s", "24h" or "7 days", found 10"#,
            "9: organization.uri: expected a string, found true",
            r#"10: organization.tenant: expected a name of 1 to 64 letters, digits, `_` or `-`, found "a b""#,
            "12: export.deflate_level: expected a whole number from 0 to 9, found 12",
            "13: export.retention: expected a value of another type, found a date or time",
            "14: export.max_identifier_values: expected a whole number from 1 to 1000000, found 1.5",
            r#"15: export.csv_formulas: expected "defuse" or "keep", found "Keep""#,
        ]
    );
}

#[test]
fn each_faulty_element_of_a_list_has_its_own_line() {
    assert_eq!(
        faults("[export]\nformats = [\n 'XML',\n 'json',\n 'TSV',\n 7,\n]\n"),
        [
            r#"3: export.formats[0]: expected "JSON", "CSV", "NDJSON" or "PARQUET", found "XML""#,
            r#"5: export.formats[2]: expected "JSON", "CSV", "NDJSON" or "PARQUET", found "TSV""#,
            r#"6: export.formats[3]: expected "JSON", "CSV", "NDJSON" or "PARQUET", found 7"#,
        ]
    );
    assert_eq!(
        faults("[export]\nformats = []\n"),
        ["2: export.formats: expected at least one format, found none"]
    );
    assert_eq!(
        faults("[export]\nformats = ['JSON', 'json', 1979-05-27]\n"),
        [
            r#"2: export.formats[1]: expected each format once, found "JSON""#,
            "2: export.formats[2]: expected a value of another type, found a date or time",
        ]
    );
}

#[test]
fn settings_that_do_not_go_together() {
    assert_eq!(
        faults(
            "[listen]\naddress = '0.0.0.0:5039'\n[worker]\nlease = '20s'\n[export]\nretention = '1h'\n"
        ),
        [
            "2: listen.address: expected a loopback address, listen.tls_certificate and listen.tls_key, or \
             listen.insecure_http = true (plain HTTP is readable on its way), found \"0.0.0.0:5039\"",
            r#"4: worker.heartbeat: expected less than half of worker.lease ("20s"), found "10s""#,
            r#"6: export.bundle_ttl: expected at most export.retention ("1h"), found "7 days""#,
        ]
    );
    assert_eq!(
        faults("[organization]\nuri = ' '\n[data]\ndirectory = ''\n[keys]\nring = ''\n"),
        [
            r#"2: organization.uri: expected a text that is not blank, found " ""#,
            r#"4: data.directory: expected a path, found """#,
            r#"6: keys.ring: expected a path, found """#,
        ]
    );
    for address in ["127.0.0.2:0", "[::1]:5039", "[::ffff:127.0.0.1]:1"] {
        assert!(
            load_with(&format!("[listen]\naddress = '{address}'"), &[], &[]).is_ok(),
            "{address}"
        );
    }
    let open = "[listen]\naddress = '0.0.0.0:5039'\ninsecure_http = true\n";
    assert!(load_with(open, &[], &[]).is_ok());
}

#[test]
fn silos_that_are_incomplete_or_unknown() {
    assert_eq!(
        faults(
            "[[silo]]\n\n[[silo]]\nname = 'crm'\ntype = 'oracle'\n[[silo]]\nname = 'a.b'\ntype = 'sqlite'\npath = ''\n"
        ),
        [
            "1: silo[0].name: expected a name, found nothing",
            r#"1: silo[0].type: expected "sqlite", "postgres", "mysql", "http", "files" or "adbc", found nothing"#,
            r#"5: silo.crm.type: expected "sqlite", "postgres", "mysql", "http", "files" or "adbc", found "oracle""#,
            r#"7: silo[2].name: expected a name of 1 to 64 letters, digits, `_` or `-`, found "a.b""#,
            r#"9: silo[2].path: expected the path of a database file, found """#,
        ]
    );
    assert_eq!(faults("silo = 5"), ["1: silo: expected a list, found 5"]);
    assert_eq!(
        faults("silo = [\n5,\n{ name = 'b', type = 'sqlite' }]"),
        [
            "2: silo[0]: expected a table, found 5",
            "3: silo.b.path: expected the path of a database file, found nothing",
        ]
    );
}

#[test]
fn a_silo_has_the_keys_of_its_type_and_no_others() {
    assert_eq!(
        faults(
            "[[silo]]\nname = 'a'\ntype = 'postgres'\npath = 'x'\nbusy_timeout = '1s'\n\
             [[silo]]\nname = 'b'\ntype = 'sqlite'\npath = 'x'\nurl = { env = 'URL' }\nconnect_timeout = '1s'\n\
             statement_timeout = '1s'\nlock_timeout = '1s'\n"
        ),
        [
            r#"1: silo.a.url: expected where the URL is, such as { credential = "shop.url" }, found nothing"#,
            r#"4: silo.a.path: expected `path` only where type = "sqlite", found "postgres""#,
            r#"5: silo.a.busy_timeout: expected `busy_timeout` only where type = "sqlite", found "postgres""#,
            r#"10: silo.b.url: expected `url` only where type = "postgres" or "mysql", found "sqlite""#,
            r#"11: silo.b.connect_timeout: expected `connect_timeout` only where type = "postgres" or "mysql", found "sqlite""#,
            r#"12: silo.b.statement_timeout: expected `statement_timeout` only where type = "postgres" or "mysql", found "sqlite""#,
            r#"13: silo.b.lock_timeout: expected `lock_timeout` only where type = "postgres" or "mysql", found "sqlite""#,
        ]
    );
    assert_eq!(
        faults(
            "[[silo]]\nname = 'a'\ntype = 'postgres'\nurl = { env = 'URL' }\nstatement_timeout = '25 days'\n\
             lock_timeout = '999us'\nport = 5432\n"
        ),
        [
            r#"5: silo.a.statement_timeout: expected a length of time from "1ms" to "24 days", found "25 days""#,
            r#"6: silo.a.lock_timeout: expected a length of time from "1ms" to "24 days", found "999us""#,
            "7: silo.a.port: unknown setting, known here are allow_private, attempts, auth, backoff, base_url, busy_timeout, \
             ca, connect_timeout, datapoint, driver, entrypoint, headers, insecure_http, limits, location, \
             lock_timeout, max_pages, max_response, name, options, path, requests_per_second, secret_options, \
             statement_timeout, tenant, timeout, type, url",
        ]
    );
}

#[test]
fn certificate_and_key_belong_together() {
    assert_eq!(
        faults("[listen]\naddress = '0.0.0.0:1'\ntls_certificate = 'a.pem'\n"),
        ["3: listen.tls_certificate: expected listen.tls_key beside it, found nothing"]
    );
    assert_eq!(
        faults("[listen]\ntls_key = 'a.pem'\n"),
        ["2: listen.tls_key: expected listen.tls_certificate beside it, found nothing"]
    );
    assert_eq!(
        faults("[listen]\naddress = '0.0.0.0:1'\ntls_certificate = ''\ntls_key = 5\n"),
        [
            r#"3: listen.tls_certificate: expected a path, found """#,
            "4: listen.tls_key: expected a path, found 5",
        ]
    );
    let both = "[listen]\naddress = '0.0.0.0:1'\ntls_certificate = 'a.pem'\ntls_key = 'b.pem'\n";
    let loaded = load_with(both, &[], &[("listen.tls_key", "c.pem")]).unwrap();
    assert!(loaded.settings.listen.tls_key.unwrap().ends_with("c.pem"));
    let flag = load_with("", &[("ANTUMBRA_LISTEN__TLS_CERTIFICATE", "a.pem")], &[]).unwrap_err();
    assert_eq!(
        lines(&flag),
        [
            "ANTUMBRA_LISTEN__TLS_CERTIFICATE: listen.tls_certificate: expected listen.tls_key beside it, found nothing"
        ]
    );
}

#[test]
fn a_public_url_is_where_links_can_begin() {
    let expected = "expected an http:// or https:// URL without user, query and fragment such as \"https://privacy.example\"";
    assert_eq!(
        faults("[listen]\npublic_url = 'privacy.example'\n"),
        [format!("2: listen.public_url: {expected}, found \"privacy.example\"")]
    );
    assert_eq!(
        faults("[listen]\npublic_url = 'https://me:hunter2@privacy.example'\n"),
        [format!("2: listen.public_url: {expected}, found a URL with a user (not shown)")]
    );
}

#[test]
fn names_are_unique_whatever_the_case() {
    let silo = |name: &str| format!("[[silo]]\nname = '{name}'\ntype = 'sqlite'\npath = 'x'\n");
    assert_eq!(
        faults(&format!("{}{}", silo("shop"), silo("SHOP"))),
        [
            r#"6: silo.SHOP.name: expected a name that no other silo has, whatever the case, found "shop" also at antumbra.toml:2"#
        ]
    );
    let point = |name: &str| {
        format!("[[silo.datapoint]]\nname = '{name}'\ntable = 't'\nmatch = {{ a = 'email' }}\n")
    };
    assert_eq!(
        faults(&format!("{}{}{}", silo("shop"), point("a"), point("A"))),
        [
            r#"10: silo.shop.datapoint.A.name: expected a name that no other datapoint of the silo has, whatever the case, found "a" also at antumbra.toml:6"#
        ]
    );
}

#[test]
fn a_datapoint_has_one_source() {
    assert_eq!(
        datapoint_faults("name = 'a'\ntable = 't'\nquery = 'select :id'\n"),
        ["8: silo.shop.datapoint.a.query: expected either `table` or `query`, found both"]
    );
    assert_eq!(
        datapoint_faults("name = 'a'\n"),
        ["5: silo.shop.datapoint.a: expected `table` or `query`, found neither"]
    );
    assert_eq!(
        datapoint_faults("name = 'a'\ntable = 'a..b'\nmatch = { a = 'email' }\ntenant_query = 'q'"),
        [
            r#"7: silo.shop.datapoint.a.table: expected a table such as "orders", "main.orders" or "main.\"my.table\"", found "a..b""#,
            "9: silo.shop.datapoint.a.tenant_query: expected `tenant_query` only beside `query`, found `table`",
        ]
    );
    assert_eq!(
        datapoint_faults("name = 'a'\nquery = ' '\ntenant_query = ''\nmatch = { a = 'email' }\n"),
        [
            "7: silo.shop.datapoint.a.query: expected a query, found nothing but blanks",
            "8: silo.shop.datapoint.a.tenant_query: expected a query, found nothing but blanks",
            "9: silo.shop.datapoint.a.match: expected `match` only beside `table` (a query selects by `:name`), found `query`",
        ]
    );
}

#[test]
fn a_datapoint_that_nothing_selects_is_refused() {
    assert_eq!(
        datapoint_faults("name = 'a'\ntable = 't'\n"),
        [
            r#"5: silo.shop.datapoint.a.match: expected `match`, `filter` or kind = "configuration", found nothing that selects rows"#
        ]
    );
    assert_eq!(
        datapoint_faults("name = 'a'\nquery = 'select id::text from t'\n"),
        [
            r#"7: silo.shop.datapoint.a.query: expected a `:name` in it, `tenant_query`, `filter` or kind = "configuration", found nothing that selects rows"#
        ]
    );
    let whole =
        "[[silo]]\nname = 'shop'\ntype = 'sqlite'\npath = 'x'\n[[silo.datapoint]]\nname = 'a'\n";
    for rest in [
        "table = 't'\nkind = 'configuration'",
        "table = 't'\nfilter = { c = 'campaignIds' }",
        "query = 'select 1'\ntenant_query = 'select 2'",
        "query = 'select 1 where :a'",
    ] {
        assert!(load_with(&format!("{whole}{rest}"), &[], &[]).is_ok(), "{rest}");
    }
}

#[test]
fn columns_identifiers_and_redactions_of_a_datapoint() {
    assert_eq!(
        datapoint_faults(
            "table = 't'\nmatch = { c = 'customer-id' }\nprovides = { '1st' = 'c', id = '' }\n\
             key = ['id', 5, '', 'id']\nredact = { n = 'blur', '' = 'drop' }\nfilter = { c = 'campaign' }\n\
             kind = 'setup'\ntime_column = ''\nextra = 1\ntitle = 3\n"
        ),
        [
            "5: silo.shop.datapoint[0].name: expected a name, found nothing",
            r#"7: silo.shop.datapoint[0].match.c: expected an identifier name of 1 to 64 letters, digits or `_`, beginning with a letter or `_`, found "customer-id""#,
            r#"8: silo.shop.datapoint[0].provides.1st: expected an identifier name of 1 to 64 letters, digits or `_`, beginning with a letter or `_`, found "1st""#,
            r#"8: silo.shop.datapoint[0].provides.id: expected the name of a column, found """#,
            "9: silo.shop.datapoint[0].key[1]: expected a string, found 5",
            r#"9: silo.shop.datapoint[0].key[2]: expected the name of a column, found """#,
            r#"9: silo.shop.datapoint[0].key[3]: expected each column once, found "id""#,
            r#"10: silo.shop.datapoint[0].redact."": expected the name of a column, found """#,
            r#"10: silo.shop.datapoint[0].redact.n: expected "drop", "hash", "mask" or "truncate(4)", found "blur""#,
            r#"11: silo.shop.datapoint[0].filter.c: expected "campaignIds" or "substrates", found "campaign""#,
            r#"12: silo.shop.datapoint[0].kind: expected "data" or "configuration", found "setup""#,
            r#"13: silo.shop.datapoint[0].time_column: expected the name of a column, found """#,
            "14: silo.shop.datapoint[0].extra: unknown setting, known here are attachment, columns, description, endpoint, \
             files, filter, key, kind, match, name, partitions, provides, query, redact, table, tenant_query, \
             time_column, title",
            "15: silo.shop.datapoint[0].title: expected a string, found 3",
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_or_not_there_is_one_fault_beside_the_others() {
    let environment = [("ANTUMBRA_LISTEN__ADDRESS", "x"), ("ANTUMBRA_WORKER__HEARTBEAT", "1h")];
    let faults = load_with("[worker]\nlease = \n", &environment, &[]);
    let lines = lines(&faults.unwrap_err());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("antumbra.toml:2: is not TOML: "), "{lines:?}");
    assert!(lines[1].starts_with("ANTUMBRA_LISTEN__ADDRESS: listen.address: expected an IP"));

    let missing = Sources { file: Some(PathBuf::from("/no/such.toml")), ..Sources::default() };
    let faults = load(&missing).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "/no/such.toml: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(faults.code(), "settings_invalid");
}

#[test]
fn variables_and_flags_are_faulty_by_name() {
    let environment = [
        ("ANTUMBRA_LISTEN__ADRESS", "127.0.0.1:1"),
        ("ANTUMBRA_LISTEN_ADDRESS", "127.0.0.1:1"),
        ("ANTUMBRA_WORKER__ENABLED", "maybe"),
        ("ANTUMBRA_WORKER__CONCURRENCY", "many"),
        ("ANTUMBRA_EXPORT__FORMATS", "JSON"),
        ("ANTUMBRA_SILO__0__PATH", "x"),
        ("ANTUMBRA_NO__SUCH", "x"),
        ("ANTUMBRA_ORGANIZATION__URI", "\u{fffd}"),
        ("UNRELATED", "x"),
    ];
    let flags =
        [("log.levle", "info"), ("log.level", "loud"), ("silo.shop.path", "x"), ("zzz", "x")];
    let faults = load_with("[log]\nformat = 'xml'\n", &environment, &flags).unwrap_err();
    assert_eq!(
        lines(&faults),
        [
            r#"antumbra.toml:2: log.format: expected "text" or "json", found "xml""#,
            "ANTUMBRA_EXPORT__FORMATS: export.formats: expected a list in the settings file, found an environment variable",
            "ANTUMBRA_LISTEN_ADDRESS: unknown setting, did you mean ANTUMBRA_LISTEN__ADDRESS?",
            "ANTUMBRA_LISTEN__ADRESS: unknown setting, did you mean ANTUMBRA_LISTEN__ADDRESS?",
            "ANTUMBRA_NO__SUCH: unknown setting",
            "ANTUMBRA_ORGANIZATION__URI: organization.uri: expected UTF-8, found other bytes",
            "ANTUMBRA_SILO__0__PATH: silo: expected silos in the settings file, found an environment variable",
            r#"ANTUMBRA_WORKER__CONCURRENCY: worker.concurrency: expected a whole number from 1 to 1000000, found "many""#,
            r#"ANTUMBRA_WORKER__ENABLED: worker.enabled: expected true or false, found "maybe""#,
            r#"flag log.level: expected "error", "warn", "info", "debug" or "trace", found "loud""#,
            "flag log.levle: unknown setting, did you mean log.level?",
            "flag silo.shop.path: expected silos in the settings file, found a flag",
            "flag zzz: unknown setting",
        ]
    );
}

#[test]
fn a_file_full_of_faults_is_cut_off_and_says_so() {
    let text: String = (0..300).map(|index| format!("key_{index} = 1\n")).collect();
    let faults = load_with(&text, &[("ANTUMBRA_LOG__LEVEL", "info")], &[]).unwrap_err();
    assert_eq!(faults.as_slice().len(), 201);
    assert!(
        faults
            .to_string()
            .contains("antumbra.toml: more than 200 faults; further ones are not listed")
    );
}

#[test]
fn a_secret_in_the_place_of_its_reference_is_not_echoed() {
    const SECRET: &str = "hunter2hunter2";
    let not_shown = "expected exactly one of { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }, found";
    for (root, found) in [
        (format!("'{SECRET}'"), "a plain string (not shown)"),
        (format!("{{ value = '{SECRET}' }}"), "a table (not shown)"),
        (format!("{{ {SECRET} = 1 }}"), "a table (not shown)"),
        (format!("{{ file = 5, env = '{SECRET}' }}"), "a table (not shown)"),
        (format!("{{ credential = '../{SECRET}' }}"), "a table (not shown)"),
        (format!("['{SECRET}']"), "a list (not shown)"),
    ] {
        let lines = faults(&format!("[keys]\nroot = {root}\n"));
        assert_eq!(lines, [format!("2: keys.root: {not_shown} {found}")]);
    }
    for (url, found) in [
        (format!("'postgres://me:{SECRET}@db/shop'"), "a plain string (not shown)"),
        (format!("{{ value = 'postgres://me:{SECRET}@db/shop' }}"), "a table (not shown)"),
    ] {
        let silo = format!("[[silo]]\nname = 's'\ntype = 'postgres'\nurl = {url}\n");
        assert_eq!(faults(&silo), [format!("4: silo.s.url: {not_shown} {found}")]);
    }
    let hashes = faults(&format!("[gateway]\ninternal_key_hashes = ['{SECRET}']\n"));
    assert_eq!(
        hashes,
        [
            "2: gateway.internal_key_hashes[0]: expected the base64 of a SHA-256 hash (32 bytes), found a plain string (not shown)"
        ]
    );
    let environment = [("ANTUMBRA_KEYS__ROOT", SECRET), ("ANTUMBRA_KEYS__ROOT_KEY", SECRET)];
    let faults = load_with("", &environment, &[("keys.root", SECRET)]).unwrap_err();
    assert_eq!(faults.as_slice().len(), 3);
    assert!(!format!("{faults} {faults:?}").contains(SECRET), "{faults}");
}
