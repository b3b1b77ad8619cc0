//! How does a section that has files instead of rows get them? Each is copied as it is, piece by piece, into packs of its own.

use antumbra_bundle::{AttachedFile, Method, PackWriter, SegmentWriter};
use antumbra_jobs::{FileRecord, SectionEnd, SectionOutcome, SegmentRecord};
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::collect::Collector;
use super::desk::ABORT;
use super::document::{content, to_document};
use super::raw_packs::Copied;
use super::records;
use super::section::{Stop, unless_stopped};
use super::state::FileState;
use crate::crash_point;
use crate::plan::Planned;
use crate::silo::{Attached, Session};
use crate::{PipelineError, SiloError};

/// The format of a file that is copied as it is.
pub(super) const RAW: &str = "RAW";

impl Collector {
    /// Copies the files of a section. It is committed as a whole: after a crash it begins again.
    pub(super) async fn read_attachments(
        &mut self,
        ordinal: u32,
        planned: &Planned,
    ) -> Result<(), Stop> {
        let stop = self.halt.stop().clone();
        let lent = unless_stopped(&stop, self.sessions.lend(&planned.spec.silo, 1)).await?;
        let mut lent = lent.ok_or_else(|| SiloError::Unavailable {
            reason: "its sessions are in use".to_owned(),
        })?;
        let mut copied = Copied::default();
        let done = self.copy_all(ordinal, planned, lent.session.as_mut(), &mut copied).await;
        self.sessions.give_back(lent);
        if done.is_err() {
            let left = self.raw.give_up(&mut copied, ABORT).await;
            if left > 0 {
                tracing::warn!(job = %self.desk.lease.job, left, "packs of attachments are left");
            }
            // The store knows them then, as far as anything is committed.
            copied.sealed.into_iter().for_each(|object| self.desk.pending.sealed(object));
        }
        done
    }

    async fn copy_all(
        &mut self,
        ordinal: u32,
        planned: &Planned,
        session: &mut dyn Session,
        copied: &mut Copied,
    ) -> Result<(), Stop> {
        let stop = self.halt.stop().clone();
        let (spec, plan) = (&planned.spec, std::sync::Arc::clone(&self.plan));
        let shape = unless_stopped(&stop, session.describe(spec, &plan.identifiers)).await?;
        planned.check_bound(&plan, &shape)?;
        let attached = unless_stopped(&stop, session.attachments(spec, &plan.identifiers)).await?;
        for (number, attached) in (1_u64..).zip(&attached) {
            crash_point("collect.attachment");
            self.copy(planned, number, attached, session, copied).await?;
        }
        if let Some(pack) = copied.pack.take() {
            copied.seal(pack).await?;
        }
        let outcome = if copied.files.is_empty() { "empty" } else { "complete" };
        let mut document = content(planned, Some(&shape), outcome);
        document.attachments = Some(std::mem::take(&mut copied.originals));
        let document = to_document(&document)?;
        self.desk.ledger.progress().bytes_packaged +=
            copied.segments.iter().map(|segment| segment.stored_len).sum::<u64>();
        for object in copied.sealed.drain(..) {
            self.desk.pending.sealed(object);
        }
        let end = SectionEnd {
            section: ordinal,
            rows: 0,
            outcome: SectionOutcome::Done {
                files: std::mem::take(&mut copied.files),
                segments: std::mem::take(&mut copied.segments),
            },
            document,
        };
        Ok(self.end_section(end).await?)
    }

    /// Copies one file.
    async fn copy(
        &mut self,
        planned: &Planned,
        number: u64,
        attached: &Attached,
        session: &mut dyn Session,
        copied: &mut Copied,
    ) -> Result<(), Stop> {
        let stop = self.halt.stop().clone();
        let kind = Kind::of(&attached.name);
        let (silo, datapoint) = (planned.spec.silo.as_str(), planned.spec.datapoint.as_str());
        // The name may be an identifier; the store keeps names of entries as they are.
        let entry = format!("{silo}/{datapoint}/{number:04}.{}", kind.extension);
        let method = if kind.compressed { Method::Stored } else { Method::Deflated };
        let mut writer = SegmentWriter::new(method, self.raw.level);
        let mut state = FileState::default();
        let mut sha256 = Sha256::new();
        let mut bytes = unless_stopped(&stop, session.attachment(attached)).await?;
        while let Some(piece) = unless_stopped(&stop, bytes.try_next()).await? {
            sha256.update(&piece);
            let mut pack = match copied.pack.take() {
                Some(pack) => pack,
                None => self.raw.create().await?,
            };
            let mut written = writer.write(&piece, &mut pack).await.map_err(PipelineError::writing);
            let full = pack.plain_len() >= PACK_LEN;
            if full && written.is_ok() {
                let segments = &mut copied.segments;
                written = end_segment(&mut writer, &mut pack, &entry, &mut state, segments).await;
            }
            match written {
                Ok(()) if full => copied.seal(pack).await?,
                written => {
                    copied.pack = Some(pack);
                    written?;
                }
            }
            crash_point("collect.piece");
        }
        if let Some(pack) = &mut copied.pack {
            end_segment(&mut writer, pack, &entry, &mut state, &mut copied.segments).await?;
        }
        if state.plain_len != attached.len {
            let reason = "a file changed while it was read".to_owned();
            return Err(Stop::Silo(SiloError::Unavailable { reason }));
        }
        copied
            .originals
            .push(AttachedFile { name: entry.clone(), original_name: attached.name.clone() });
        copied.files.push(FileRecord {
            entry,
            silo: silo.to_owned(),
            datapoint: datapoint.to_owned(),
            format: RAW.to_owned(),
            media_type: attached.media_type.clone().unwrap_or_else(|| kind.media_type.to_owned()),
            rows: None,
            deflated: method == Method::Deflated,
            plain_len: state.plain_len,
            stored_len: state.zip_len(method),
            crc32: state.crc32,
            sha256: sha256.finalize().into(),
        });
        Ok(())
    }
}

