//! The whole of a verification: entries in order, checkpoints at their sizes, and the verdict (FORMATS.md 5 and 6).

use std::fs::File;
use std::path::Path;

use super::Options;
use super::crew::{BATCH, Broken, Crew};
use super::event::{Entry, Reader};
use super::files::{self, Entries, Lines, Piece, Wrong};
use super::json::{Kind, Tape, Value};
use super::lie::Fault;
use super::note::{Checkpoint, NOTE_MAX};
use super::report::{Outcome, Report};
use super::state::Judge;
use super::text::Hash;
use super::tree::Edge;

/// Why the reading ended before the export did, or after it.
enum Stop {
    /// Something untrue: of this entry, or of the export as a whole.
    False {
        seq: Option<u64>,
        words: String,
    },
    Unreadable(String),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Stop {
        match wrong {
            Wrong::Unreadable(words) => Stop::Unreadable(words),
            Wrong::False(words) => untrue(words),
        }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Wrong::from(error).into()
    }
}

impl From<Broken> for Stop {
    fn from(_: Broken) -> Stop {
        Stop::Unreadable("the verifier itself failed".to_owned())
    }
}

fn untrue(words: impl Into<String>) -> Stop {
    Stop::False {
        seq: None,
        words: words.into(),
    }
}

/// A checkpoint that was kept elsewhere.
struct Seen {
    origin: String,
    size: u64,
    root: Hash,
}

/// An earlier checkpoint of the export, whose size the tree has yet to reach.
struct Earlier {
    note: String,
    size: u64,
}

/// Everything that goes along with the entries.
struct Follow {
    judge: Judge,
    edge: Edge,
    /// The first entry that is unknown; from there on entries are only hashed.
    unknown: Option<(u64, String)>,
    /// Something unknown beside the entries.
    unknown_beside: Option<&'static str>,
    /// In the order of their sizes, the next one last.
    seen: Vec<Seen>,
    earlier: Lines,
    next: Option<Earlier>,
    /// A checkpoint of the tree's present size was compared.
    covered: bool,
    checkpoints: u64,
}

/// Verifies the export in `dir`.
pub(super) fn verify(dir: &Path, options: &Options) -> Report {
    let (mut seen, mut unreadable) = (Vec::new(), None);
    for path in &options.seen {
        match read_seen(path) {
            Ok(one) => seen.push(one),
            Err(words) => unreadable = Some(format!("{}: {words}", path.display())),
        }
    }
    seen.sort_by_key(|one| std::cmp::Reverse(one.size));
    let open = || -> Result<(File, File, File), Wrong> {
        files::check_names(dir)?;
        Ok((
            files::open(dir, "entries.jsonl")?,
            files::open(dir, "checkpoints.jsonl")?,
            files::open(dir, "checkpoint")?,
        ))
    };
    let (entries, earlier, last) = match open() {
        Ok(files) => files,
        Err(wrong) => return blank(wrong.into()),
    };
    let mut follow = Follow {
        judge: Judge::new(options.founded),
        edge: Edge::default(),
        unknown: None,
        unknown_beside: None,
        seen,
        earlier: Lines::new(earlier),
        next: None,
        covered: false,
        checkpoints: 0,
    };
    let mut signatures = 0;
    let result = follow.all(entries, last, options, &mut signatures);
    follow.report(result, unreadable, signatures, options)
}

fn blank(stop: Stop) -> Report {
    let (outcome, words) = match stop {
        Stop::False { words, .. } => (Outcome::False, words),
        Stop::Unreadable(words) => (Outcome::NotVerified, words),
    };
    Report {
        outcome,
        size: 0,
        root: None,
        ledger: None,
        name: None,
        seq: None,
        lie: Some(words),
        signatures: 0,
        checkpoints: 0,
        warnings: Vec::new(),
        warnings_total: 0,
    }
}

