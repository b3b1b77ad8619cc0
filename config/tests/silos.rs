//! Silos of every type: what is read, what is shown, and each fault with the line an operator reads.

use std::path::{Path, PathBuf};

use antumbra_config::{
    Attachment, ColumnWord, Endpoint, Faults, FileFormat, FileSet, FilesLocation, HttpAuth, Loaded,
    Paging, Redaction, SecretRef, SiloKind, SiloLimits, Source, Sources, load,
};

fn load_text(text: &str) -> (tempfile::TempDir, Result<Loaded, Faults>) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("a.toml"), text).expect("there is room for a file");
    let file = Some(PathBuf::from("a.toml"));
    let base = folder.path().to_owned();
    let loaded = load(&Sources { file, base, ..Sources::default() });
    (folder, loaded)
}

/// Loads settings that are whole, and again as they are shown.
fn whole(text: &str) -> (tempfile::TempDir, Loaded) {
    let (folder, loaded) = load_text(text);
    let loaded = loaded.unwrap_or_else(|faults| unreachable!("{faults}"));
    let (_folder, again) = load_text(&loaded.show());
    let again = again.unwrap_or_else(|faults| unreachable!("{faults}\n{}", loaded.show()));
    assert_eq!(again.settings, loaded.settings, "{}", loaded.show());
    (folder, loaded)
}

fn faults(text: &str) -> Vec<String> {
    let faults = load_text(text).1.expect_err("the settings are faulty").to_string();
    faults.lines().map(|line| line.strip_prefix("a.toml:").unwrap_or(line).to_owned()).collect()
}

/// The faults of a silo `s`; the first line of `keys` is line 3.
fn silo_faults(of: &str, keys: &str) -> Vec<String> {
    faults(&format!("[[silo]]\nname = 's'\n{keys}\ntype = '{of}'\n"))
}

/// The faults of a datapoint `d` of a silo that is whole; the first line of `keys` is line 7.
fn datapoint_faults(of: &str, keys: &str) -> Vec<String> {
    let silo = match of {
        "http" => "base_url = 'https://crm.example'",
        "files" => "location = { path = 'files' }",
        _ => "path = 'a.db'",
    };
    let text = format!(
        "[[silo]]\nname = 's'\ntype = '{of}'\n{silo}\n[[silo.datapoint]]\nname = 'd'\n{keys}\n"
    );
    match load_text(&text).1 {
        Ok(_) => Vec::new(),
        Err(_) => faults(&text),
    }
}

