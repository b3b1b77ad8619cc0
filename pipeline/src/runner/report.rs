//! What does a person read first? `report/index.html`: who, when, what was found where. No script, no external resource.

use std::fmt::Write;

use antumbra_bundle::{Content, SectionContent};
use antumbra_jobs::{Job, Request};
use jiff::Timestamp;

/// The report's name in the bundle.
pub(super) const NAME: &str = "report/index.html";

/// What the report tells.
pub(super) struct Facts<'a> {
    pub(super) request: &'a Request,
    pub(super) job: &'a Job,
    pub(super) content: &'a Content,
    pub(super) made_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Writes the report. Every value is escaped.
pub(super) fn html(facts: &Facts<'_>) -> String {
    let mut page = String::with_capacity(8 << 10);
    page.push_str(HEAD);
    who(&mut page, facts);
    outcome(&mut page, facts.content);
    sections(&mut page, facts.content);
    page.push_str(
        "<p>What each file must hash to is in <a href=\"../manifest.json\">manifest.json</a>; \
         <code>antumbra verify</code> checks the whole archive.</p>\n</main></body></html>\n",
    );
    page
}

fn who(page: &mut String, facts: &Facts<'_>) {
    let details = &facts.request.details;
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ok =
                writeln!(page, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
        }
    };
    row("E-mail", details.email.as_deref().unwrap_or_default());
    row("Identifier", details.core_identifier.as_deref().unwrap_or_default());
    row("Kind of person", &facts.request.subject_type);
    row("Asked for", &facts.request.action);
    row("Asked on", &moment(facts.request.created_at));
    row("Window from", &details.window_start.map(moment).unwrap_or_default());
    row("Window to", &details.window_end.map(moment).unwrap_or_default());
    row("Made on", &moment(facts.made_at));
    row("Can be downloaded until", &moment(facts.expires_at));
    row("Request", &facts.request.id.to_string());
    row("Job", &facts.job.id.to_string());
    row("Formats", &facts.content.formats.join(", "));
    page.push_str("</table>\n");
}

fn outcome(page: &mut String, content: &Content) {
    let found = content.sections.iter().filter(|section| section.outcome == "complete").count();
    let rows: u64 = content.sections.iter().map(|section| section.rows).sum();
    let failed: Vec<String> = content
        .sections
        .iter()
        .filter(|section| section.outcome == "failed")
        .map(|section| format!("{}/{}", section.silo, section.datapoint))
        .collect();
    if failed.is_empty() {
        let _ok = writeln!(page, "<p>{rows} rows were found in {found} places.</p>");
    } else {
        let _ok = writeln!(
            page,
            "<p class=\"failed\"><strong>This answer is not complete.</strong> These places could not be read: {}.</p>",
            escape(&failed.join(", "))
        );
    }
}

fn sections(page: &mut String, content: &Content) {
    page.push_str("<h2>What was found where</h2>\n<table class=\"places\">\n<tr><th>Place</th><th>Outcome</th><th>Rows</th><th>Files</th><th>Remarks</th></tr>\n");
    for section in &content.sections {
        let mut files = String::new();
        for file in content
            .files
            .iter()
            .filter(|file| file.silo == section.silo && file.datapoint == section.datapoint)
        {
            let mut attached = section.attachments.iter().flatten();
            let original = attached
                .find(|attached| attached.name == file.name)
                .map(|attached| attached.original_name.as_str());
            let _ok = write!(
                files,
                "<a href=\"../{}\">{}</a> ",
                escape(&file.name),
                escape(original.unwrap_or(&file.format))
            );
        }
        let _ok = writeln!(
            page,
            "<tr class=\"{}\"><td>{} / {}</td><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&section.outcome),
            escape(&section.silo),
            escape(&section.datapoint),
            escape(&section.outcome),
            section.rows,
            files,
            escape(&remarks(section)),
        );
    }
    page.push_str("</table>\n");
}

fn remarks(section: &SectionContent) -> String {
    let mut remarks: Vec<String> = section.reason.iter().cloned().collect();
    remarks.extend(section.redactions.iter().map(|redaction| {
        format!("{}: {} values {}", redaction.column, redaction.values, withheld(&redaction.how))
    }));
    remarks.extend(section.notes.iter().cloned());
    remarks.join("; ")
}

fn withheld(how: &str) -> &'static str {
    match how {
        "drop" | "unlisted" => "left out",
        "hash" => "replaced by a hash",
        "mask" => "masked",
        "foreign-address" => "without an e-mail address of somebody else",
        _ if how.starts_with("secret:") => "replaced because they have the shape of a secret",
        _ => "shortened",
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Your data</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #1c1c28; background: #f6f6f9; }
main { max-width: 60rem; margin: 2rem auto; padding: 2rem; background: #fff; border-radius: 8px; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid #e3e3ea; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.failed td, p.failed { background: #fdecea; }
p.failed { padding: 1rem; border-left: 4px solid #b3261e; }
</style></head>
<body><main>
<h1>Your data</h1>
<table>
";

#[cfg(test)]
mod tests {
    #[test]
    fn markup_in_values_stays_text() {
        assert_eq!(super::escape("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    }
}
