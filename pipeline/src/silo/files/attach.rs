//! Which files does a path template select, and how can no identifier lead it out of its folder?

use std::collections::BTreeMap;

use antumbra_config::Attachment;

use super::fault;
use super::job::{folder_of, matcher};
use super::place::{Found, Place};
use crate::silo::{Attached, Identifiers, SectionSpec};
use crate::{SiloError, Value};

/// What a template selects.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) files: Vec<Attached>,
    /// What people should know, without a value.
    pub(super) notes: Vec<String>,
}

/// Looks for the files of a section, ascending by name, each once.
pub(super) async fn select(
    place: &Place,
    section: &SectionSpec,
    attachment: &Attachment,
    known: &Identifiers,
) -> Result<Selected, SiloError> {
    if section.window.is_some() || !section.filters.is_empty() {
        let what = "attachments have no columns: neither a window nor a filter can narrow them";
        return Err(fault::settings(what));
    }
    let template = Template::parse(&attachment.path);
    let names = template.names(if section.tenant_wide { None } else { Some(known) })?;
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let (mut refused, mut absent) = (0_u64, 0_u64);
    for name in names {
        match name {
            Name::Unsafe => refused += 1,
            Name::Plain(name) => match place.find(&name).await? {
                Some(file) => drop(found.insert(file.name.clone(), file)),
                None => absent += 1,
            },
            Name::Glob(glob) => {
                let matcher = matcher(&glob)?;
                let files = place.list(folder_of(&glob), &matcher).await?;
                absent += u64::from(files.is_empty());
                found.extend(files.into_iter().map(|file| (file.name.clone(), file)));
            }
        }
    }
    let mut notes = Vec::new();
    if refused > 0 {
        notes.push(format!(
            "{refused} values of identifiers cannot be a part of a file's name: no file was looked for"
        ));
    }
    if absent > 0 && !section.tenant_wide {
        notes.push(format!("no file for {absent} values of identifiers"));
    }
    let files = found.into_values().map(|file| Attached {
        media_type: attachment.media_type.clone(),
        name: file.name,
        len: file.len,
        version: Some(file.version),
    });
    Ok(Selected { files: files.collect(), notes })
}

