//! The export's directory and its lines (FORMATS.md 6).

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::event::ENTRY_MAX;
use super::text::Hash;

/// Bytes of entries that are read and handed on at a time.
const CHUNK: usize = 256 * 1024;

/// What is wrong with the export's files.
pub(super) enum Wrong {
    /// Can't be read.
    Unreadable(String),
    /// Is not what an export is.
    False(&'static str),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::Unreadable(format!("can't be read: {error}"))
    }
}

const NAMES: [&str; 3] = ["entries.jsonl", "checkpoint", "checkpoints.jsonl"];

/// Exactly the three files, regular ones.
pub(super) fn check_names(dir: &Path) -> Result<(), Wrong> {
    let mut there = [false; 3];
    for item in fs::read_dir(dir)? {
        let item = item?;
        let name = item.file_name();
        let known = NAMES.iter().position(|known| name == **known);
        let place = known.and_then(|at| there.get_mut(at));
        *place.ok_or(Wrong::False(
            "the export holds something that does not belong to it",
        ))? = true;
        if !item.file_type()?.is_file() {
            return Err(Wrong::False(
                "the export holds something that is no plain file",
            ));
        }
    }
    match there {
        [true, true, true] => Ok(()),
        [false, _, _] => Err(Wrong::False("`entries.jsonl` is missing")),
        [_, false, _] => Err(Wrong::False("`checkpoint` is missing")),
        _ => Err(Wrong::False("`checkpoints.jsonl` is missing")),
    }
}

/// Opens one of the files, whose kind was checked by [`check_names`].
pub(super) fn open(dir: &Path, name: &str) -> Result<File, Wrong> {
    let file = File::open(dir.join(name))?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(Wrong::False(
            "the export holds something that is no plain file",
        ))
    }
}

/// The whole of a small file; more than `most` bytes are not read.
pub(super) fn small(file: File, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Lines of a small kind, one at a time.
pub(super) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn new(file: File) -> Lines {
        Lines {
            file: BufReader::new(file),
            line: Vec::new(),
        }
    }

    /// The next line without its line feed; `Some(None)` for one that is longer than `most` or has no line feed.
    pub(super) fn next(&mut self, most: usize) -> io::Result<Option<Option<&[u8]>>> {
        self.line.clear();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = (&mut self.file)
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        Ok(Some(self.line.strip_suffix(b"\n")))
    }
}

/// A piece of `entries.jsonl`.
pub(super) enum Piece {
    /// Whole lines with their line feeds.
    Lines(Vec<u8>),
    /// One line that is longer than an entry may be: only its leaf.
    Long(Hash),
    /// A last line without a line feed.
    Cut,
    End,
}

/// `entries.jsonl`, piece by piece. A line is never kept beyond the size that an entry may have.
pub(super) struct Entries {
    file: File,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    ended: bool,
}

impl Entries {
    pub(super) fn new(file: File) -> Entries {
        Entries {
            file,
            rest: Vec::new(),
            ended: false,
        }
    }

    /// The next piece, in `buffer`'s memory if that serves.
    pub(super) fn next(&mut self, mut buffer: Vec<u8>) -> io::Result<Piece> {
        buffer.clear();
        buffer.append(&mut self.rest);
        let mut searched = 0;
        loop {
            let start = buffer.len();
            if !self.ended {
                buffer.resize(start.saturating_add(CHUNK), 0);
                let read = self.fill(buffer.get_mut(start..).unwrap_or_default())?;
                buffer.truncate(start.saturating_add(read));
                self.ended = read == 0;
            }
            let fresh = buffer.get(searched..).unwrap_or_default();
            if let Some(last) = memchr::memrchr(b'\n', fresh) {
                self.rest = buffer.split_off(searched + last + 1);
                return Ok(Piece::Lines(buffer));
            }
            searched = buffer.len();
            if self.ended {
                return Ok(if buffer.is_empty() {
                    Piece::End
                } else {
                    Piece::Cut
                });
            }
            if buffer.len() > ENTRY_MAX {
                return self.long(buffer);
            }
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn long(&mut self, mut buffer: Vec<u8>) -> io::Result<Piece> {
        let mut hasher = Sha256::new();
        hasher.update([0]);
        hasher.update(&buffer);
        loop {
            buffer.resize(CHUNK, 0);
            let read = self.fill(&mut buffer)?;
            buffer.truncate(read);
            if read == 0 {
                self.ended = true;
                return Ok(Piece::Cut);
            }
            match buffer.iter().position(|b| *b == b'\n') {
                Some(end) => {
                    self.rest = buffer.split_off(end + 1);
                    hasher.update(buffer.get(..end).unwrap_or_default());
                    return Ok(Piece::Long(hasher.finalize().into()));
                }
                None => hasher.update(&buffer),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::io::Write as _;

    fn entries(bytes: &[u8]) -> Entries {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        Entries::new(file)
    }

    #[test]
    fn pieces_are_whole_lines() {
        let line = [vec![b'x'; 999], vec![b'\n']].concat();
        let all = line.repeat(1000);
        let mut reader = entries(&all);
        let mut back = Vec::new();
        loop {
            match reader.next(Vec::new()).unwrap() {
                Piece::Lines(lines) => {
                    assert_eq!(lines.last(), Some(&b'\n'));
                    back.extend(lines);
                }
                Piece::End => break,
                _ => panic!(),
            }
        }
        assert_eq!(back, all);
    }

    #[test]
    fn a_long_line_is_hashed_and_not_kept() {
        let long = vec![b'x'; 3 * CHUNK + 17];
        let mut reader = entries(&[b"a\n", long.as_slice(), b"\nb\n", b"cut"].concat());
        let Piece::Lines(first) = reader.next(Vec::new()).unwrap() else {
            panic!()
        };
        assert_eq!(first, b"a\n");
        let Piece::Long(leaf) = reader.next(Vec::new()).unwrap() else {
            panic!()
        };
        assert_eq!(leaf, super::super::event::leaf_of(&long));
        let Piece::Lines(last) = reader.next(Vec::new()).unwrap() else {
            panic!()
        };
        assert_eq!(last, b"b\n");
        assert!(matches!(reader.next(Vec::new()).unwrap(), Piece::Cut));
        assert!(matches!(entries(b"").next(Vec::new()).unwrap(), Piece::End));
    }
}
