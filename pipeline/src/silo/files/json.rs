//! How are items found in a JSON document or in lines of JSON, one at a time?

use std::io::{BufRead, Read as _};

use super::fault;
use crate::SiloError;
use crate::silo::items::{text_of, whole};

/// What is done with an item; its number counts from 1 in the file.
pub(super) type Each<'a> = dyn FnMut(u64, &str) -> Result<(), SiloError> + 'a;

/// Calls `each` for every line that is not blank.
pub(super) fn lines(mut bytes: impl BufRead, each: &mut Each<'_>) -> Result<(), SiloError> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let read = bytes.by_ref().take(MAX_ITEM as u64).read_until(b'\n', &mut line);
        if read.map_err(|error| fault::of_read(&error))? == 0 {
            return Ok(());
        }
        number += 1;
        let place = |what: &str| damaged(&format!("line {number} {what}"));
        if line.len() == MAX_ITEM {
            return Err(place("is longer than 64 MiB"));
        }
        let text = std::str::from_utf8(&line).map_err(|_| place("is not UTF-8"))?;
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if !text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            each(number, whole(text).map_err(|_| place("is not one JSON value"))?)?;
        }
    }
}

/// Calls `each` for every item of the list that `pointer` leads to; what is no list is one item, `null` is none.
///
/// The document is never held as a whole: what is passed over is only looked at for its end.
pub(super) fn document(
    bytes: impl BufRead,
    pointer: &str,
    each: &mut Each<'_>,
) -> Result<(), SiloError> {
    let mut scanner = Scanner { bytes };
    if scanner.peek()? == Some(BOM[0]) {
        BOM.iter().try_for_each(|byte| scanner.expect(*byte))?;
    }
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let steps: Vec<String> = steps.collect();
    let mut token = Vec::new();
    let mut list = Items { number: 0, token: &mut token, each };
    if !list.follow(&mut scanner, &steps)? {
        return Err(damaged(&format!("nothing is at {pointer}")));
    }
    match scanner.next_token()? {
        None => Ok(()),
        Some(_) => Err(no_document()),
    }
}

/// Hands items out.
struct Items<'a, 'b> {
    number: u64,
    token: &'a mut Vec<u8>,
    each: &'a mut Each<'b>,
}

impl Items<'_, '_> {
    /// Follows a pointer from the value that comes next, which is read to its end; says whether it led anywhere.
    fn follow(
        &mut self,
        scanner: &mut Scanner<impl BufRead>,
        steps: &[String],
    ) -> Result<bool, SiloError> {
        let first = scanner.next_token()?;
        let Some((step, steps)) = steps.split_first() else {
            if first == Some(b'[') {
                scanner.parts(b'[', b']', |scanner, _| self.item(scanner))?;
            } else if first == Some(b'n') {
                self.token.clear();
                scanner.value(Some(&mut *self.token))?;
                if *self.token != b"null" {
                    return Err(no_document());
                }
            } else {
                self.item(scanner)?;
            }
            return Ok(true);
        };
        let mut found = false;
        match first {
            Some(b'{') => scanner.parts(b'{', b'}', |scanner, _| {
                self.token.clear();
                scanner.value(Some(&mut *self.token))?;
                let name = std::str::from_utf8(self.token).ok().and_then(text_of);
                let name = name.ok_or_else(no_document)?;
                let wanted = !found && *name == **step;
                drop(name);
                if scanner.next_token()? != Some(b':') {
                    return Err(no_document());
                }
                scanner.expect(b':')?;
                if wanted {
                    found = self.follow(scanner, steps)?;
                    return Ok(());
                }
                scanner.next_token()?;
                scanner.value(None)
            })?,
            Some(b'[') => scanner.parts(b'[', b']', |scanner, index| {
                if step.parse() == Ok(index) {
                    found = self.follow(scanner, steps)?;
                    return Ok(());
                }
                scanner.value(None)
            })?,
            _ => scanner.value(None)?,
        }
        Ok(found)
    }