/// Looks once into the folder that all files of a template are in, and says whether nothing is there.
pub(super) async fn is_empty(place: &Place, path: &str) -> Result<bool, SiloError> {
    for name in Template::parse(path).names(None)? {
        if let Name::Glob(glob) = name
            && place.has_any(folder_of(&glob)).await?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The file that was listed as an attachment.
pub(super) fn found(attached: &Attached) -> Found {
    Found {
        name: attached.name.clone(),
        len: attached.len,
        version: attached.version.clone().unwrap_or_default(),
    }
}

/// A path with placeholders.
struct Template {
    pieces: Vec<Piece>,
    /// It holds globs outside of its placeholders.
    glob: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    Text(String),
    Placeholder(String),
    /// A placeholder that is the whole last part of the path. Columns that hold keys hold folders too: a value may have slashes.
    /// Nowhere else: a folder that is named by a person must not become a folder of another.
    Last(String),
}

/// Makes the placeholder at the end of a path one that takes slashes, if it has its part of the path for itself.
fn make_last(pieces: &mut [Piece]) {
    if let [before @ .., last @ Piece::Placeholder(_)] = pieces
        && let Some(Piece::Text(text)) = before.last()
        && (text.ends_with('/') || (text.is_empty() && before.len() == 1))
        && let Piece::Placeholder(name) = last
    {
        *last = Piece::Last(std::mem::take(name));
    }
}

/// What a template becomes with one value for each placeholder.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Plain(String),
    Glob(String),
    /// A value that would make another path of it.
    Unsafe,
}

impl Template {
    fn parse(path: &str) -> Self {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = path;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '{' | '}' if after.starts_with(c) => {
                    text.push(c);
                    rest = after.get(1..).unwrap_or_default();
                }
                '{' if after.contains('}') => {
                    let (name, after) = after.split_once('}').unwrap_or_default();
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Placeholder(name.to_owned()));
                    rest = after;
                }
                _ => {
                    text.push(c);
                    rest = after;
                }
            }
        }
        if text.is_empty() {
            make_last(&mut pieces);
        }
        pieces.push(Piece::Text(text));
        let glob = pieces.iter().any(|piece| match piece {
            Piece::Text(text) => text.contains(['*', '?', '[']),
            Piece::Placeholder(_) | Piece::Last(_) => false,
        });
        Self { pieces, glob }
    }

    /// Returns every name, for each combination of values; `None`: every value there may be.
    fn names(&self, known: Option<&Identifiers>) -> Result<Vec<Name>, SiloError> {
        let Some(known) = known else {
            let glob = self.pieces.iter().map(|piece| match piece {
                Piece::Text(text) => self.literal(text),
                Piece::Placeholder(_) => "*".to_owned(),
                Piece::Last(_) => "**/*".to_owned(),
            });
            return Ok(vec![Name::Glob(glob.collect())]);
        };
        let mut names: Vec<Option<String>> = vec![Some(String::new())];
        let mut values: BTreeMap<&Piece, Vec<Option<String>>> = BTreeMap::new();
        for piece in &self.pieces {
            let is_sound = match piece {
                Piece::Text(_) => continue,
                Piece::Placeholder(_) => is_part,
                Piece::Last(_) => is_path,
            };
            if let Piece::Placeholder(name) | Piece::Last(name) = piece {
                let known = known.get(name).map_or(&[][..], Vec::as_slice);
                values.insert(piece, texts(name, known, is_sound));
            }
        }
        for piece in &self.pieces {
            names = match piece {
                Piece::Text(text) => {
                    let text = if self.glob { self.literal(text) } else { text.clone() };
                    names.into_iter().map(|name| name.map(|name| name + &text)).collect()
                }
                Piece::Placeholder(_) | Piece::Last(_) => {
                    let of_name = values.get(piece).map_or(&[][..], Vec::as_slice);
                    let mut longer = Vec::with_capacity(names.len().saturating_mul(of_name.len()));
                    for name in &names {
                        for value in of_name {
                            longer.push(name.as_ref().zip(value.as_ref()).map(|(name, value)| {
                                if self.glob {
                                    format!("{name}{}", globset::escape(value))
                                } else {
                                    format!("{name}{value}")
                                }
                            }));
                        }
                        if longer.len() > MOST_NAMES {
                            return Err(fault::settings(
                                "a path's placeholders have too many values together",
                            ));
                        }
                    }
                    longer
                }
            };
        }
        Ok(names
            .into_iter()
            .map(|name| match name {
                Some(name) if self.glob => Name::Glob(name),
                Some(name) => Name::Plain(name),
                None => Name::Unsafe,
            })
            .collect())
    }

    /// A text of the template as a part of a glob: braces stand for themselves.
    fn literal(&self, text: &str) -> String {
        if self.glob { text.replace('{', "[{]").replace('}', "[}]") } else { globset::escape(text) }
    }
}

/// The values of an identifier as parts of a name; `None` for one that is not sound there.
fn texts(identifier: &str, values: &[Value], is_sound: fn(&str) -> bool) -> Vec<Option<String>> {
    let mut texts: Vec<Option<String>> = Vec::new();
    for value in values {
        let mut add = |text: Option<String>| {
            let text = text.filter(|text| is_sound(text));
            if !texts.contains(&text) || text.is_none() {
                texts.push(text);
            }
        };
        match value {
            Value::Text(text) => {
                add(Some(text.clone()));
                let lower = text.to_lowercase();
                if identifier == "email" && lower != *text {
                    add(Some(lower));
                }
            }
            Value::Integer(number) => add(Some(number.to_string())),
            Value::Real(bits) => add(Some(f64::from_bits(*bits).to_string())),
            Value::Bytes(_) => add(None),
        }
    }
    texts
}

/// A value stays in its place of a path: it is no folder of its own and no way out of one.
fn is_part(text: &str) -> bool {
    !text.is_empty()
        && !matches!(text, "." | "..")
        && !text.contains("..")
        && !text.contains(['/', '\\'])
        && !text.chars().any(char::is_control)
}

/// A value that is a path stays below where it is put.
fn is_path(text: &str) -> bool {
    text.split('/').all(is_part)
}