#[test]
fn a_service_is_read_whole_and_shown_to_load_again() {
    let (folder, loaded) = whole(
        "[[silo]]\nname = 'crm'\ntype = 'http'\nbase_url = 'https://CRM.example/api/v2/'\n\
         auth = { bearer = { file = 'crm.token' } }\nheaders = { X-Client = 'antumbra', accept = 'application/json' }\n\
         timeout = '5s'\nattempts = 2\nbackoff = '1s'\nrequests_per_second = 10\nmax_response = '1 MiB'\nmax_pages = 7\n\
         allow_private = ['10.1.0.0/16', '::1', 'crm.internal']\nca = 'ca.pem'\n\
         [silo.limits]\nmax_connections = 2\nrows_per_second = 5000\nbytes_per_second = '8 MiB'\ncircuit_pause = '1m'\n\
         [[silo.datapoint]]\nname = 'orders'\nprovides = { order_id = 'id' }\nkey = ['id']\n\
         columns = ['id', 'total']\nredact = { note = 'mask', city = 'truncate(2)' }\n\
         [silo.datapoint.endpoint]\npath = '/customers/{email}/orders'\ntenant_path = '/orders'\n\
         query = { expand = 'lines', q = 'a{{b}}{email}' }\nitems = '/data'\n\
         paging = { page = 'page', size_parameter = 'per_page', size = 50, first = 0 }\n\
         columns = { total = 'decimal(12,2)', at = 'timestamptz' }\nsample = 10\n\
         [[silo.datapoint]]\nname = 'profile'\nendpoint = { path = '/{email}', paging = { cursor = 'after', next = '/meta/next' } }\n\
         [[silo.datapoint]]\nname = 'calls'\nendpoint = { path = '/{phone}', paging = { link = true } }\n\
         [[silo.datapoint]]\nname = 'mails'\nendpoint = { path = '/{email}/m', paging = { offset = 'skip', size_parameter = 'take' } }\n",
    );
    assert!(loaded.warnings.iter().all(|warning| !warning.key.starts_with("silo")));
    let silo = &loaded.settings.silos[0];
    let SiloKind::Http(http) = &silo.kind else { unreachable!("the file says http") };
    assert_eq!(http.base_url, "https://crm.example/api/v2");
    let token = folder.path().join("crm.token");
    assert_eq!(http.auth, HttpAuth::Bearer(SecretRef::File(token)));
    assert_eq!(http.headers[1], ("x-client".to_owned(), "antumbra".to_owned()));
    assert_eq!(http.ca.as_deref(), Some(folder.path().join("ca.pem").as_path()));
    assert_eq!((http.attempts.get(), http.max_pages.get(), http.insecure_http), (2, 7, false));
    assert_eq!(http.requests_per_second.unwrap().get(), 10);
    let limits = &silo.limits;
    assert_eq!((limits.max_connections.get(), limits.max_sections.get()), (2, 4));
    assert_eq!(limits.bytes_per_second.unwrap().bytes(), 8 << 20);
    assert_eq!(limits.circuit_pause.to_string(), "60s");

    let orders = &silo.datapoints[0];
    let Source::Endpoint(endpoint) = &orders.source else { unreachable!("it is an endpoint") };
    assert_eq!(endpoint.path, "/customers/{email}/orders");
    assert_eq!(endpoint.query[1], ("q".to_owned(), "a{{b}}{email}".to_owned()));
    let price = ColumnWord::Decimal { precision: 12, scale: 2 };
    assert_eq!(endpoint.columns[1], ("total".to_owned(), price));
    assert_eq!(orders.columns, ["id", "total"]);
    let four = Redaction::Truncate(std::num::NonZeroU32::new(2).unwrap());
    let redact = [("city".to_owned(), four), ("note".to_owned(), Redaction::Mask)];
    assert_eq!(orders.redact, redact);
    let paging: Vec<&Paging> = silo
        .datapoints
        .iter()
        .map(|datapoint| match &datapoint.source {
            Source::Endpoint(Endpoint { paging, .. }) => paging,
            _ => unreachable!("all are endpoints"),
        })
        .collect();
    assert!(matches!(paging[0], Paging::Page { first: 0, size: Some(_), .. }));
    assert!(matches!(paging[1], Paging::Cursor { pointer, .. } if pointer == "/meta/next"));
    assert_eq!(paging[2], &Paging::Link);
    assert!(matches!(paging[3], Paging::Offset { size, .. } if size.get() == 100));
}

#[test]
fn what_is_not_said_is_as_the_reference_has_it() {
    let (_folder, loaded) =
        whole("[[silo]]\nname = 's'\ntype = 'http'\nbase_url = 'http://localhost'\n");
    let silo = &loaded.settings.silos[0];
    assert_eq!(silo.limits, SiloLimits::default());
    let SiloKind::Http(http) = &silo.kind else { unreachable!("the file says http") };
    assert_eq!((&http.auth, http.timeout.to_string().as_str()), (&HttpAuth::None, "30s"));
    assert_eq!((http.attempts.get(), http.max_response.bytes()), (4, 32 << 20));
}

