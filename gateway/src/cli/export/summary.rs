//! What came of an export? In words and as JSON.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use antumbra_bundle::{Manifest, SectionContent, hex};
use antumbra_jobs::{Delivery, Published};
use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::words::{bytes, count, plural};

/// A zip that was written.
#[derive(Debug)]
pub(super) struct Summary {
    path: PathBuf,
    delivery: Delivery,
    manifest: Manifest,
}

impl Summary {
    /// Reads what was published.
    ///
    /// # Errors
    /// When the manifest is not of this version.
    pub(super) fn of(
        path: &Path,
        published: &Published,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        let manifest = serde_json::from_slice(&published.manifest)
            .context("the published manifest cannot be read")?;
        Ok(Self { path: path.to_owned(), delivery, manifest })
    }

    /// Says with which code the process ends.
    pub(super) const fn exit(&self) -> Exit {
        if self.delivery.partial { Exit::Partial } else { Exit::Done }
    }

    /// Words it for people: a line for each section, then the whole.
    pub(super) fn text(&self) -> String {
        let sections = &self.manifest.content.sections;
        let width = sections.iter().map(|section| name(section).chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for section in sections {
            let came = match &section.reason {
                None => plural(section.rows, "row"),
                Some(reason) => reason.clone(),
            };
            line(
                &mut text,
                format_args!("{:<11}  {:width$}  {came}", section.outcome, name(section)),
            );
        }
        line(&mut text, format_args!("rows           {}", count(self.rows())));
        line(&mut text, format_args!("contentSha256  {}", self.manifest.content_sha256));
        line(&mut text, format_args!("sha256         {}", hex(&self.delivery.bundle_sha256)));
        let size = bytes(self.delivery.bundle_len);
        line(&mut text, format_args!("written        {} ({size})", self.path.display()));
        let failed: Vec<String> = self.failed().map(name).collect();
        if self.delivery.partial {
            line(&mut text, format_args!("PARTIAL: without {}", failed.join(", ")));
        }
        text
    }

    /// Words it for programs.
    pub(super) fn json(&self) -> Value {
        let sections: Vec<Value> = self
            .manifest
            .content
            .sections
            .iter()
            .map(|section| {
                json!({
                    "silo": section.silo,
                    "datapoint": section.datapoint,
                    "outcome": section.outcome,
                    "rows": section.rows,
                    "code": section.code,
                    "reason": section.reason,
                })
            })
            .collect();
        json!({
            "event": "result",
            "outcome": self.manifest.content.outcome,
            "partial": self.delivery.partial,
            "path": self.path.to_string_lossy(),
            "bytes": self.delivery.bundle_len,
            "sha256": hex(&self.delivery.bundle_sha256),
            "contentSha256": self.manifest.content_sha256,
            "rows": self.rows(),
            "sections": sections,
        })
    }

    fn rows(&self) -> u64 {
        self.manifest.content.sections.iter().map(|section| section.rows).sum()
    }

    fn failed(&self) -> impl Iterator<Item = &SectionContent> {
        self.manifest.content.sections.iter().filter(|section| section.outcome == "failed")
    }
}

fn name(section: &SectionContent) -> String {
    format!("{}/{}", section.silo, section.datapoint)
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    let _infallible = writeln!(text, "{words}");
}