    fn item(&mut self, scanner: &mut Scanner<impl BufRead>) -> Result<(), SiloError> {
        self.number += 1;
        self.token.clear();
        scanner.value(Some(&mut *self.token))?;
        let place = |what: &str| damaged(&format!("item {} {what}", self.number));
        let text = std::str::from_utf8(self.token).map_err(|_| place("is not UTF-8"))?;
        (self.each)(self.number, whole(text).map_err(|_| place("is not one JSON value"))?)
    }
}

/// Finds where values end.
struct Scanner<R> {
    bytes: R,
}

impl<R: BufRead> Scanner<R> {
    fn peek(&mut self) -> Result<Option<u8>, SiloError> {
        let bytes = self.bytes.fill_buf().map_err(|error| fault::of_read(&error))?;
        Ok(bytes.first().copied())
    }

    /// Returns the first byte of what comes next, whitespace passed over; it is not taken.
    fn next_token(&mut self) -> Result<Option<u8>, SiloError> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.bytes.consume(1);
        }
        Ok(None)
    }

    fn expect(&mut self, byte: u8) -> Result<(), SiloError> {
        if self.peek()? != Some(byte) {
            return Err(no_document());
        }
        self.bytes.consume(1);
        Ok(())
    }

    /// Takes a list of parts between brackets; `part` takes each.
    fn parts(
        &mut self,
        open: u8,
        close: u8,
        mut part: impl FnMut(&mut Self, usize) -> Result<(), SiloError>,
    ) -> Result<(), SiloError> {
        self.expect(open)?;
        if self.next_token()? == Some(close) {
            return self.expect(close);
        }
        for index in 0.. {
            self.next_token()?;
            part(self, index)?;
            match self.next_token()? {
                Some(b',') => self.expect(b',')?,
                _ => return self.expect(close),
            }
        }
        Ok(())
    }

    /// Takes one value, and keeps its bytes if they are wanted.
    fn value(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), SiloError> {
        let (mut depth, mut in_string, mut escaped, mut begun) = (0_usize, false, false, false);
        loop {
            let bytes = self.bytes.fill_buf().map_err(|error| fault::of_read(&error))?;
            if bytes.is_empty() {
                // A number at the end of the document; everything else has an end of its own.
                let plain = begun && depth == 0 && !in_string;
                return if plain { Ok(()) } else { Err(no_document()) };
            }
            let mut end = None;
            for (index, byte) in bytes.iter().enumerate() {
                if in_string {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => {
                            in_string = false;
                            if depth == 0 {
                                end = Some(index + 1);
                                break;
                            }
                        }
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 1 => {
                        end = Some(index + 1);
                        break;
                    }
                    b'}' | b']' if depth > 1 => depth -= 1,
                    b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => {
                        end = Some(index);
                        break;
                    }
                    _ => {}
                }
                begun = true;
            }
            let taken = end.unwrap_or(bytes.len());
            if let Some(kept) = &mut kept {
                if kept.len() + taken > MAX_ITEM {
                    return Err(damaged("an item is longer than 64 MiB"));
                }
                kept.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            }
            self.bytes.consume(taken);
            if end.is_some() {
                let empty = !begun && taken == 0;
                return if empty { Err(no_document()) } else { Ok(()) };
            }
        }
    }
}

fn no_document() -> SiloError {
    damaged("it is not a JSON document")
}

fn damaged(reason: &str) -> SiloError {
    SiloError::Corrupt { reason: reason.to_owned() }
}