/// Names that a template may become.
const MOST_NAMES: usize = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(path: &str, values: &[&str]) -> Vec<Name> {
        let values = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
        let known = [("id".to_owned(), values)].into();
        Template::parse(path).names(Some(&known)).unwrap()
    }

    #[test]
    fn values_take_their_places() {
        let plain = |name: &str| Name::Plain(name.to_owned());
        assert_eq!(names("a/{id}.png", &["7", "8"]), [plain("a/7.png"), plain("a/8.png")]);
        assert_eq!(names("{{x}}/{id}", &["7"]), [plain("{x}/7")]);
        assert_eq!(names("a/{id}.png", &["*"]), [plain("a/*.png")]);
        assert_eq!(names("a/{id}", &[]), []);
    }

    #[test]
    fn a_value_is_no_glob_and_no_way_out() {
        let Name::Glob(glob) = &names("a/{id}/*.pdf", &["*"])[0] else { panic!("no glob") };
        let glob = matcher(glob).unwrap();
        assert!(glob.is_match("a/*/x.pdf") && !glob.is_match("a/b/x.pdf"));
        for value in ["..", ".", "../x", "a/b", "a\\b", "", "a\0b", "a\nb", "x..y"] {
            assert_eq!(names("a/{id}/*.pdf", &[value]), [Name::Unsafe], "{value:?}");
            assert_eq!(names("a/{id}.pdf", &[value]), [Name::Unsafe], "{value:?}");
        }
    }

    #[test]
    fn keys_with_folders_take_the_last_place_and_no_other() {
        let plain = |name: &str| Name::Plain(name.to_owned());
        for path in ["{id}", "up/{id}", "{{x}}/{id}"] {
            let at = path.replace("{id}", "").replace("{{x}}", "{x}");
            assert_eq!(names(path, &["2024/7.png"]), [plain(&format!("{at}2024/7.png"))], "{path}");
            for value in ["/7", "7/", "a//7", "a/../7", "./7", "a/.", "a\\7", "a/\n", "", "/"] {
                assert_eq!(names(path, &[value]), [Name::Unsafe], "{path} {value:?}");
            }
        }
        for path in ["a-{id}", "{id}/", "{id}/x", "{id}.png", "a/{id}{{", "{id}{id}", "{id}/*"] {
            assert!(names(path, &["8/x"]).iter().all(|name| *name == Name::Unsafe), "{path}");
        }
        let all = Template::parse("up/{id}").names(None).unwrap();
        let [Name::Glob(glob)] = &all[..] else { panic!("no glob") };
        let glob = matcher(glob).unwrap();
        assert!(glob.is_match("up/7.png") && glob.is_match("up/2024/7.png"));
        assert!(!glob.is_match("other/7.png"));
    }

    #[test]
    fn a_tenant_has_the_files_of_every_value() {
        for (path, inside, outside) in [
            ("a/{id}.png", "a/7.png", "b/7.png"),
            ("a[1]/{id}.png", "a1/7.png", "a2/7.png"),
            ("a/{id}/*.png", "a/7/x.png", "a/x.png"),
            ("a/{{{id}}}.png", "a/{7}.png", "a/7.png"),
        ] {
            let names = Template::parse(path).names(None).unwrap();
            let [Name::Glob(glob)] = &names[..] else { panic!("no glob") };
            let glob = matcher(glob).unwrap();
            assert!(glob.is_match(inside) && !glob.is_match(outside), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_value_stays_in_its_folder(value in any::<String>()) {
            for name in names("a/{id}/b.png", &[&value]) {
                if let Name::Plain(name) = name {
                    prop_assert!(name.starts_with("a/") && name.ends_with("/b.png"));
                    prop_assert_eq!(name.split('/').count(), 3);
                }
            }
            for name in names("a/{id}", &[&value]) {
                if let Name::Plain(name) = name {
                    let sound = |part: &str| !part.is_empty() && !part.contains("..");
                    prop_assert!(name.starts_with("a/") && name.split('/').all(sound), "{name:?}");
                }
            }
            for name in names("a/{id}/*.png", &[&value]) {
                if let Name::Glob(glob) = name {
                    let inside = format!("a/{value}/b.png");
                    prop_assert!(matcher(&glob).unwrap().is_match(inside));
                }
            }
        }
    }
}