async fn end_segment(
    writer: &mut SegmentWriter,
    pack: &mut PackWriter,
    entry: &str,
    state: &mut FileState,
    segments: &mut Vec<SegmentRecord>,
) -> Result<(), PipelineError> {
    let segment = writer.finish(pack).await.map_err(PipelineError::writing)?;
    if let Some(segment) = segment {
        let ordinal = state.next_segment;
        state.add(&segment);
        segments.push(records::to_record(entry, ordinal, segment));
    }
    Ok(())
}

/// What a file is, by the end of its name. Ends that are not known are not kept: they could be a part of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    extension: &'static str,
    media_type: &'static str,
    /// Deflate would not make it shorter.
    compressed: bool,
}

impl Kind {
    fn of(name: &str) -> Self {
        let end = name.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
        let known = end.and_then(|(_, end)| {
            KINDS.iter().find(|(extension, ..)| extension.eq_ignore_ascii_case(end))
        });
        let (extension, media_type, compressed) = known.copied().unwrap_or(UNKNOWN);
        Self { extension, media_type, compressed }
    }
}

const UNKNOWN: (&str, &str, bool) = ("bin", "application/octet-stream", false);
const KINDS: [(&str, &str, bool); 53] = [
    ("7z", "application/x-7z-compressed", true),
    ("aac", "audio/aac", true),
    ("avi", "video/x-msvideo", true),
    ("avif", "image/avif", true),
    ("bin", "application/octet-stream", false),
    ("bmp", "image/bmp", false),
    ("bz2", "application/x-bzip2", true),
    ("csv", "text/csv", false),
    ("doc", "application/msword", false),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", true),
    ("eml", "message/rfc822", false),
    ("epub", "application/epub+zip", true),
    ("flac", "audio/flac", true),
    ("gif", "image/gif", true),
    ("gz", "application/gzip", true),
    ("heic", "image/heic", true),
    ("htm", "text/html", false),
    ("html", "text/html", false),
    ("ics", "text/calendar", false),
    ("jpeg", "image/jpeg", true),
    ("jpg", "image/jpeg", true),
    ("json", "application/json", false),
    ("jxl", "image/jxl", true),
    ("m4a", "audio/mp4", true),
    ("md", "text/markdown", false),
    ("mkv", "video/x-matroska", true),
    ("mov", "video/quicktime", true),
    ("mp3", "audio/mpeg", true),
    ("mp4", "video/mp4", true),
    ("ndjson", "application/x-ndjson", false),
    ("odt", "application/vnd.oasis.opendocument.text", true),
    ("ogg", "audio/ogg", true),
    ("opus", "audio/ogg", true),
    ("parquet", "application/vnd.apache.parquet", true),
    ("pdf", "application/pdf", true),
    ("png", "image/png", true),
    ("ppt", "application/vnd.ms-powerpoint", false),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", true),
    ("rar", "application/vnd.rar", true),
    ("rtf", "application/rtf", false),
    ("svg", "image/svg+xml", false),
    ("tar", "application/x-tar", false),
    ("tif", "image/tiff", false),
    ("tiff", "image/tiff", false),
    ("txt", "text/plain", false),
    ("vcf", "text/vcard", false),
    ("wav", "audio/wav", false),
    ("webm", "video/webm", true),
    ("webp", "image/webp", true),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", true),
    ("xml", "application/xml", false),
    ("zip", "application/zip", true),
    ("zst", "application/zstd", true),
];
/// Plain bytes of a pack of attachments: more go into the next one.
const PACK_LEN: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_what_a_file_is_and_never_who() {
        assert_eq!(Kind::of("a/7.PNG").extension, "png");
        assert!(Kind::of("a/7.tar.gz").compressed && !Kind::of("x.txt").compressed);
        for name in ["a/ada.lovelace", "ada@example.com", "a.png/7", "", "."] {
            assert_eq!(Kind::of(name).extension, "bin", "{name}");
        }
    }

    #[test]
    fn kinds_stand_in_order_and_once() {
        let names: Vec<&str> = KINDS.iter().map(|(extension, ..)| *extension).collect();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
    }
}