fn read_seen(path: &Path) -> Result<Seen, String> {
    let file = File::open(path).map_err(|error| format!("can't be read: {error}"))?;
    let bytes = files::small(file, NOTE_MAX).map_err(|error| format!("can't be read: {error}"))?;
    let checkpoint = Checkpoint::parse(&bytes).ok_or("is no checkpoint")?;
    Ok(Seen {
        origin: checkpoint.origin.to_owned(),
        size: checkpoint.size,
        root: checkpoint.root,
    })
}

impl Follow {
    /// All of the export; the first lie ends it.
    fn all(
        &mut self,
        entries: File,
        last: File,
        options: &Options,
        signatures: &mut u64,
    ) -> Result<(), Stop> {
        self.next_earlier()?;
        let mut entries = Entries::new(entries);
        let mut reader = Reader::default();
        let rest = self.first(&mut entries, &mut reader)?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
            n => n.min(64),
        };
        let crew = Crew::new(self.judge.founding.clone());
        let result = std::thread::scope(|scope| {
            for _ in 1..threads {
                // A thread that can't be had is one the others do without.
                let _ = std::thread::Builder::new().spawn_scoped(scope, || crew.work());
            }
            let result = self.stream(&crew, entries, rest, last, threads, &mut reader);
            let result = self.put_down(result, &crew, &mut reader);
            let settled = crew.settle(&mut reader);
            crew.close();
            (result, settled)
        });
        let (result, settled) = result;
        let (count, bad) = settled?;
        *signatures = count;
        // Whatever ended the reading came after every entry whose signature was put down.
        match bad {
            Some(seq) => Err(Stop::False {
                seq: Some(seq),
                words: "the signature does not verify under the authenticator's key".to_owned(),
            }),
            None => result,
        }
    }

    /// Entry 0, which everything else is read against. Gives the lines behind it.
    fn first(&mut self, entries: &mut Entries, reader: &mut Reader) -> Result<Vec<u8>, Stop> {
        match entries.next(Vec::new())? {
            Piece::Lines(mut lines) => {
                let end = lines.iter().position(|b| *b == b'\n').unwrap_or(0);
                let rest = lines.split_off(end + 1);
                let line = lines.strip_suffix(b"\n").unwrap_or(&lines);
                let entry = reader.entry(line, None);
                self.take(entry)?;
                Ok(rest)
            }
            Piece::Long(leaf) => {
                self.take(long(leaf))?;
                Ok(Vec::new())
            }
            Piece::Cut => Err(self.cut()),
            Piece::End => Err(untrue("the export has no entry 0")),
        }
    }

    fn stream(
        &mut self,
        crew: &Crew,
        mut entries: Entries,
        rest: Vec<u8>,
        last: File,
        threads: usize,
        reader: &mut Reader,
    ) -> Result<(), Stop> {
        let mut spare = Vec::new();
        let (mut given, mut taken) = (0_u64, 0_u64);
        if !rest.is_empty() {
            crew.read(given, rest);
            given += 1;
        }
        // What stands behind the pieces that were given: it has to wait for its turn.
        let mut behind = None;
        let ahead = u64::try_from(threads).unwrap_or(1) + 2;
        loop {
            while behind.is_none() && given - taken < ahead {
                match entries.next(spare.pop().unwrap_or_default())? {
                    Piece::Lines(lines) => {
                        crew.read(given, lines);
                        given += 1;
                    }
                    other => behind = Some(other),
                }
            }
            if taken < given {
                let batch = crew.take(taken, reader)?;
                taken += 1;
                spare.push(batch.memory);
                for entry in batch.entries {
                    self.take(entry)?;
                    self.hand_over(BATCH, crew, reader)?;
                }
                continue;
            }
            match behind.take() {
                Some(Piece::Long(leaf)) => self.take(long(leaf))?,
                Some(Piece::Cut) => return Err(self.cut()),
                Some(Piece::End) => break,
                _ => {}
            }
        }
        self.last(last)
    }

    /// Gives the signatures that were put down to the crew, when there are that many.
    fn hand_over(&mut self, least: usize, crew: &Crew, reader: &mut Reader) -> Result<(), Stop> {
        if self.judge.signatures.len() >= least {
            let signatures = std::mem::take(&mut self.judge.signatures);
            if let Some(bad) = crew.verify(signatures, reader)? {
                return Err(Stop::False {
                    seq: Some(bad),
                    words: String::new(),
                });
            }
        }
        Ok(())
    }

    /// Gives the rest of the signatures to the crew: those of the entries before the one, if any, that ended the reading.
    fn put_down(
        &mut self,
        result: Result<(), Stop>,
        crew: &Crew,
        reader: &mut Reader,
    ) -> Result<(), Stop> {
        if let Err(Stop::False { seq: Some(end), .. }) = &result {
            self.judge.signatures.retain(|s| s.seq < *end);
        }
        self.hand_over(1, crew, reader)?;
        result
    }

    fn cut(&self) -> Stop {
        Stop::False {
            seq: Some(self.edge.size()),
            words: "the last entry has no line feed".to_owned(),
        }
    }

    /// The next entry: judged, unless one before it was unknown; and hashed.
    fn take(&mut self, entry: Entry) -> Result<(), Stop> {
        let (seq, leaf) = (self.edge.size(), entry.leaf);
        if self.unknown.is_none() {
            self.change_keys()?;
            match self.judge.entry(seq, entry) {
                Ok(()) => {}
                Err(Fault::False(words)) => {
                    return Err(Stop::False {
                        seq: Some(seq),
                        words: words.into_owned(),
                    });
                }
                Err(Fault::Unknown(words)) => {
                    self.unknown = Some((seq, words.into_owned()));
                }
            }
        }
        self.edge.push(leaf);
        self.at_size()
    }

    /// Puts new checkpoint keys in force for what is larger than the tree is now, if the old ones have signed that size.
    fn change_keys(&mut self) -> Result<(), Stop> {
        let Some(keys) = self.judge.next_checkpoint_keys.take() else {
            return Ok(());
        };
        if !self.covered {
            return Err(Stop::False {
                seq: Some(self.edge.size().saturating_sub(1)),
                words: "the change of checkpoint keys has no checkpoint under the old ones"
                    .to_owned(),
            });
        }
        self.judge.checkpoint_keys = keys;
        Ok(())
    }

    /// Compares the tree with every checkpoint of the size it has now.
    fn at_size(&mut self) -> Result<(), Stop> {
        let size = self.edge.size();
        self.covered = false;
        while let Some(earlier) = self.next.take_if(|next| next.size == size) {
            self.compare(&earlier.note)?;
            self.covered = true;
            self.next_earlier()?;
        }
        while let Some(seen) = self.seen.pop_if(|seen| seen.size == size) {
            self.compare_seen(&seen)?;
        }
        Ok(())
    }

    fn compare(&mut self, note: &str) -> Result<(), Stop> {
        let size = self.edge.size();
        let words = |what: &str| untrue(format!("the checkpoint of size {size} {what}"));
        let checkpoint = Checkpoint::parse(note.as_bytes()).ok_or(words("is no checkpoint"))?;
        if let Some(founding) = &self.judge.founding {
            if checkpoint.origin != founding.name {
                return Err(words("is of another origin"));
            }
            // Behind something unknown nobody can say which keys are in force.
            if self.unknown.is_none() {
                checkpoint
                    .check_signatures(&founding.name, &self.judge.checkpoint_keys)
                    .map_err(words)?;
            }
        }
        if checkpoint.root != self.edge.root() {
            return Err(words("has another root than these entries"));
        }
        self.checkpoints = self.checkpoints.saturating_add(1);
        Ok(())
    }

    fn compare_seen(&self, seen: &Seen) -> Result<(), Stop> {
        let size = seen.size;
        let words = |what: &str| {
            untrue(format!(
                "a checkpoint kept elsewhere, of size {size}, {what}"
            ))
        };
        if let Some(founding) = &self.judge.founding
            && seen.origin != founding.name
        {
            return Err(words("is of another origin"));
        }
        if size > self.edge.size() {
            return Err(words("covers more than this export: entries are cut off"));
        }
        if seen.root != self.edge.root() {
            return Err(words("has another root: the ledger was rewritten"));
        }
        Ok(())
    }

    /// Reads the next line of `checkpoints.jsonl`.
    fn next_earlier(&mut self) -> Result<(), Stop> {
        let wrong = "`checkpoints.jsonl` has a line that is no checkpoint";
        let Some(line) = self.earlier.next(NOTE_MAX * 2)? else {
            return Ok(());
        };
        let line = line.ok_or(untrue(wrong))?;
        let mut tape = Tape::default();
        let object = tape.parse_with_lines(line).map_err(|_| untrue(wrong))?;
        if object.kind() != Kind::Object {
            return Err(untrue(wrong));
        }
        if object.children().any(|(name, _)| name != b"note") {
            self.unknown_beside = Some("an unknown member in `checkpoints.jsonl`");
        }
        let note = object.get("note").and_then(Value::text);
        let note = note.ok_or(untrue(wrong))?;
        let checkpoint = Checkpoint::parse(note.as_bytes()).ok_or(untrue(wrong))?;
        let size = checkpoint.size;
        if size <= self.edge.size() {
            return Err(untrue("the sizes in `checkpoints.jsonl` do not grow"));
        }
        self.next = Some(Earlier { note, size });
        Ok(())
    }

    /// The checkpoint that covers exactly these entries, and what is left over.
    fn last(&mut self, file: File) -> Result<(), Stop> {
        let note = files::small(file, NOTE_MAX)?;
        let wrong = "`checkpoint` is no checkpoint";
        let note = String::from_utf8(note).map_err(|_| untrue(wrong))?;
        let checkpoint = Checkpoint::parse(note.as_bytes()).ok_or(untrue(wrong))?;
        if checkpoint.size != self.edge.size() {
            return Err(untrue(format!(
                "the checkpoint covers {} entries, and there are {}",
                checkpoint.size,
                self.edge.size()
            )));
        }
        self.compare(&note)?;
        if self.covered || self.next.is_some() {
            return Err(untrue(
                "`checkpoints.jsonl` has a checkpoint that is not earlier than the last",
            ));
        }
        while let Some(seen) = self.seen.pop() {
            self.compare_seen(&seen)?;
        }
        Ok(())
    }

    fn report(
        self,
        result: Result<(), Stop>,
        unreadable: Option<String>,
        signatures: u64,
        options: &Options,
    ) -> Report {
        let founding = self.judge.founding.as_ref();
        let whole = result.is_ok();
        let unreadable = unreadable.or(self.unknown_beside.map(str::to_owned));
        let (outcome, seq, lie) = match (result, self.unknown, unreadable) {
            (Err(Stop::False { seq, words }), _, _) => (Outcome::False, seq, Some(words)),
            (Err(Stop::Unreadable(words)), _, _) => (Outcome::NotVerified, None, Some(words)),
            (Ok(()), Some((seq, words)), _) => (Outcome::NotVerified, Some(seq), Some(words)),
            (Ok(()), None, Some(words)) => (Outcome::NotVerified, None, Some(words)),
            (Ok(()), None, None) if options.founded.is_some() => (Outcome::Valid, None, None),
            (Ok(()), None, None) => (Outcome::SelfConsistent, None, None),
        };
        let mut report = Report {
            outcome,
            size: self.edge.size(),
            root: whole.then(|| self.edge.root()),
            ledger: founding.map(|f| f.ledger),
            name: founding.map(|f| f.name.clone()),
            seq,
            lie,
            signatures,
            checkpoints: self.checkpoints,
            warnings: self.judge.warnings,
            warnings_total: self.judge.warnings_total,
        };
        if report.outcome == Outcome::False {
            // How far the threads had come says nothing: the same lie gives the same report.
            report.size = report.seq.unwrap_or(report.size);
            (report.signatures, report.checkpoints) = (0, 0);
            (report.warnings, report.warnings_total) = (Vec::new(), 0);
        }
        report
    }
}

/// A line that is too long for an entry.
fn long(leaf: Hash) -> Entry {
    Entry {
        leaf,
        read: Err("the entry is longer than 64 KiB"),
    }
}