#[test]
fn every_way_to_name_who_calls_is_read() {
    for (auth, check) in [
        (
            "{ username = 'me', password = { env = 'P' } }",
            (|auth| matches!(auth, HttpAuth::Basic { username, .. } if username == "me"))
                as fn(&HttpAuth) -> bool,
        ),
        (
            "{ header = 'X-Api-Key', value = { env = 'K' } }",
            |auth| matches!(auth, HttpAuth::Header { name, .. } if name == "x-api-key"),
        ),
        (
            "{ token_url = 'https://login.example/oauth/token/', client_id = 'a', client_secret = { env = 'S' }, scope = 'read' }",
            |auth| matches!(auth, HttpAuth::ClientCredentials { token_url, audience: None, .. } if token_url.ends_with("token/")),
        ),
    ] {
        let (_folder, loaded) = whole(&format!(
            "[[silo]]\nname = 's'\ntype = 'http'\nbase_url = 'https://a.example'\nauth = {auth}\n"
        ));
        let SiloKind::Http(http) = &loaded.settings.silos[0].kind else { unreachable!("http") };
        assert!(check(&http.auth), "{:?}", http.auth);
    }
}

#[test]
fn files_are_found_in_directories_and_buckets() {
    let location = |written: &str| {
        let (folder, loaded) =
            whole(&format!("[[silo]]\nname = 's'\ntype = 'files'\nlocation = {written}\n"));
        let SiloKind::Files(files) = &loaded.settings.silos[0].kind else { unreachable!("files") };
        (folder, files.location.clone())
    };
    let (folder, local) = location("{ path = 'exports' }");
    assert_eq!(local, FilesLocation::Local { path: folder.path().join("exports") });
    let (_folder, s3) = location(
        "{ s3 = 'shop-exports', prefix = '/a/b/', region = 'eu-central-1', endpoint = 'http://127.0.0.1:5000', \
         access_key_id = 'AK', secret_access_key = { env = 'SK' }, path_style = true }",
    );
    let FilesLocation::S3 { prefix, endpoint, path_style, .. } = s3 else { unreachable!("s3") };
    assert_eq!((prefix.as_deref(), path_style), (Some("a/b"), true));
    assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:5000"));
    let (folder, gcs) = location("{ gcs = 'shop', service_account = { file = 'key.json' } }");
    let FilesLocation::Gcs { service_account, .. } = gcs else { unreachable!("gcs") };
    assert_eq!(service_account, Some(SecretRef::File(folder.path().join("key.json"))));
    let (_folder, azure) =
        location("{ azure = 'exports', account = 'shop', sas = { credential = 'sas' } }");
    assert!(
        matches!(azure, FilesLocation::Azure { container, account, .. } if container == "exports" && account == "shop")
    );
}

#[test]
fn sets_of_files_and_attachments_are_read() {
    let (_folder, loaded) = whole(
        "[[silo]]\nname = 's'\ntype = 'files'\nlocation = { path = 'f' }\n\
         [[silo.datapoint]]\nname = 'events'\nmatch = { mail = 'email' }\nfiles = { pattern = 'events/*.csv.gz', delimiter = ';', columns = { n = 'integer' } }\n\
         [[silo.datapoint]]\nname = 'logs'\nfilter = { campaign = 'campaignIds' }\nfiles = { pattern = '**/*.log', format = 'ndjson' }\n\
         [[silo.datapoint]]\nname = 'faces'\nattachment = { path = 'avatars/{email}.*', media_type = 'image/png' }\n",
    );
    let silo = &loaded.settings.silos[0];
    let columns = vec![("n".to_owned(), ColumnWord::Integer)];
    let events = FileSet {
        pattern: "events/*.csv.gz".to_owned(),
        format: FileFormat::Csv,
        delimiter: ';',
        items: String::new(),
        columns,
    };
    assert_eq!(silo.datapoints[0].source, Source::Files(events));
    assert!(
        matches!(&silo.datapoints[1].source, Source::Files(set) if set.format == FileFormat::Ndjson)
    );
    let path = "avatars/{email}.*".to_owned();
    let faces = Attachment { path, media_type: Some("image/png".to_owned()) };
    assert_eq!(silo.datapoints[2].source, Source::Attachment(faces));
}

