//! What does `antumbra plan` do, in order?

use antumbra_config::Settings;
use antumbra_jobs::{Clock as _, Request, SystemClock};
use antumbra_pipeline::plan::{Outline, preview, tenant_secret};
use antumbra_pipeline::silo::Silos;

use super::text::text;
use crate::app;
use crate::cli::args::PlanArgs;
use crate::cli::selection::{Selection, formats};
use crate::cli::{Exit, logs, note, say, settings};

/// Plans and prints. Ends with 1 when a section could not be looked at.
pub(in crate::cli) async fn plan(args: &PlanArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(&args.settings)?;
    logs::init(&logs::quiet(&heard.loaded.settings.log))?;
    let settings = &heard.loaded.settings;
    let selection = Selection::read(&args.selection, settings)?;
    let formats = formats(&args.formats, settings);
    let outline = outline(settings, &heard.sources.environment, &selection, formats).await?;
    if args.json {
        say(serde_json::to_string(&outline)?)?;
    } else {
        say(text(&outline).trim_end())?;
    }
    if outline.is_whole() {
        return Ok(Exit::Done);
    }
    note("antumbra: there are sections that could not be looked at");
    Ok(Exit::Failed)
}

/// Plans as a job would. Without the daemon's keys the plan has no hash.
async fn outline(
    settings: &Settings,
    environment: &[(String, String)],
    selection: &Selection,
    formats: Vec<String>,
) -> anyhow::Result<Outline> {
    let silos = Silos::open(&settings.silos, environment)?;
    let request = Request { formats, ..selection.to_plan(SystemClock.now()) };
    let secret = match app::open_ring(&settings.keys, environment).await {
        Ok(ring) => Some(tenant_secret(&ring, selection.tenant().as_str())?),
        Err(error) => {
            note(format_args!("antumbra: the plan has no hash: {error:#}"));
            None
        }
    };
    Ok(preview(&request, settings, &silos, secret.as_ref()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{SelectionArgs, WhoArgs};
    use crate::cli::testing::Shop;

    fn selection(shop: &Shop, email: &str) -> Selection {
        let who = WhoArgs { email: Some(email.parse().unwrap()), ..WhoArgs::default() };
        let args = SelectionArgs { who, tenant: None, window: Default::default() };
        Selection::read(&args, &shop.settings).unwrap()
    }

    #[tokio::test]
    async fn a_plan_counts_what_it_finds_and_prints_no_value() {
        let shop = Shop::new().await;
        let selection = selection(&shop, "ada@example.org");
        let outline = outline(&shop.settings, &[], &selection, vec![]).await.unwrap();
        assert!(outline.is_whole());
        let text = text(&outline);
        for part in [
            "email        1 given\n",
            "customer_id  1 found by shop/customers (id)",
            "shop/orders  3 rows",
            r#"select * from "orders" where "customer_id" in (:customer_id)"#,
            "order     id, proven unique",
            "redacted  note (drop)",
            "shop/orphans  unreachable: no value of nobody_knows is known",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let json = serde_json::to_string(&outline).unwrap();
        for shown in [&text, &json] {
            assert!(!shown.contains("ada@"), "{shown}");
            assert!(!shown.contains("4711081500"), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_provider_that_finds_nothing_is_named() {
        let shop = Shop::new().await;
        let selection = selection(&shop, "nobody@example.org");
        let text = text(&outline(&shop.settings, &[], &selection, vec![]).await.unwrap());
        assert!(text.contains("customer_id  none found by shop/customers (id)"), "{text}");
        assert!(
            text.contains("shop/orders  unreachable: no value of customer_id is known"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_section_that_cannot_be_looked_at_is_named_with_its_fault() {
        let shop = Shop::new().await;
        shop.sql("drop table orders");
        let outline = outline(&shop.settings, &[], &selection(&shop, "ada@example.org"), vec![])
            .await
            .unwrap();
        assert!(!outline.is_whole());
        let text = text(&outline);
        assert!(text.contains("shop/orders  silo_missing: "), "{text}");
    }
}
