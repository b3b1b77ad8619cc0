//! The sources are a DuckDB file and a Flight SQL server, each behind its ADBC driver: every value arrives in every format as other readers of
//! the same data have it, whether a driver binds parameters or not, and a driver that is none is named before anything is served.

use std::fs;

use antumbra_e2e::{Caller, House, Needles, Sail, Scale, Serve, checker, duckdb, left_out};
use anyhow::ensure;

#[tokio::test]
async fn every_value_is_in_every_format_as_its_source_has_it() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    let sail = Sail::start()?;
    house.set_silos(&format!("{}{}", duck(&sail)?, lake(&sail)))?;
    let checked = house.antumbra(&["silo", "check"])?.ok()?;
    ensure!(checked.contains("duck") && checked.contains("lake"), "{checked}");
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
    caller.downloadable(&request).await?;
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(&request).await?)?;
    assert!(house.verified(&zip)?.contains("VERIFIED"));
    let zip = zip.display().to_string();
    for (section, source) in [("duck/nasty", "shop.duckdb"), ("lake/nasty", "nasty.parquet")] {
        let said = checker("check_adbc.py", &[&zip, section, &sail.path(source)])?;
        eprintln!("{}", said.trim());
    }
    let secret = Needles::new(["\\ canary".to_owned()])?;
    // The driver's library is still loaded, and some have threads of their own: the daemon ends all the same.
    assert_eq!(daemon.terminate().await?, 0);
    for folder in ["data", "logs", "tmp"] {
        let (found, _) = secret.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "in clear in {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn driver_that_is_none_is_named_before_anything_is_served() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let text = house.path("driver.so");
    fs::write(&text, "no library")?;
    for driver in [text, house.path("gone.so")] {
        let driver = driver.display().to_string();
        house.set_silos(&format!(
            "[[silo]]\nname = \"lake\"\ntype = \"adbc\"\ndriver = \"{driver}\"\n{PEOPLE}"
        ))?;
        for command in [&["silo", "check"][..], &["serve"]] {
            let ran = house.antumbra(command)?;
            ensure!(ran.code != 0, "{command:?} ended well");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            ensure!(said.contains("lake") && said.contains(&driver), "{command:?}: {said}");
        }
    }
    Ok(())
}

fn duck(sail: &Sail) -> anyhow::Result<String> {
    Ok(format!(
        "[[silo]]\nname = \"duck\"\ntype = \"adbc\"\ndriver = \"{}\"\nentrypoint = \"duckdb_adbc_init\"\n\
         options = {{ path = \"{}\", access_mode = \"read_only\", temp_directory = \"\" }}\n{PEOPLE}{NASTY}",
        duckdb()?.display(),
        sail.path("shop.duckdb")
    ))
}

fn lake(sail: &Sail) -> String {
    format!(
        "\n[[silo]]\nname = \"lake\"\ntype = \"adbc\"\ndriver = \"{}\"\noptions = {{ uri = \"{}\" }}\n{NASTY}{ASKED}",
        sail.driver(),
        sail.uri()
    )
}

const PEOPLE: &str = r#"
[[silo.datapoint]]
name = "people"
table = "people"
match = { email = "email", loyalty = "coreIdentifier" }
provides = { customer_id = "id" }
"#;

const NASTY: &str = r#"
[[silo.datapoint]]
name = "nasty"
table = "nasty"
match = { person = "customer_id" }
"#;

const ASKED: &str = r#"
[[silo.datapoint]]
name = "asked"
query = "select * from people where email in (:email) or loyalty = :coreIdentifier -- :nobody"
"#;
