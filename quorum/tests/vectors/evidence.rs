//! Checkpoints and proofs.

use super::world::{
    LEDGER_NAME, ORIGIN, World, b64, int, ints, new_checkpoint_key, obj, random, signature_line,
    text, tree, verifier_key,
};
use super::{Case, cases, judge};
use quorum::entry::Entry;
use quorum::evidence::{Anchor, KeyChange, Proved, Trust};
use quorum::hash::Hash;
use quorum::json::{self as canonical, Value as Canonical};
use serde_json::{Value, json};

fn hashes(all: &[Hash]) -> Value {
    json!(all.iter().map(Hash::to_string).collect::<Vec<_>>())
}

fn proved(p: &Proved) -> Value {
    json!({"seq": p.seq, "entry": String::from_utf8_lossy(&p.entry), "proof": hashes(&p.proof)})
}

/// What is handed to [`Trust::check_after_changes`], and an entry to look up.
#[derive(Clone)]
struct Given {
    note: String,
    founding: Proved,
    founded: Hash,
    changes: Vec<KeyChange>,
    anchor: Option<Anchor>,
    consistency: Vec<Hash>,
    entry: Proved,
}

impl Given {
    fn of(world: &World, seq: u64) -> Self {
        Self {
            note: world.note(),
            founding: world.proved(0),
            founded: world.ledger(),
            changes: Vec::new(),
            anchor: None,
            consistency: Vec::new(),
            entry: world.proved(seq),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut given = self.clone();
        change(&mut given);
        given
    }

    fn anchored(&self, world: &World, size: u64) -> Self {
        self.with(|given| {
            given.anchor = Some(world.anchor_at(size));
            given.consistency = world.consistency(size);
        })
    }

    fn case(&self, name: &str, expect: &str) -> Case {
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|c| json!({"entry": proved(&c.entry), "note": c.note, "consistency": hashes(&c.consistency)}))
            .collect();
        let mut given = json!({
            "note": self.note,
            "founding": proved(&self.founding),
            "founded": self.founded.to_string(),
            "changes": changes,
            "consistency": hashes(&self.consistency),
            "entry": proved(&self.entry),
        });
        if let Some(anchor) = &self.anchor {
            given["anchor"] = json!({"size": anchor.size, "root": anchor.root.to_string()});
        }
        Case::new(name, "", expect, given)
    }
}

fn read_proved(value: &Value) -> Proved {
    Proved {
        seq: value["seq"].as_u64().unwrap(),
        entry: value["entry"].as_str().unwrap().into(),
        proof: read_hashes(&value["proof"]),
    }
}

fn read_hashes(value: &Value) -> Vec<Hash> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| hash.as_str().unwrap().parse().unwrap())
        .collect()
}

fn a_world() -> World {
    let mut world = World::with_safe(2, 3).0;
    while world.size() < 21 {
        world.append(
            "system",
            "request.ended",
            obj([
                ("request", text("01a18237-4987-7dbf-a0b1-a3ace824a06f")),
                ("why", text("expired")),
            ]),
        );
    }
    world
}

fn make() -> Vec<Case> {
    let world = a_world();
    let size = world.size();
    let good = Given::of(&world, 5);
    let mut all = vec![good.case("as it should be", "ok")];
    for seq in [0, 1, 15, 16, size - 1] {
        all.push(Given::of(&world, seq).case(&format!("entry {seq} of {size}"), "ok"));
    }
    for anchor in [1, 2, 7, 8, 16, 17, size - 1, size] {
        all.push(
            good.anchored(&world, anchor)
                .case(&format!("extends an anchor of {anchor}"), "ok"),
        );
    }
    all.extend(note_cases(&world, &good));
    all.extend(proof_cases(&world, &good));
    all.extend(anchor_cases(&world, &good));
    all.extend(entry_cases());
    all.extend(founding_cases());
    all.extend(change_cases());
    all.extend(repeated_cases());
    all
}