#[test]
fn drivers_and_other_servers_are_read() {
    let (folder, loaded) = whole(
        "[[silo]]\nname = 'lake'\ntype = 'adbc'\ndriver = 'libduckdb.so'\nentrypoint = 'duckdb_adbc_init'\n\
         options = { path = ':memory:' }\nsecret_options = { password = { file = 'p' } }\n\
         [[silo]]\nname = 'erp'\ntype = 'mysql'\nurl = { env = 'ERP' }\nlock_timeout = '1s'\n",
    );
    let SiloKind::Adbc(adbc) = &loaded.settings.silos[0].kind else { unreachable!("adbc") };
    assert_eq!(adbc.driver, folder.path().join("libduckdb.so"));
    assert_eq!(adbc.secret_options[0].1, SecretRef::File(folder.path().join("p")));
    assert!(matches!(&loaded.settings.silos[1].kind, SiloKind::Mysql { .. }));
    assert!(Path::new("libduckdb.so").is_relative());
}

#[test]
fn secrets_of_silos_are_never_echoed_and_their_variables_are_no_strays() {
    const SECRET: &str = "hunter2-5417";
    for keys in [
        format!("auth = '{SECRET}'"),
        format!("auth = {{ bearer = '{SECRET}' }}"),
        format!("auth = {{ username = 'a:{SECRET}', password = {{ env = 'P' }} }}"),
        format!("auth = {{ {} = {{ value = '{SECRET}' }} }}", "client_secret"),
        format!(
            "auth = {{ token_url = 'https://me:{SECRET}@a', client_id = 'a', client_secret = {{ env = 'S' }} }}"
        ),
        format!("headers = {{ Authorization = 'Bearer {SECRET}' }}"),
        format!("headers = {{ x = '{SECRET}\\u0007' }}").replace('\'', "\""),
        format!("base_url = 'https://me:{SECRET}@a.example'"),
    ] {
        let base =
            if keys.starts_with("base_url") { "" } else { "base_url = 'https://a.example'\n" };
        let found = silo_faults("http", &format!("{base}{keys}"));
        assert!(!found.is_empty() && !found.join("\n").contains(SECRET), "{keys}: {found:?}");
    }
    for keys in [
        format!("location = 's3://{SECRET}'"),
        format!("location = {{ s3 = 'a', region = 'b', secret_access_key = '{SECRET}' }}"),
        format!("location = {{ azure = 'a', account = 'b', sas = '{SECRET}' }}"),
    ] {
        let found = silo_faults("files", &keys);
        assert!(!found.is_empty() && !found.join("\n").contains(SECRET), "{keys}: {found:?}");
    }
    for keys in [
        format!("driver = 'd'\nsecret_options = {{ password = '{SECRET}' }}"),
        format!("driver = 'd'\noptions = {{ password = '{SECRET}' }}"),
        format!("driver = 'd'\noptions = {{ uri = 'grpc://me:{SECRET}@a' }}"),
    ] {
        let found = silo_faults("adbc", &keys);
        assert!(!found.is_empty() && !found.join("\n").contains(SECRET), "{keys}: {found:?}");
    }
    let text = "[[silo]]\nname = 's'\ntype = 'http'\nbase_url = 'https://a.example'\n\
                auth = { bearer = { env = 'ANTUMBRA_CRM' } }\n\
                [[silo]]\nname = 't'\ntype = 'adbc'\ndriver = 'd'\nsecret_options = { a = { env = 'ANTUMBRA_LAKE' } }\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.toml"), text).unwrap();
    let variable = |name: &str| (name.to_owned(), SECRET.to_owned());
    let environment = vec![variable("ANTUMBRA_CRM"), variable("ANTUMBRA_LAKE")];
    let file = Some(PathBuf::from("a.toml"));
    let base = folder.path().to_owned();
    let loaded = load(&Sources { file, base, environment, ..Sources::default() }).unwrap();
    assert!(!loaded.warnings.iter().any(|warning| warning.to_string().contains("ANTUMBRA_")));
    assert!(!format!("{loaded:?}{}", loaded.show()).contains(SECRET));
}

