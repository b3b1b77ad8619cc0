//! What exactly would be sent for a grant: which bytes, under which name, length and tag?

use antumbra_bundle::{ContentEncoding, hex};
use antumbra_jobs::{GRANT_BUNDLE, Grant, RequestId};
use antumbra_pipeline::OpenBundle;
use http::{HeaderMap, HeaderValue, header};

use super::disposition::attachment;
use super::encoding::negotiate;

/// One form of one file: its bytes never change, and another form has another tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Representation {
    /// The file's entry name; `None` is the whole zip.
    pub(crate) entry: Option<String>,
    /// As it is, or gzip.
    pub(crate) encoding: ContentEncoding,
    /// Its length in this encoding.
    pub(crate) len: u64,
    /// Its strong entity tag, quotes included.
    pub(crate) etag: String,
    media_type: String,
    name: String,
    varies: bool,
}

impl Representation {
    /// Chooses the form that a grant and the request's headers ask for; `None` when the bundle has no such file.
    pub(crate) fn choose(bundle: &OpenBundle, grant: &Grant, headers: &HeaderMap) -> Option<Self> {
        if grant.file == GRANT_BUNDLE {
            return Some(Self {
                entry: None,
                encoding: ContentEncoding::Identity,
                len: bundle.bundle_len(),
                etag: format!("\"{}\"", hex(&bundle.bundle_sha256())),
                media_type: "application/zip".to_owned(),
                name: bundle_name(grant.request),
                varies: false,
            });
        }
        let file = bundle.file(&grant.file)?;
        let has_gzip = bundle.file_len(&file.entry, ContentEncoding::Gzip).is_some();
        let encoding = negotiate(headers, has_gzip);
        let suffix = match encoding {
            ContentEncoding::Identity => "",
            ContentEncoding::Gzip => "-gzip",
        };
        Some(Self {
            len: bundle.file_len(&file.entry, encoding)?,
            etag: format!("\"{}{suffix}\"", hex(&file.sha256)),
            entry: Some(file.entry.clone()),
            encoding,
            media_type: file.media_type.clone(),
            name: file.entry.clone(),
            varies: has_gzip,
        })
    }

    /// Returns the headers that every answer about it has, 304 included.
    pub(crate) fn validators(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let etag = HeaderValue::try_from(&self.etag).expect("hex digits are a header value");
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.varies {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        headers
    }

    /// Returns the headers of an answer that sends it, or would but for HEAD.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = self.validators();
        let media_type = HeaderValue::try_from(&self.media_type)
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::CONTENT_DISPOSITION, attachment(&self.name));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The report is a page: opened from here it runs nothing and loads nothing.
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
        if self.encoding == ContentEncoding::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers
    }
}

/// Returns the file name of a request's whole bundle.
pub(crate) fn bundle_name(request: RequestId) -> String {
    format!("antumbra-{request}.zip")
}

const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