fn note_cases(world: &World, good: &Given) -> Vec<Case> {
    let body = world.body_at(world.size());
    let key = &world.checkpoint_key;
    let other = new_checkpoint_key();
    let ours = signature_line(LEDGER_NAME, key, &body);
    let with = |name: &str, expect: &str, note: String| {
        good.with(|given| given.note = note).case(name, expect)
    };
    let signed = |name: &str, expect: &str, body: &str| with(name, expect, world.sign_note(body));
    let lines: Vec<&str> = body.lines().collect();
    let (size, root) = (lines[1], lines[2]);
    let witness = signature_line("witness.example", &other, &body);
    let forged = signature_line(LEDGER_NAME, key, &world.body_at(3));
    vec![
        with("with a witness", "ok", format!("{body}\n{ours}{witness}")),
        with("a witness first", "ok", format!("{body}\n{witness}{ours}")),
        with(
            "a key that is not in force beside one that is",
            "ok",
            format!(
                "{body}\n{}{ours}",
                signature_line(LEDGER_NAME, &other, &body)
            ),
        ),
        with(
            "signed by a key that is not in force",
            "unsigned",
            format!("{body}\n{}", signature_line(LEDGER_NAME, &other, &body)),
        ),
        with(
            "signed by the right key under another name",
            "unsigned",
            format!("{body}\n{}", signature_line("witness.example", key, &body)),
        ),
        with(
            "signed by a witness alone",
            "unsigned",
            format!("{body}\n{witness}"),
        ),
        with(
            "a signature over another checkpoint",
            "signature",
            format!("{body}\n{forged}"),
        ),
        with(
            "a good and a bad signature by one key",
            "signature",
            format!("{body}\n{ours}{forged}"),
        ),
        with(
            "a bad and a good signature by one key",
            "signature",
            format!("{body}\n{forged}{ours}"),
        ),
        with(
            "the same signature twice",
            "ok",
            format!("{body}\n{ours}{ours}"),
        ),
        with("not signed", "note", body.clone()),
        with(
            "no signature after the blank line",
            "note",
            format!("{body}\n"),
        ),
        with(
            "no line feed at the end",
            "note",
            format!("{body}\n{}", ours.trim_end()),
        ),
        with(
            "a hyphen instead of the dash",
            "note",
            format!("{body}\n{}", ours.replace('\u{2014}', "-")),
        ),
        with(
            "carriage returns",
            "note",
            format!("{body}\n{ours}").replace('\n', "\r\n"),
        ),
        with(
            "text after the signatures",
            "note",
            format!("{body}\n{ours}more\n"),
        ),
        with("empty", "note", String::new()),
        signed("an extension line", "note", &format!("{body}extension\n")),
        signed("two checkpoints", "note", &format!("{body}{body}")),
        signed("a blank line inside", "note", &format!("{body}\n{body}")),
        signed("two lines", "note", &format!("{LEDGER_NAME}\n{size}\n")),
        signed(
            "another ledger's origin",
            "origin",
            &body.replace(LEDGER_NAME, "vault.example/other"),
        ),
        signed(
            "a size with a leading zero",
            "note",
            &format!("{LEDGER_NAME}\n0{size}\n{root}\n"),
        ),
        signed(
            "a size with a sign",
            "note",
            &format!("{LEDGER_NAME}\n+{size}\n{root}\n"),
        ),
        signed("size zero", "note", &format!("{LEDGER_NAME}\n0\n{root}\n")),
        signed(
            "a root without padding",
            "note",
            &format!("{LEDGER_NAME}\n{size}\n{}\n", root.trim_end_matches('=')),
        ),
        signed(
            "a root in hex",
            "note",
            &format!(
                "{LEDGER_NAME}\n{size}\n{}\n",
                world.anchor_at(world.size()).root
            ),
        ),
        signed(
            "a short root",
            "note",
            &format!("{LEDGER_NAME}\n{size}\n{}\n", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ),
        signed(
            "a larger size",
            "not_included",
            &format!("{LEDGER_NAME}\n{}\n{root}\n", world.size() + 32),
        ),
        signed(
            "another root",
            "not_included",
            &format!(
                "{LEDGER_NAME}\n{size}\n{}\n",
                world.body_at(3).lines().nth(2).unwrap()
            ),
        ),
    ]
}

/// More than one line by one key: each must be good.
fn repeated_cases() -> Vec<Case> {
    let world = a_world();
    let good = Given::of(&world, 5);
    let body = world.body_at(world.size());
    let key = &world.checkpoint_key;
    let ours = signature_line(LEDGER_NAME, key, &body);
    let forged = signature_line(LEDGER_NAME, key, &world.body_at(3));
    let witness = signature_line("witness.example", &new_checkpoint_key(), &body);
    let with = |name: &str, expect: &str, lines: &[&String]| {
        let lines: String = lines.iter().map(|line| line.as_str()).collect();
        good.with(|given| given.note = format!("{body}\n{lines}"))
            .case(name, expect)
    };
    vec![
        with(
            "one key's good signature thrice",
            "ok",
            &[&ours, &ours, &ours],
        ),
        with(
            "one key's twice, with a witness between",
            "ok",
            &[&ours, &witness, &ours],
        ),
        with(
            "one key's twice, then a bad one",
            "signature",
            &[&ours, &ours, &forged],
        ),
        with(
            "one key's bad one between two good",
            "signature",
            &[&ours, &forged, &ours],
        ),
        with(
            "one key's bad signature twice",
            "signature",
            &[&forged, &forged],
        ),
    ]
}

fn proof_cases(world: &World, good: &Given) -> Vec<Case> {
    let entry = |name: &str, change: &dyn Fn(&mut Proved)| {
        good.with(|given| change(&mut given.entry))
            .case(name, "not_included")
    };
    let size = world.size();
    vec![
        entry("another entry's bytes", &|p| {
            p.entry.clone_from(&world.entries[6])
        }),
        entry("a byte of the entry changed", &|p| {
            let at = p.entry.windows(6).position(|w| w == b"\"time\"").unwrap() + 9;
            p.entry[at] ^= 1;
        }),
        entry("another place", &|p| p.seq = 6),
        entry("a place beyond the tree", &|p| p.seq = size),
        entry("a place far beyond the tree", &|p| p.seq = u64::MAX >> 11),
        entry("no proof", &|p| p.proof.clear()),
        entry("a proof one hash short", &|p| {
            p.proof.pop();
        }),
        entry("a proof one hash long", &|p| p.proof.push(Hash::ZERO)),
        entry("a proof reversed", &|p| p.proof.reverse()),
        entry("a bit of the proof flipped", &|p| p.proof[0].0[31] ^= 1),
        entry("a proof for a smaller tree", &|p| {
            p.proof = world.proved_at(5, 16).proof
        }),
        entry("an inner node as an entry", &|p| {
            p.entry = [p.proof[0].0, p.proof[1].0]
                .concat()
                .iter()
                .map(|b| b & 0x7f)
                .collect();
            p.proof.remove(0);
        }),
        good.with(|given| given.founding.proof.push(Hash::ZERO))
            .case("the founding not included", "not_included"),
        good.with(|given| given.founding.seq = 1)
            .case("the founding at another place", "founding"),
        good.with(|given| given.founding = world.proved(1))
            .case("another entry as the founding", "founding"),
        good.with(|given| given.founded = world.leaves[1])
            .case("another founding trusted", "founding"),
        good.with(|given| given.founded = Hash::ZERO)
            .case("no founding trusted", "founding"),
    ]
}

fn anchor_cases(world: &World, good: &Given) -> Vec<Case> {
    let size = world.size();
    let at = |n: u64| good.anchored(world, n);
    let other = a_world();
    vec![
        at(7)
            .with(|given| given.consistency.clear())
            .case("no consistency proof", "not_an_extension"),
        at(7)
            .with(|given| given.consistency.reverse())
            .case("a consistency proof reversed", "not_an_extension"),
        at(7)
            .with(|given| given.consistency.push(Hash::ZERO))
            .case("a consistency proof one hash long", "not_an_extension"),
        at(7)
            .with(|given| given.consistency[1].0[0] ^= 1)
            .case("a bit of the consistency proof flipped", "not_an_extension"),
        at(7)
            .with(|given| given.consistency = world.consistency(8))
            .case("a consistency proof from another size", "not_an_extension"),
        at(7)
            .with(|given| given.anchor = Some(other.anchor_at(7)))
            .case("an anchor from another history", "not_an_extension"),
        at(size)
            .with(|given| {
                given.anchor = Some(Anchor {
                    size,
                    root: other.anchor_at(size).root,
                })
            })
            .case(
                "an anchor of the same size with another root",
                "not_an_extension",
            ),
        at(size)
            .with(|given| given.consistency.push(Hash::ZERO))
            .case(
                "an anchor of the same size with a proof",
                "not_an_extension",
            ),
        good.with(|given| {
            given.anchor = Some(Anchor {
                size: size + 1,
                root: world.anchor_at(size).root,
            })
        })
        .case("an anchor ahead of the checkpoint", "behind"),
        good.with(|given| {
            let small = 10;
            given.note = world.note_at(small);
            given.founding = world.proved_at(0, small);
            given.entry = world.proved_at(5, small);
            given.anchor = Some(world.anchor_at(size));
        })
        .case("a ledger cut off after the anchor", "behind"),
        good.with(|given| {
            given.anchor = Some(Anchor {
                size: 0,
                root: Hash::ZERO,
            })
        })
        .case("an anchor of nothing", "not_an_extension"),
    ]
}

/// An entry with members of the writer's choice, in a ledger of its own.
fn entry_cases() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name: &str, expect: &str, change: &dyn Fn(&mut canonical::Object)| {
        let mut world = World::new();
        let request = text("01a18237-4987-7dbf-a0b1-a3ace824a06f");
        let seq = world.append(
            "system",
            "request.ended",
            obj([("request", request), ("why", text("expired"))]),
        );
        let Canonical::Obj(mut entry) = canonical::parse(&world.entries[3]).unwrap() else {
            panic!()
        };
        change(&mut entry);
        replace(&mut world, seq, canonical::encode(&Canonical::Obj(entry)));
        all.push(Given::of(&world, seq).case(name, expect));
    };
    add("an unsigned entry", "ok", &|_| {});
    add("by a workload", "ok", &|e| {
        set(e, "actor", text("01a18237-4987-7dbf-a0b1-a3ace824a0ff"))
    });
    add("another seq", "entry:seq", &|e| set(e, "seq", int(4)));
    add("another version", "entry:version", &|e| set(e, "v", int(2)));
    add("one member more", "entry:member", &|e| {
        set(e, "note", text("x"))
    });
    add("a member missing", "entry:member", &|e| {
        e.remove("actor");
    });
    add("a negative time", "entry:member", &|e| {
        set(e, "time", Canonical::Int(-1))
    });
    add("prev in upper case", "entry:member", &|e| {
        let prev = e["prev"].as_str().unwrap().to_uppercase();
        set(e, "prev", text(prev));
    });
    add("an unknown event", "entry:event", &|e| {
        set(e, "event", text("request.opened"))
    });
    add("an event of another case", "entry:event", &|e| {
        set(e, "event", text("Request.ended"))
    });
    add("by somebody unnamed", "entry:actor", &|e| {
        set(e, "actor", text("System"))
    });
    add("another reason to end", "entry:member", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        set(data, "why", text("bored"));
    });
    add("one member more in data", "entry:member", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        set(data, "note", text("x"));
    });
    add("data that is no object", "entry:member", &|e| {
        set(e, "data", text("x"))
    });
    add("longer than 64 KiB", "entry:too_long", &|e| {
        set(e, "actor", text("x".repeat(65536)))
    });

    let mut raw = |name: &str, expect: &str, change: &dyn Fn(&str) -> String| {
        let mut world = World::new();
        let request = text("01a18237-4987-7dbf-a0b1-a3ace824a06f");
        let seq = world.append(
            "system",
            "request.ended",
            obj([("request", request), ("why", text("expired"))]),
        );
        let bytes = change(std::str::from_utf8(&world.entries[3]).unwrap()).into_bytes();
        replace(&mut world, seq, bytes);
        all.push(Given::of(&world, seq).case(name, expect));
    };
    raw("with white space", "entry:json", &|entry| {
        entry.replacen(':', ": ", 1)
    });
    raw("with a line feed after", "entry:json", &|entry| {
        format!("{entry}\n")
    });
    raw("with a member twice", "entry:json", &|entry| {
        entry.replace("\"v\":1", "\"v\":1,\"v\":1")
    });
    raw("in a list", "entry:not_an_object", &|entry| {
        format!("[{entry}]")
    });

    let mut signed = |name: &str, expect: &str, change: &dyn Fn(&mut canonical::Object)| {
        let mut world = World::new();
        let seq = world.size() - 1;
        let Canonical::Obj(mut entry) = canonical::parse(&world.entries[2]).unwrap() else {
            panic!()
        };
        change(&mut entry);
        replace(&mut world, seq, canonical::encode(&Canonical::Obj(entry)));
        all.push(Given::of(&world, seq).case(name, expect));
    };
    signed("a signed entry", "ok", &|_| {});
    signed("a signed entry by system", "entry:actor", &|e| {
        set(e, "actor", text("system"))
    });
    signed("a signed entry by somebody else", "entry:actor", &|e| {
        set(e, "actor", text("01a18237-4987-7dbf-a0b1-a3ace824a0ff"));
    });
    signed(
        "a statement under another event",
        "entry:wrong_kind",
        &|e| {
            let Some(Canonical::Obj(data)) = e.get_mut("data") else {
                panic!()
            };
            data.remove("registration");
            set(e, "event", text("person.roles"));
        },
    );
    signed("a statement with white space", "entry:statement", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        let statement = data["statement"].as_str().unwrap().replacen(':', ": ", 1);
        set(data, "statement", text(statement));
    });
    signed("without its registration", "entry:member", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        data.remove("registration");
    });
    signed(
        "with a registration where none belongs",
        "entry:member",
        &|e| {
            set(e, "event", text("person.roles"));
        },
    );
    signed("an assertion with one member more", "entry:member", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        let Some(Canonical::Obj(assertion)) = data.get_mut("assertion") else {
            panic!()
        };
        set(assertion, "user_handle", b64(&random::<16>()));
    });
    signed("a padded signature", "entry:member", &|e| {
        let Some(Canonical::Obj(data)) = e.get_mut("data") else {
            panic!()
        };
        let Some(Canonical::Obj(assertion)) = data.get_mut("assertion") else {
            panic!()
        };
        let padded = format!("{}=", assertion["signature"].as_str().unwrap());
        set(assertion, "signature", text(padded));
    });

    let mut data = |name: &str, expect: &str, event: &str, data: Canonical| {
        let mut world = World::new();
        let seq = world.append("system", event, data);
        all.push(Given::of(&world, seq).case(name, expect));
    };
    let id = || text("01a18237-4987-7dbf-a0b1-a3ace824a06f");
    let opened = |approvals: Canonical| {
        obj([
            ("approvals", approvals),
            ("credential", id()),
            ("envelope", text(Hash::ZERO)),
            ("epoch", int(1)),
            ("request", id()),
            ("requester", id()),
            ("roster", text(Hash::ZERO)),
            ("safe", id()),
            ("version", int(1)),
        ])
    };
    data("a release", "ok", "release.opened", opened(ints(&[3, 5])));
    data(
        "approvals out of order",
        "entry:member",
        "release.opened",
        opened(ints(&[5, 3])),
    );
    data(
        "an approval twice",
        "entry:member",
        "release.opened",
        opened(ints(&[3, 3])),
    );
    data(
        "approvals that are no list",
        "entry:member",
        "release.opened",
        opened(int(3)),
    );
    data(
        "a second founding",
        "entry:event",
        "ledger.founded",
        obj([]),
    );
    all
}