#[test]
fn faults_of_a_service() {
    assert_eq!(
        silo_faults("http", "path = 'a.db'\nlimits = { max_conections = 1, rows_per_second = 0 }"),
        [
            r#"1: silo.s.base_url: expected where the service is, such as "https://crm.example/api", found nothing"#,
            r#"3: silo.s.path: expected `path` only where type = "sqlite", found "http""#,
            r#"4: silo.s.limits.max_conections: unknown setting, did you mean "max_connections"?"#,
            "4: silo.s.limits.rows_per_second: expected a whole number from 1 to 1000000, found 0",
        ]
    );
    let secure = "an https:// URL (http:// only on this machine, or beside insecure_http = true: personal data goes this way)";
    assert_eq!(
        silo_faults("http", "base_url = 'http://10.0.0.7/api'\nallow_private = ['10.0.0.0/33', 'a b']\nheaders = { Host = 'x', X = 'a', x = 'b' }"),
        [
            format!(r#"3: silo.s.base_url: expected {secure}, found "http://10.0.0.7/api""#),
            r#"4: silo.s.allow_private[0]: expected an address, a network (CIDR) or the name of a host, found "10.0.0.0/33""#.to_owned(),
            r#"4: silo.s.allow_private[1]: expected an address, a network (CIDR) or the name of a host, found "a b""#.to_owned(),
            r#"5: silo.s.headers.Host: expected the name of a header that HTTP does not set itself, found "Host""#.to_owned(),
            r#"5: silo.s.headers.X: expected each header once, whatever the case, found "X""#.to_owned(),
            r#"5: silo.s.headers.x: expected each header once, whatever the case, found "x""#.to_owned(),
        ]
    );
    assert_eq!(
        silo_faults("http", "base_url = 'http://10.0.0.7'\ninsecure_http = true\nname = 's'").len(),
        1
    );
    let ways = "one of `bearer`; `username` and `password`; `header` and `value`; `token_url`, `client_id` and `client_secret`";
    let auth = |auth: &str| silo_faults("http", &format!("base_url = 'https://a'\nauth = {auth}"));
    assert_eq!(auth("{}"), [format!("4: silo.s.auth: expected {ways}, found an empty table")]);
    assert_eq!(
        auth("{ bearer = { env = 'A' }, username = 'me' }"),
        [format!("4: silo.s.auth.username: expected {ways}, found `bearer` beside it")]
    );
    assert_eq!(
        auth("{ username = 'me' }"),
        [
            r#"4: silo.s.auth.password: expected where the secret is, such as { credential = "crm.token" }, found nothing"#
        ]
    );
    assert_eq!(
        auth(
            "{ token_url = 'http://login.example', client_id = 'a', client_secret = { env = 'A' } }"
        )
        .len(),
        1
    );
}

#[test]
fn faults_of_a_place_for_files() {
    let location = |text: &str| silo_faults("files", &format!("location = {text}"));
    let one = "exactly one of `path`, `s3`, `gcs` and `azure`";
    assert_eq!(location("{}"), [format!("3: silo.s.location: expected {one}, found none of them")]);
    assert_eq!(
        location("{ path = 'a', s3 = 'b' }"),
        [format!("3: silo.s.location.s3: expected {one}, found `path` beside it")]
    );
    assert_eq!(
        location("{ path = '', region = 'a' }"),
        [
            r#"3: silo.s.location.path: expected a path, found """#,
            "3: silo.s.location.region: expected `region` only beside `s3`, found `path`",
        ]
    );
    assert_eq!(
        location(
            "{ s3 = 'a/b', prefix = '../x', endpoint = 'http://minio:9000', access_key_id = 'a' }"
        ),
        [
            "3: silo.s.location.access_key_id: expected `secret_access_key` beside it, found nothing",
            r#"3: silo.s.location.endpoint: expected an https:// URL (http:// only on this machine, or beside insecure_http = true: personal data goes this way), found "http://minio:9000""#,
            r#"3: silo.s.location.prefix: expected a folder such as "exports/2026", without `.` or `..`, found "../x""#,
            r#"3: silo.s.location.region: expected a region such as "eu-central-1", found nothing"#,
            r#"3: silo.s.location.s3: expected the name of a bucket, found "a/b""#,
        ]
    );
    assert_eq!(
        location("{ azure = 'a', sas = { env = 'A' }, access_key = { env = 'B' } }"),
        ["3: silo.s.location.account: expected the name of a storage account, found nothing"]
    );
    assert_eq!(silo_faults("files", "").len(), 1);
}

#[test]
fn a_source_belongs_to_its_type_of_silo() {
    assert_eq!(
        datapoint_faults("sqlite", "endpoint = { path = '/{email}' }"),
        [
            r#"7: silo.s.datapoint.d.endpoint: expected `table` or `query` in a silo of type "sqlite", found `endpoint`"#
        ]
    );
    assert_eq!(
        datapoint_faults("http", "table = 't'\nmatch = { a = 'email' }"),
        [
            r#"7: silo.s.datapoint.d.table: expected `endpoint` in a silo of type "http", found `table`"#
        ]
    );
    assert_eq!(
        datapoint_faults("files", ""),
        ["5: silo.s.datapoint.d: expected `files` or `attachment`, found neither"]
    );
    assert_eq!(
        datapoint_faults(
            "files",
            "files = { pattern = 'a.csv' }\nattachment = { path = '{email}' }"
        ),
        ["8: silo.s.datapoint.d.attachment: expected either `files` or `attachment`, found both"]
    );
    assert_eq!(
        datapoint_faults(
            "http",
            "endpoint = { path = '/{email}' }\nmatch = { a = 'email' }\npartitions = 2"
        ),
        [
            "8: silo.s.datapoint.d.match: expected `match` only beside `table` and `files` (a path selects by `{name}`), found `endpoint`",
            "9: silo.s.datapoint.d.partitions: expected `partitions` only beside `table` and `key`, found `endpoint`",
        ]
    );
    assert_eq!(
        datapoint_faults(
            "sqlite",
            "table = 't'\nmatch = { a = 'email' }\npartitions = 2\ncolumns = ['a', 'a', '']"
        ),
        [
            "9: silo.s.datapoint.d.partitions: expected `partitions` only beside `table` and `key`, found no `key`",
            r#"10: silo.s.datapoint.d.columns[1]: expected each column once, found "a""#,
            r#"10: silo.s.datapoint.d.columns[2]: expected the name of a column, found """#,
        ]
    );
    assert_eq!(
        datapoint_faults("sqlite", "table = 't'\nmatch = { a = 'email' }\ncolumns = []"),
        ["9: silo.s.datapoint.d.columns: expected at least one column, found none"]
    );
    assert_eq!(
        datapoint_faults(
            "files",
            "attachment = { path = '{email}' }\nkey = ['a']\ntime_column = 't'"
        ),
        [
            "8: silo.s.datapoint.d.key: expected `key` only where there are rows, found `attachment`",
            "9: silo.s.datapoint.d.time_column: expected `time_column` only where there are rows, found `attachment`",
        ]
    );
}

#[test]
fn a_source_that_nothing_selects_is_refused() {
    for (of, keys, expected) in [
        (
            "http",
            "endpoint = { path = '/all' }",
            "a `{name}` in its path or query, `tenant_path`, `tenant_query`, `filter` or kind = \"configuration\"",
        ),
        ("files", "files = { pattern = 'a.csv' }", "`match`, `filter` or kind = \"configuration\""),
        (
            "files",
            "attachment = { path = 'all.pdf' }",
            "a `{name}` in its path or kind = \"configuration\"",
        ),
    ] {
        let found = datapoint_faults(of, keys);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].ends_with(&format!("expected {expected}, found nothing that selects rows")),
            "{found:?}"
        );
        assert_eq!(datapoint_faults(of, &format!("{keys}\nkind = 'configuration'")), [""; 0]);
    }
    for endpoint in [
        "{ path = '/all', query = { who = '{email}' } }",
        "{ path = '/all', tenant_path = '/all' }",
        "{ path = '/all', tenant_query = { all = '1' } }",
    ] {
        assert_eq!(datapoint_faults("http", &format!("endpoint = {endpoint}")), [""; 0]);
    }
}

