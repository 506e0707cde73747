//! What Vitrine costs, as ratios within one run: `make bench`, or `VITRINE=program cargo bench -p drills --bench load`.
//!
//! A real Vitrine on SQLite and SoftHSM in a temporary folder, people with software keys, requests over HTTP on loopback. Beside each
//! figure stands a floor that the same machine reached in the same run. Everything that people sign is signed before a clock starts.
//! Nothing fails for being slow: the table says what was reached. It is printed, and written to `$VITRINE_BENCH_OUT`
//! (`target/bench.md`).
//!
//! | variable | default | what |
//! |---|---|---|
//! | `VITRINE` | `target/release/vitrine` | the program; its profile is named in the table |
//! | `VITRINE_BENCH_ENTRIES` | 1000000 | entries of the large ledger |
//! | `VITRINE_BENCH_ROUNDS` | 3 | rounds of appends; the median is kept |
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod fill;
mod floor;
mod house;
mod load;
mod release;
mod server;
mod table;
mod token;

use std::time::Duration;

use house::House;
use load::Load;
use server::{Cpu, Server};
use table::{Row, Table, us};

/// Clients, and appends that are timed with as many; a tenth goes before as warm-up.
const RESULTS: [(usize, usize); 3] = [(1, 1000), (8, 8000), (64, 64_000)];
const FILINGS: [(usize, usize); 3] = [(1, 300), (8, 1200), (64, 6400)];
/// Entries of the small ledger.
const SMALL: u64 = 10_000;
/// The longest start that is wanted, and the most memory (notes on peers: OpenBao's start, half its memory).
const START_MS: f64 = 150.0;
const RESIDENT_MIB: f64 = 48.0;

pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some(token::PROCESS) {
        return token::serve();
    }
    if !server::program().exists() {
        eprintln!(
            "load: there is no {}; build it, or name one in VITRINE",
            server::program().display()
        );
        return;
    }
    let mut server = Server::found();
    server.start().await;
    let mut house = House::furnished(&server).await;
    let mut table = Table::begin();

    server.restart().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    table.add(memory(
        "resident memory, idle after a start",
        server.resident_mib(),
    ));

    release::measure(&server, &mut house, &mut table).await;
    server.stop();
    let base = server.copy("base");
    appends(&mut server, &mut house, &mut table).await;
    sizes(&server, &base, &mut house, &mut table).await;
    table.end();
}

fn memory(what: &str, mib: f64) -> Row {
    Row::new(
        what,
        format!("{mib:.1} MiB"),
        "48 MiB, half of a peer's".into(),
    )
    .ratio(mib / RESIDENT_MIB)
    .bound("0.50 (a peer's 24 MiB)")
    .at_most(1.0)
}

/// What is appended.
#[derive(Clone, Copy)]
enum What {
    /// Results of drills: a session, an entry, no rule and no signature. What a ledger costs.
    Results,
    /// Requests: a touch is verified, rules are asked, rows are written. What the main job's first step costs.
    Filings,
}

impl What {
    fn bodies(
        self,
        house: &House,
        server: &Server,
        clients: usize,
        each: usize,
    ) -> Vec<Vec<Vec<u8>>> {
        match self {
            Self::Results => house.results(server, clients, each),
            Self::Filings => house.filings(server, clients, each),
        }
    }

    fn levels(self) -> [(usize, usize); 3] {
        match self {
            Self::Results => RESULTS,
            Self::Filings => FILINGS,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Results => "durable appends",
            Self::Filings => "requests filed, each signed",
        }
    }
}

/// One level's medians over the rounds.
#[derive(Default)]
struct Level {
    batched: Vec<f64>,
    single: Vec<f64>,
    p50: Vec<f64>,
    cpu_us: Vec<f64>,
}