fn set(object: &mut canonical::Object, name: &str, value: Canonical) {
    object.insert(name.to_owned(), value);
}

fn replace(world: &mut World, seq: u64, bytes: Vec<u8>) {
    world.leaves[seq as usize] = quorum::hash::leaf(&bytes);
    world.entries[seq as usize] = bytes;
}

fn founding_cases() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name: &str, expect: &str, change: &dyn Fn(&mut canonical::Object, &World)| {
        let mut world = World::new();
        let Canonical::Obj(mut entry) = canonical::parse(&world.entries[0]).unwrap() else {
            panic!()
        };
        let Some(Canonical::Obj(data)) = entry.get_mut("data") else {
            panic!()
        };
        change(data, &world);
        replace(&mut world, 0, canonical::encode(&Canonical::Obj(entry)));
        all.push(Given::of(&world, 1).case(name, expect));
    };
    let keys = |keys: &[String]| Canonical::Arr(keys.iter().map(text).collect());
    let key = |name: &str| verifier_key(name, &new_checkpoint_key());
    add("founded with three keys", "ok", &|d, w| {
        set(
            d,
            "checkpoint_keys",
            keys(&[key(LEDGER_NAME), w.verifier_key(), key(LEDGER_NAME)]),
        )
    });
    add("founded after a restore", "ok", &|d, _| {
        set(
            d,
            "continues",
            obj([
                ("checkpoint", text(Hash::ZERO)),
                ("ledger", text(Hash::ZERO)),
                ("size", int(9)),
            ]),
        );
    });
    add("founded without a key", "keys", &|d, _| {
        set(d, "checkpoint_keys", keys(&[]))
    });
    add("founded with four keys", "keys", &|d, w| {
        set(
            d,
            "checkpoint_keys",
            keys(&[
                w.verifier_key(),
                key(LEDGER_NAME),
                key(LEDGER_NAME),
                key(LEDGER_NAME),
            ]),
        );
    });
    add("founded with one key twice", "entry:member", &|d, w| {
        set(
            d,
            "checkpoint_keys",
            keys(&[w.verifier_key(), w.verifier_key()]),
        )
    });
    add("founded with a key of another name", "keys", &|d, w| {
        set(
            d,
            "checkpoint_keys",
            keys(&[w.verifier_key(), key("vault.example/other")]),
        )
    });
    add(
        "founded with a key whose name only begins right",
        "keys",
        &|d, w| {
            set(
                d,
                "checkpoint_keys",
                keys(&[w.verifier_key(), key("vault.example/ledger2")]),
            );
        },
    );
    add("founded with a key in upper case", "keys", &|d, w| {
        let rest = w.verifier_key();
        let parts: Vec<&str> = rest.split('+').collect();
        let id = format!(
            "{}+{}+{}",
            parts[0],
            parts[1].to_uppercase(),
            parts[2..].join("+")
        );
        // An id of digits alone has no case; a sign has none either and is refused as well.
        let id = if id == rest {
            format!("{}++{}+{}", parts[0], &parts[1][1..], parts[2..].join("+"))
        } else {
            id
        };
        set(d, "checkpoint_keys", keys(&[w.verifier_key(), id]));
    });
    add("founded with a key under another id", "keys", &|d, w| {
        let flipped = w
            .verifier_key()
            .replace("ledger+", "ledger+x")
            .replace("ledger+x", "ledger+0");
        set(d, "checkpoint_keys", keys(&[w.verifier_key(), flipped]));
    });
    add("founded with a key that is text", "keys", &|d, w| {
        set(
            d,
            "checkpoint_keys",
            keys(&[w.verifier_key(), "ed25519".into()]),
        )
    });
    add("founded by a name with a space", "keys", &|d, _| {
        set(d, "name", text("vault example"))
    });
    add("founded by a name with a plus", "keys", &|d, _| {
        set(d, "name", text("vault+example"))
    });
    add("founded by another name", "keys", &|d, _| {
        set(d, "name", text("vault.example/other"))
    });
    add("founded without an rp_id", "entry:member", &|d, _| {
        d.remove("rp_id");
    });
    add("founded with one member more", "entry:member", &|d, _| {
        set(d, "crypto", text("x"))
    });
    add("founded with one origin twice", "entry:member", &|d, _| {
        set(
            d,
            "origins",
            Canonical::Arr(vec![text(ORIGIN), text(ORIGIN)]),
        )
    });

    let mut world = World::new();
    let Canonical::Obj(mut entry) = canonical::parse(&world.entries[0]).unwrap() else {
        panic!()
    };
    set(&mut entry, "prev", text(Hash([1; 32])));
    replace(&mut world, 0, canonical::encode(&Canonical::Obj(entry)));
    all.push(Given::of(&world, 1).case("founded after something", "founding"));
    all
}