#[test]
fn faults_of_templates_and_paging() {
    let endpoint = |text: &str| datapoint_faults("http", &format!("endpoint = {text}"));
    let key = "7: silo.s.datapoint.d.endpoint";
    let path = r#"a path such as "/customers/{customer_id}/orders", without a query"#;
    for bad in [
        "a/{email}",
        "/a/../{email}",
        "/a//{email}",
        "/{email}?x=1",
        "/{email}#a",
        "/a b/{email}",
        "//{email}",
    ] {
        assert_eq!(
            endpoint(&format!("{{ path = '{bad}' }}")),
            [format!("{key}.path: expected {path}, found {bad:?}")]
        );
    }
    let braces = r#"a text whose braces hold names of identifiers ("{{" and "}}" are braces)"#;
    for bad in ["/{email", "/email}", "/{}", "/{e mail}"] {
        assert_eq!(
            endpoint(&format!("{{ path = '{bad}', tenant_path = '/a' }}")),
            [format!("{key}.path: expected {braces}, found {bad:?}")]
        );
    }
    assert_eq!(
        endpoint("{ path = '/{email}', tenant_path = '/{email}', tenant_query = { a = '{email}' }, items = 'data', columns = { _more = 'json', a = 'varchar' } }"),
        [
            r#"7: silo.s.datapoint.d.endpoint.columns._more: expected the name of a column, found "_more""#.to_owned(),
            r#"7: silo.s.datapoint.d.endpoint.columns.a: expected "boolean", "integer", "real", "text", "bytes", "date", "timestamp", "timestamptz", "json" or "decimal(precision,scale)" with a precision up to 38, found "varchar""#.to_owned(),
            format!(r#"{key}.items: expected a JSON pointer such as "/data", found "data""#),
            format!(r#"{key}.tenant_path: expected no `{{name}}` where a whole tenant is meant, found "/{{email}}""#),
            format!(r#"{key}.tenant_query.a: expected no `{{name}}` where a whole tenant is meant, found "{{email}}""#),
        ]
    );
    let paging = |text: &str| endpoint(&format!("{{ path = '/{{email}}', paging = {text} }}"));
    let one = "exactly one of `offset`, `page`, `cursor` and `link`";
    assert_eq!(paging("{}"), [format!("{key}.paging: expected {one}, found none of them")]);
    assert_eq!(
        paging("{ page = 'p', link = true }"),
        [format!("{key}.paging.link: expected {one}, found `page` beside it")]
    );
    assert_eq!(
        paging("{ offset = 'o', next = '/a', first = 1 }"),
        [
            format!("{key}.paging.first: expected `first` only beside `page`, found `offset`"),
            format!("{key}.paging.next: expected `next` only beside `cursor`, found `offset`"),
            format!("{key}.paging.size_parameter: expected the name of a parameter, found nothing"),
        ]
    );
    assert_eq!(
        paging("{ cursor = '', next = 'a~2' }"),
        [
            format!(r#"{key}.paging.cursor: expected the name of a parameter, found """#),
            format!(r#"{key}.paging.next: expected a JSON pointer such as "/data", found "a~2""#),
        ]
    );
    let files = |text: &str| {
        datapoint_faults("files", &format!("match = {{ a = 'email' }}\nfiles = {text}"))
    };
    let key = "8: silo.s.datapoint.d.files";
    assert_eq!(
        files("{ pattern = 'a.txt' }"),
        [format!(r#"{key}.format: expected "csv", "ndjson", "json" or "parquet", found nothing"#)]
    );
    assert_eq!(
        files("{ pattern = '/a/../b.json', delimiter = ';' }"),
        [
            format!(
                r#"{key}.delimiter: expected `delimiter` only where format = "csv", found "json""#
            ),
            format!(
                r#"{key}.pattern: expected names below the location such as "events/*.csv.gz", found "/a/../b.json""#
            ),
        ]
    );
    for bad in [";;", "\"", "é", ""] {
        assert_eq!(
            files(&format!("{{ pattern = 'a.csv', delimiter = '{bad}' }}")).len(),
            1,
            "{bad}"
        );
    }
    assert_eq!(
        datapoint_faults("files", "attachment = { path = 'docs/{email}*.pdf' }"),
        [
            "7: silo.s.datapoint.d.attachment.path: expected `/` or another character between a placeholder and a glob, \
             found \"docs/{email}*.pdf\""
        ]
    );
    for bad in ["../{email}", "/{email}", "a//{email}"] {
        assert_eq!(
            datapoint_faults("files", &format!("attachment = {{ path = '{bad}' }}")).len(),
            1
        );
    }
    assert_eq!(
        datapoint_faults("files", "attachment = { path = '{email}', media_type = 'png' }").len(),
        1
    );
}

#[test]
fn identifiers_of_templates_that_nothing_provides_are_warned_of() {
    let (_folder, loaded) = load_text(
        "[[silo]]\nname = 's'\ntype = 'http'\nbase_url = 'https://a.example'\nheaders = { x-api-token = 'a' }\n\
         [[silo.datapoint]]\nname = 'd'\nendpoint = { path = '/{loyalty}', query = { a = '{nickname}', b = '{email}' } }\n",
    );
    let loaded = loaded.unwrap_or_else(|faults| unreachable!("{faults}"));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|line| line
                .starts_with("a.toml:5: silo.s.headers.x-api-token: looks like a secret")),
        "{warnings:?}"
    );
    for (key, name) in [("path", "loyalty"), ("query.a", "nickname")] {
        let line =
            format!("a.toml:8: silo.s.datapoint.d.endpoint.{key}: no datapoint provides {name:?}");
        assert!(warnings.iter().any(|warning| warning.starts_with(&line)), "{line}: {warnings:?}");
    }
    assert!(!warnings.iter().any(|line| line.contains("\"email\"")), "{warnings:?}");
}

#[test]
fn metrics_stay_on_this_machine_unless_settings_say_otherwise() {
    assert_eq!(
        faults("[metrics]\nlisten = '0.0.0.0:9464'\n"),
        [
            "2: metrics.listen: expected a loopback address, or metrics.insecure_http = true (metrics are answered to anybody, in plain HTTP), found \"0.0.0.0:9464\""
        ]
    );
    let (_folder, loaded) = whole("[metrics]\nlisten = '[::1]:9464'\n");
    assert_eq!(loaded.settings.metrics.listen, Some("[::1]:9464".parse().unwrap()));
    let (_folder, loaded) = whole("[metrics]\nlisten = '0.0.0.0:0'\ninsecure_http = true\n");
    assert!(loaded.settings.metrics.insecure_http);
    let (_folder, loaded) = whole("");
    assert_eq!(loaded.settings.metrics.listen, None);
}