/// Bytes of an item at most.
const MAX_ITEM: usize = 64 << 20;
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str, pointer: &str) -> Result<Vec<String>, SiloError> {
        let mut items = Vec::new();
        document(text.as_bytes(), pointer, &mut |number, item| {
            items.push(item.to_owned());
            assert_eq!(items.len() as u64, number);
            Ok(())
        })?;
        Ok(items)
    }

    #[test]
    fn a_pointer_leads_to_the_items() {
        assert_eq!(items(r#"[{"a":1}, 2 ]"#, "").unwrap(), [r#"{"a":1}"#, "2"]);
        let text = r#" {"x":[9],"a/b":{"~":[[],{"c":[1e2, "é"]}]},"y":{"a/b":[7]}} "#;
        assert_eq!(items(text, "/a~1b/~0/1/c").unwrap(), ["1e2", "\"é\""]);
        assert_eq!(
            items(r#" {"b": 1.10, "a":"\u00e9"} "#, "").unwrap(),
            [r#"{"b": 1.10, "a":"\u00e9"}"#]
        );
        assert_eq!(items(r#"{"data":null}"#, "/data").unwrap(), [""; 0]);
        // As most writers put it, what is passed over stands behind a space.
        let text = "{ \"meta\" : {\"data\": [0]}, \"n\":\n1 , \"s\": \"]\", \"data\": [ 1, {\"a\": 2} ] , \"z\": null }";
        assert_eq!(items(text, "/data").unwrap(), ["1", "{\"a\": 2}"]);
    }

    #[test]
    fn what_only_begins_as_null_is_no_document_without_items() {
        assert_eq!(items(" null ", "").unwrap(), [""; 0]);
        for text in ["nothing", "n", "nul", "nullnull", r#"{"data":none}"#] {
            let pointer = if text.starts_with('{') { "/data" } else { "" };
            assert_eq!(items(text, pointer).unwrap_err(), no_document(), "{text}");
        }
    }

    #[test]
    fn what_has_no_items_is_told() {
        for (text, pointer, told) in [
            (r#"{"a":[]}"#, "/b", "nothing is at /b"),
            (r#"{"a":1}"#, "/a/b", "nothing is at /a/b"),
            ("[1,2", "", "it is not a JSON document"),
            ("[1] 2", "", "it is not a JSON document"),
            ("[1,]", "", "it is not a JSON document"),
            ("[1 2]", "", "it is not a JSON document"),
            ("[1,{]}]", "", "item 2 is not one JSON value"),
            (r#"{"a":[1],"b":[}"#, "/a", "it is not a JSON document"),
            (r#"["a"#, "", "it is not a JSON document"),
            ("", "", "it is not a JSON document"),
        ] {
            let error = items(text, pointer).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn an_item_without_an_end_is_given_up() {
        let endless = |start: &'static str| {
            std::io::BufReader::new(start.as_bytes().chain(std::io::repeat(b'1').take(1 << 27)))
        };
        let told = lines(endless("2\n"), &mut |_, _| Ok(())).unwrap_err().to_string();
        assert!(told.ends_with("line 2 is longer than 64 MiB"), "{told}");
        let told = document(endless("[2,"), "", &mut |_, _| Ok(())).unwrap_err().to_string();
        assert!(told.ends_with("an item is longer than 64 MiB"), "{told}");
    }

    #[test]
    fn an_error_of_an_item_stops_the_file() {
        let mut seen = 0;
        let stopped = document(&b"[1,2,3]"[..], "", &mut |_, _| {
            seen += 1;
            if seen == 2 { Err(SiloError::ShapeChanged) } else { Ok(()) }
        });
        assert_eq!((stopped, seen), (Err(SiloError::ShapeChanged), 2));
    }

    #[test]
    fn lines_are_items() {
        let mut items = Vec::new();
        let text = "\u{feff}{\"a\":1}\r\n\n [2] \n3";
        lines(text.as_bytes(), &mut |number, item| {
            items.push((number, item.to_owned()));
            Ok(())
        })
        .unwrap();
        let wanted = [(1, "{\"a\":1}"), (3, "[2]"), (4, "3")];
        assert_eq!(items, wanted.map(|(number, text)| (number, text.to_owned())));
        for (text, told) in [
            (&b"1\n{\"a\":\n"[..], "line 2 is not one JSON value"),
            (b"1 2\n", "line 1 is not one JSON value"),
            (b"\xff\n", "line 1 is not UTF-8"),
        ] {
            let error = lines(text, &mut |_, _| Ok(())).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