/// A ledger whose checkpoint key is changed at seq 4 and again at seq 7.
fn change_cases() -> Vec<Case> {
    let mut world = World::new();
    let mut changes = Vec::new();
    let fill = |world: &mut World| world.append("system", "clock.ticked", obj([]));
    let mut old = Vec::new();
    for _ in 0..2 {
        fill(&mut world);
        let next = new_checkpoint_key();
        let keys = Canonical::Arr(vec![text(verifier_key(LEDGER_NAME, &next))]);
        let seq = world.append(
            "system",
            "checkpoint_keys.changed",
            obj([("checkpoint_keys", keys)]),
        );
        let note = world.note();
        changes.push((seq, note));
        old.push(std::mem::replace(&mut world.checkpoint_key, next));
        fill(&mut world);
    }
    let size = world.size();
    let end = |i: usize| changes.get(i + 1).map_or(size, |(seq, _)| seq + 1);
    let changes: Vec<KeyChange> = changes
        .iter()
        .enumerate()
        .map(|(i, (seq, note))| KeyChange {
            entry: world.proved_at(*seq, seq + 1),
            note: note.clone(),
            consistency: tree(&world.leaves[..end(i) as usize]).consistency(seq + 1),
        })
        .collect();
    let mut good = Given::of(&world, 2);
    good.changes.clone_from(&changes);
    let anchored = good.anchored(&world, 3);
    let with = |name: &str, expect: &str, change: &dyn Fn(&mut Given)| {
        good.with(change).case(name, expect)
    };
    let body = world.body_at(size);
    vec![
        good.case("keys changed twice", "ok"),
        anchored.case("keys changed twice since the anchor", "ok"),
        with("the changes not shown", "unsigned", &|g| g.changes.clear()),
        with("one change not shown", "unsigned", &|g| {
            g.changes.pop();
        }),
        with("the first change not shown", "unsigned", &|g| {
            g.changes.remove(0);
        }),
        with("the changes in another order", "unsigned", &|g| {
            g.changes.reverse()
        }),
        with("a change shown twice", "unsigned", &|g| {
            g.changes.insert(0, g.changes[0].clone())
        }),
        with(
            "the newest checkpoint under the first keys",
            "unsigned",
            &|g| {
                g.note = format!("{body}\n{}", signature_line(LEDGER_NAME, &old[0], &body));
            },
        ),
        with("a change under its own new key", "unsigned", &|g| {
            let body = world.body_at(g.changes[1].entry.seq + 1);
            g.changes[1].note = format!(
                "{body}\n{}",
                signature_line(LEDGER_NAME, &world.checkpoint_key, &body)
            );
        }),
        with(
            "a checkpoint that doesn't end with the change",
            "key_change",
            &|g| {
                let body = world.body_at(g.changes[0].entry.seq + 2);
                g.changes[0].note =
                    format!("{body}\n{}", signature_line(LEDGER_NAME, &old[0], &body));
            },
        ),
        with("a change without its proof", "not_included", &|g| {
            g.changes[0].entry.proof.clear()
        }),
        with(
            "no proof from one change to the next",
            "not_an_extension",
            &|g| g.changes[0].consistency.clear(),
        ),
        with(
            "no proof from the last change on",
            "not_an_extension",
            &|g| g.changes[1].consistency.clear(),
        ),
        with("another entry as a change", "key_change", &|g| {
            g.changes.truncate(1);
            g.changes[0].entry = world.proved_at(2, 3);
            let body = world.body_at(3);
            g.changes[0].note = format!("{body}\n{}", signature_line(LEDGER_NAME, &old[0], &body));
            g.changes[0].consistency = world.consistency(3);
        }),
    ]
}

#[test]
fn evidence() {
    let file = "evidence.json";
    let about = "A checkpoint, the founding, an anchor, and an entry to look up. Hashes in hex; entries and notes as strings.";
    let cases = cases(file, about, make);
    judge(file, &cases, |case| {
        let anchor = case.given.get("anchor").map(|anchor| Anchor {
            size: anchor["size"].as_u64().unwrap(),
            root: anchor["root"].as_str().unwrap().parse().unwrap(),
        });
        let changes = case.given["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| KeyChange {
                entry: read_proved(&change["entry"]),
                note: change["note"].as_str().unwrap().into(),
                consistency: read_hashes(&change["consistency"]),
            });
        let trust = Trust::check_after_changes(
            case.text("note"),
            &read_proved(&case.given["founding"]),
            case.text("founded").parse().unwrap(),
            &changes.collect::<Vec<_>>(),
            anchor.as_ref(),
            &read_hashes(&case.given["consistency"]),
        );
        let trust = trust.map_err(|e| e.code())?;
        let entry = read_proved(&case.given["entry"]);
        let read: Entry = trust.entry(&entry).map_err(|e| e.code())?;
        assert_eq!(read.seq, entry.seq);
        Ok(())
    });
}