/// Appends with `[ledger] batch` as it is and at 1, in turn, and the CPU that the server uses for one.
async fn appends(server: &mut Server, house: &mut House, table: &mut Table) {
    let mut levels: [[Level; 3]; 2] = Default::default();
    let (mut row_us, mut row_64_us) = (Vec::new(), Vec::new());
    for _ in 0..number("VITRINE_BENCH_ROUNDS", 3) {
        for single in [false, true] {
            server.set("VITRINE_LEDGER_BATCH", if single { "1" } else { "256" });
            server.start().await;
            for (what, levels) in [What::Results, What::Filings].into_iter().zip(&mut levels) {
                for (level, (clients, count)) in levels.iter_mut().zip(what.levels()) {
                    let (load, cpu) = append(server, house, what, clients, count).await;
                    if single {
                        level.single.push(load.rate());
                    } else {
                        level.batched.push(load.rate());
                        level.p50.push(load.p50_us());
                        level.cpu_us.push(cpu);
                    }
                }
            }
            server.stop();
        }
        row_us.push(floor::insert_cpu_us(server.folder(), 1, 2000).await);
        row_64_us.push(floor::insert_cpu_us(server.folder(), 64, 600).await);
    }
    let (row, row_64) = (median(row_us), median(row_64_us));
    for (what, levels) in [What::Results, What::Filings].into_iter().zip(levels) {
        let must = matches!(what, What::Results);
        report(what, &levels, must, table);
        let cpu = median(levels[2].cpu_us.clone());
        let name = format!(
            "the server\u{2019}s CPU for one of {}, 64 clients, HTTP and all",
            what.words()
        );
        let each = Row::new(
            &name,
            us(cpu),
            format!("{} for a raw SQLite row, a commit each", us(row)),
        );
        let each = each.ratio(cpu / row);
        table.add(if must { each.at_most(3.0) } else { each });
        let batch = Row::new(
            "the same",
            us(cpu),
            format!("{} for a raw SQLite row, 64 a commit", us(row_64)),
        );
        table.add(batch.ratio(cpu / row_64));
    }
}

fn report(what: What, levels: &[Level; 3], must: bool, table: &mut Table) {
    for (level, (clients, _)) in levels.iter().zip(what.levels()) {
        let (rate, single) = (median(level.batched.clone()), median(level.single.clone()));
        let people = if clients == 1 { "client" } else { "clients" };
        let mut row = Row::new(
            &format!("{} over HTTP, {clients} {people}", what.words()),
            format!("{rate:.0}/s, p50 {}", us(median(level.p50.clone()))),
            format!("{single:.0}/s with one commit per entry"),
        )
        .ratio(rate / single);
        if clients == 64 && must {
            row = row.bound("16").at_least(10.0);
        }
        table.add(row);
    }
    let alone = median(levels[0].batched.clone());
    let crowd = median(levels[2].batched.clone());
    let mut row = Row::new(
        "the same, 64 clients against 1",
        format!("{crowd:.0}/s"),
        format!("{alone:.0}/s"),
    )
    .ratio(crowd / alone);
    if must {
        row = row.bound("16");
    }
    table.add(row);
}

/// Appends `count` times from `clients` connections at once; gives the server's CPU for one, in microseconds.
async fn append(
    server: &Server,
    house: &mut House,
    what: What,
    clients: usize,
    count: usize,
) -> (Load, f64) {
    let each = count / clients;
    let warm = what.bodies(house, server, clients, (each / 10).max(2));
    let timed = what.bodies(house, server, clients, each);
    load::run(server.port, warm).await;
    let before = Cpu::of(server.pid());
    let load = load::run(server.port, timed).await;
    let cpu = Cpu::of(server.pid()).since_us(&before) / load.count();
    (load, cpu)
}

/// Starts and appends with a small and a large ledger.
async fn sizes(server: &Server, base: &std::path::Path, house: &mut House, table: &mut Table) {
    let large = number("VITRINE_BENCH_ENTRIES", 1_000_000);
    let mut found = Vec::new();
    for size in [SMALL, large] {
        fill::to(&base.join("vitrine.db"), size).await;
        let mut server = server.with_data(base);
        let mut starts = Vec::new();
        for _ in 0..9 {
            starts.push(server.start().await.as_secs_f64() * 1e3);
            server.stop();
        }
        server.start().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let resident = server.resident_mib();
        house.sign_in(&server).await;
        let mut p50 = Vec::new();
        for _ in 0..3 {
            p50.push(
                append(&server, house, What::Results, 1, 1000)
                    .await
                    .0
                    .p50_us(),
            );
        }
        server.stop();
        found.push((median(starts), median(p50), resident));
    }
    let [
        (small_start, small_p50, _),
        (large_start, large_p50, resident),
    ] = found[..]
    else {
        return;
    };
    table.add(
        Row::new(
            &format!("start to ready, {large} entries"),
            format!("{large_start:.0} ms"),
            format!("{START_MS:.0} ms, a peer\u{2019}s start"),
        )
        .ratio(large_start / START_MS)
        .bound("0.14 (a peer without an HSM)")
        .at_most(1.0),
    );
    table.add(
        Row::new(
            "start to ready against a small ledger",
            format!("{large_start:.0} ms"),
            format!("{small_start:.0} ms with {SMALL}"),
        )
        .ratio(large_start / small_start)
        .bound("1")
        .at_most(1.3),
    );
    table.add(memory(
        &format!("resident memory, idle, {large} entries"),
        resident,
    ));
    table.add(
        Row::new(
            &format!("append p50, {large} entries, 1 client"),
            us(large_p50),
            format!("{} with {SMALL}", us(small_p50)),
        )
        .ratio(large_p50 / small_p50)
        .bound("1.0")
        .at_most(1.3),
    );
}
