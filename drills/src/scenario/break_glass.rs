//! `break-glass`: from the first invitation to a password that is proved dead, on real parts.

use std::collections::HashSet;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use audit::verify::{self, verify_dir};
use quorum::Hash;
use quorum::statement::{Pin, Role, SecretKind, TargetPurpose};
use serde_json::Value;
use zeroize::Zeroizing;

use super::kept;
use crate::client::{
    self, Client, Credential, Invitation, NewSafe, Opened, Person, Release, ReleaseAsk, Safe,
    Version,
};
use crate::key::{Maker, SoftwareKey};
use crate::narrator::Narrator;
use crate::psql::{Address, Psql, Said, Session};
use crate::report::{Report, Story};

/// The scenario's name.
const NAME: &str = "break-glass";
/// The model that drill keys carry. On nobody's trust list.
const MODEL: [u8; 16] = *b"vitrine drillkey";
const NEEDED: u64 = 2;
/// What is kept where there is no target.
const REHEARSED: &str = "Rehearsal password";

/// What to rehearse with.
pub struct Options {
    /// Where Vitrine is.
    pub url: String,
    /// A custodian's invitation: the founding one, or the link that it came in. Used up. Needs none where people are kept.
    pub invitation: Option<Zeroizing<String>>,
    /// Where the people of a drill are kept, keys and all, to play on with: read where there is such a file, and written.
    pub people: Option<PathBuf>,
    /// The founding fingerprint, where it is known from elsewhere.
    pub founded: Option<Hash>,
    /// The database whose password is kept. Without one a value is generated and only the release is rehearsed.
    pub target: Option<TargetAt>,
    /// Who plays. Names are taken for ever: a further cast of a ledger is numbered, and so is its safe.
    pub names: Names,
    /// The safe's name.
    pub safe: String,
    /// Where to export the ledger to over HTTP at the end, as one who has only a session can.
    pub evidence_out: Option<PathBuf>,
    /// Where to write the opened password once the database has proved it dead, so that somebody can search what was
    /// written for it: a pipe, or a file that is there.
    pub dead_to: Option<PathBuf>,
    /// How long a rotation may take.
    pub patience: Duration,
}

impl Options {
    /// The usual cast at this Vitrine.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            invitation: None,
            people: None,
            founded: None,
            target: None,
            names: Names::default(),
            safe: "Drill: databases".into(),
            evidence_out: None,
            dead_to: None,
            patience: Duration::from_secs(60),
        }
    }
}

/// A PostgreSQL account that is to be kept.
pub struct TargetAt {
    /// Where it is, as Vitrine's connector reaches it.
    pub address: Address,
    /// The account.
    pub account: String,
    /// How the server is known again.
    pub pin: Pin,
    /// Who may run the SQL that lets Vitrine in; needed until the account is bound.
    pub administrator: Option<Administrator>,
    /// The `psql` program.
    pub psql: PathBuf,
}

/// The database's administrator. Vitrine never learns of this connection.
pub struct Administrator {
    /// A connection string without a password.
    pub conninfo: String,
    /// The password, where the server asks for one.
    pub password: Option<Zeroizing<String>>,
}

/// The cast; the custodian's name is the invited one.
pub struct Names {
    /// Who is on call.
    pub engineer: String,
    /// Who approves, in the order of their places; the first has two keys.
    pub approvers: [String; 3],
}

impl Default for Names {
    fn default() -> Self {
        Self {
            engineer: "Mara Lindqvist".into(),
            approvers: ["Adaeze Obi", "Jun Takahashi", "Tomasz Wren"].map(str::to_owned),
        }
    }
}

impl Names {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.approvers.iter().chain([&self.engineer])
    }

    /// The same people for the `nth` time.
    fn numbered(&self, nth: u32) -> Self {
        Self {
            engineer: numbered(&self.engineer, nth),
            approvers: self.approvers.each_ref().map(|name| numbered(name, nth)),
        }
    }
}

fn numbered(name: &str, nth: u32) -> String {
    match nth {
        0 | 1 => name.to_owned(),
        nth => format!("{name} {nth}"),
    }
}

/// Why a drill ended early.
struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn failed<T>(why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure(why.into()))
}

/// A drill that was played.
pub struct Played {
    /// What happened; what went wrong is the last step.
    pub report: Report,
    /// Seq of the `drill.finished` that names the report, or why there is none.
    pub filed: Result<u64, String>,
}

impl Played {
    /// Everything happened as it should, and the ledger says so.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.report.passed() && self.filed.is_ok()
    }
}

/// Plays it and files how it ended. Always gives a report.
pub async fn break_glass(options: Options, narrator: &mut dyn Narrator) -> Played {
    let mut story = Story::begin(NAME, narrator);
    let (client, mut cast, safe) = match stage(&options, &mut story).await {
        Ok(set) => set,
        Err(Failure(why)) => {
            return Played {
                report: story.end(Some(why)),
                filed: Err("there was no safe yet to file it for".into()),
            };
        }
    };
    let mut outcome = play(&client, &options, &safe, &mut cast, &mut story).await;
    if let Some(path) = &options.people
        && let Err(why) = kept::keep(path, client.ledger(), safe.safe, &cast)
    {
        outcome = outcome.and(failed(why));
    }
    let report = story.end(outcome.err().map(|Failure(why)| why));
    let filed = client
        .file_drill(&cast.custodian, safe.safe, report.passed(), report.sha256())
        .await
        .map_err(|e| e.to_string());
    Played { report, filed }
}

/// People with keys, and a safe of their own.
async fn stage(options: &Options, story: &mut Story<'_>) -> Result<(Client, Cast, Safe), Failure> {
    let client = connect(options, story).await?;
    if let Some(path) = options.people.as_deref().filter(|p| kept::are_kept(p)) {
        let (cast, safe) = again(&client, path, story).await?;
        unbound_elsewhere(&client, options, &cast.custodian, Some(&safe)).await?;
        return Ok((client, cast, safe));
    }
    let (mut cast, nth) = gather(&client, options, story).await?;
    let safe = found(&client, options, nth, &mut cast, story).await?;
    if let Some(path) = &options.people {
        // Before it goes on: what is bound from here on is bound to their safe.
        kept::keep(path, client.ledger(), safe.safe, &cast).map_err(Failure)?;
        let path = path.display();
        story.tell(format!(
            "The people are kept in {path}, keys and all, for the next drill"
        ));
    }
    Ok((client, cast, safe))
}

/// The people of an earlier drill, signed in, and their safe.
async fn again(
    client: &Client,
    path: &Path,
    story: &mut Story<'_>,
) -> Result<(Cast, Safe), Failure> {
    let maker = Maker::new("Vitrine drills", MODEL)?;
    let (mut cast, safe) = kept::people(path, client.ledger(), &maker).map_err(Failure)?;
    let people = [&mut cast.custodian, &mut cast.engineer];
    for person in people.into_iter().chain(&mut cast.approvers) {
        client.login(person, 0).await?;
    }
    let names: Vec<&str> = cast.approvers.iter().map(|p| p.name.as_str()).collect();
    story.tell(format!(
        "{} signed in, {} on call, and {} who approve: the people of an earlier drill",
        cast.custodian.name,
        cast.engineer.name,
        names.join(", ")
    ));
    let safe = client.safe(&cast.custodian, safe).await?;
    if !safe.drill || safe.m != NEEDED {
        return failed("their safe is not the one that was founded for drills");
    }
    story.report.safe = Some(safe.safe.to_string());
    story.tell(format!(
        "Safe \u{201c}{}\u{201d}, {NEEDED} of {}, for drills for ever",
        safe.name, safe.n
    ));
    Ok((cast, safe))
}

/// The account is bound to no other safe: only that one's approvers could let it go.
async fn unbound_elsewhere(
    client: &Client,
    options: &Options,
    custodian: &Person,
    ours: Option<&Safe>,
) -> Result<(), Failure> {
    let Some(target) = &options.target else {
        return Ok(());
    };
    for safe in client.safes(custodian).await? {
        let other = ours.is_none_or(|ours| ours.safe != safe.safe);
        if let Some(bound) = safe.credentials.iter().find(|c| target.is_of(c))
            && other
        {
            return failed(format!(
                "{} at {} is bound to \u{201c}{}\u{201d} in the safe \u{201c}{}\u{201d} already, and an account has one safe. Where a drill \
                 kept its people (--people FILE), play on with them; else name another account",
                target.account,
                target.server(),
                bound.name,
                safe.name
            ));
        }
    }
    Ok(())
}

async fn play(
    client: &Client,
    options: &Options,
    safe: &Safe,
    cast: &mut Cast,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let credential = match there_already(options, safe) {
        Some(credential) => {
            story.report.credential = Some(credential.credential.to_string());
            story.tell(format!(
                "Credential \u{201c}{}\u{201d} is there already",
                credential.name
            ));
            credential.clone()
        }
        None => add(client, options, safe, cast, story).await?,
    };
    let bound = options
        .target
        .as_ref()
        .is_some_and(|t| t.is_of(&credential));
    if let Some(target) = &options.target
        && !bound
    {
        bind(client, target, safe, &credential, cast, story).await?;
    }
    let version = match (credential.current(), &options.target) {
        (Some(version), _) => version.clone(),
        (None, Some(_)) => first_rotation(client, options, &credential, cast, story).await?,
        (None, None) => generated(client, &credential, cast, story).await?,
    };
    let credential = client
        .credential(&cast.custodian, credential.credential)
        .await?;
    let release = ask(client, &credential, &version, cast, story).await?;
    let opened = sign_and_open(client, &release, cast, story).await?;
    match &options.target {
        Some(target) => {
            let session = use_it(target, &opened, story).await?;
            check_in(client, &release, cast, story).await?;
            rotated(client, options, &credential, &opened, cast, story).await?;
            is_dead(target, &opened, session, story).await?;
            if let Some(path) = &options.dead_to {
                hand_over(path, &opened)?;
            }
        }
        None => check_in(client, &release, cast, story).await?,
    }
    // The value is wiped here; what follows works from the ledger alone.
    let version = opened.version;
    drop(opened);
    ledger_says(client, options, &credential, version, cast, story).await
}

pub(super) struct Cast {
    pub(super) custodian: Person,
    pub(super) engineer: Person,
    pub(super) approvers: Vec<Person>,
}

impl TargetAt {
    /// Where the server is, whichever of its databases is named.
    fn server(&self) -> String {
        let address = self.address.to_string();
        server(&address).to_owned()
    }

    /// `credential` is bound to this account.
    fn is_of(&self, credential: &Credential) -> bool {
        credential.target.as_ref().is_some_and(|t| {
            t.live && t.account == self.account && server(&t.address) == self.server()
        })
    }
}

fn server(address: &str) -> &str {
    address
        .rsplit_once('/')
        .map_or(address, |(server, _)| server)
}

/// What an earlier drill of these people left to play on with.
fn there_already<'a>(options: &Options, safe: &'a Safe) -> Option<&'a Credential> {
    safe.credentials.iter().find(|c| match &options.target {
        Some(target) => target.is_of(c),
        None => c.target.is_none() && c.name == REHEARSED,
    })
}

async fn connect(options: &Options, story: &mut Story<'_>) -> Result<Client, Failure> {
    let client = Client::connect(&options.url).await?;
    let ledger = client.ledger();
    story.report.ledger = Some(ledger.to_string());
    if options.founded.is_some_and(|founded| founded != ledger) {
        return failed(format!(
            "this is another ledger than the one founded: {ledger}"
        ));
    }
    let name = &client.about().name;
    story.tell(format!("Ledger {name}, founded as {ledger}"));
    Ok(client)
}

async fn gather(
    client: &Client,
    options: &Options,
    story: &mut Story<'_>,
) -> Result<(Cast, u32), Failure> {
    let maker = Maker::new("Vitrine drills", MODEL)?;
    let key = || SoftwareKey::new(&maker);
    let Some(invitation) = &options.invitation else {
        return failed("a first drill needs a custodian's invitation");
    };
    let invitation = Invitation::parse(invitation)?;
    let custodian = client.join(invitation, key()?).await?;
    let name = &custodian.name;
    story.tell(format!(
        "{name} joined by invitation, custodian, with a software key"
    ));
    unbound_elsewhere(client, options, &custodian, None).await?;
    let nth = nth(client, options, &custodian).await?;
    let names = options.names.numbered(nth);
    let engineer = invited(client, &custodian, &names.engineer, Role::Requester, key()?).await?;
    story.tell(format!("{} joined, on call", engineer.name));
    let mut approvers = Vec::new();
    for name in &names.approvers {
        let mut person = invited(client, &custodian, name, Role::Approver, key()?).await?;
        let mut keys = "one key";
        if approvers.is_empty() {
            client.add_key(&mut person, 0, key()?).await?;
            keys = "two keys, the second admitted by the first";
        }
        story.tell(format!("{name} joined, approver, with {keys}"));
        approvers.push(person);
    }
    let cast = Cast {
        custodian,
        engineer,
        approvers,
    };
    Ok((cast, nth))
}

/// The how-many-eth cast of this ledger they are: the first number whose names are free.
async fn nth(client: &Client, options: &Options, custodian: &Person) -> Result<u32, Failure> {
    let folded = |name: &str| name.to_lowercase();
    let mut taken: HashSet<String> = HashSet::new();
    for person in client.people(custodian).await? {
        taken.insert(folded(&person.name));
    }
    let safes: HashSet<String> = client
        .safes(custodian)
        .await?
        .iter()
        .map(|safe| folded(&safe.name))
        .collect();
    let free = |nth: &u32| {
        let names = options.names.numbered(*nth);
        let safe = numbered(&options.safe, *nth);
        names.all().all(|name| !taken.contains(&folded(name))) && !safes.contains(&folded(&safe))
    };
    (1..10_000)
        .find(free)
        .ok_or_else(|| Failure("every name is taken".into()))
}

async fn invited(
    client: &Client,
    custodian: &Person,
    name: &str,
    role: Role,
    key: SoftwareKey,
) -> Result<Person, Failure> {
    let invitation = client.invite(custodian, name, &[role]).await?;
    let mut person = client.join(invitation, key).await?;
    // Signing in for itself, so that it is rehearsed too.
    client.login(&mut person, 0).await?;
    Ok(person)
}

async fn found(
    client: &Client,
    options: &Options,
    nth: u32,
    cast: &mut Cast,
    story: &mut Story<'_>,
) -> Result<Safe, Failure> {
    let total = u64::try_from(cast.approvers.len()).unwrap_or(u64::MAX);
    let new = NewSafe::drill(&numbered(&options.safe, nth), NEEDED, total);
    let named: Vec<&Person> = cast.approvers.iter().collect();
    let roster = new.roster(1, &named);
    let filed = client
        .propose_safe(&cast.custodian, roster, "A safe for this drill.")
        .await?;
    let mut keys = 0;
    for person in &mut cast.approvers {
        for key in 0..person.keys.len() {
            client.accept(person, key, filed.request).await?;
            keys += 1;
        }
    }
    let safe = client.safe(&cast.custodian, filed.safe).await?;
    if !safe.drill || safe.m != NEEDED || safe.n != total {
        return failed("the safe is not the one that was asked for");
    }
    story.report.safe = Some(safe.safe.to_string());
    story.tell(format!(
        "Safe \u{201c}{}\u{201d} founded, {NEEDED} of {total}, for drills for ever: {keys} keys accepted",
        safe.name
    ));
    Ok(safe)
}

async fn add(
    client: &Client,
    options: &Options,
    safe: &Safe,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<Credential, Failure> {
    let name = match &options.target {
        Some(target) => format!("{} at {}", target.account, target.address),
        None => REHEARSED.into(),
    };
    let credential = client
        .add_credential(&cast.custodian, safe.safe, &name, SecretKind::Password)
        .await?;
    story.report.credential = Some(credential.credential.to_string());
    story.tell(format!(
        "Credential \u{201c}{name}\u{201d} added, without a version"
    ));
    Ok(credential)
}

async fn bind(
    client: &Client,
    target: &TargetAt,
    safe: &Safe,
    credential: &Credential,
    cast: &mut Cast,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let Some(administrator) = &target.administrator else {
        return failed(format!(
            "{} at {} is not bound yet: the database's administrator (--administrator) lets Vitrine in",
            target.account, target.address
        ));
    };
    let address = target.address.to_string();
    let draft = client
        .draft_target(
            &cast.custodian,
            credential.credential,
            &address,
            &target.account,
            target.pin,
        )
        .await?;
    story.tell(format!(
        "Target drafted; Vitrine printed {} lines of SQL, a SCRAM verifier in them and no password",
        draft.sql.lines().count()
    ));
    let password = administrator.password.as_deref();
    match Psql::connection(target.psql.clone(), &administrator.conninfo)
        .run(password.map(String::as_str), &draft.sql)
        .await
    {
        Said::Done(_) => story.tell("The database's administrator ran it by psql"),
        Said::PasswordRefused => return failed("the administrator's password was refused"),
        Said::Failed(why) => return failed(format!("the administrator's psql: {why}")),
    }
    let purpose = TargetPurpose {
        account: target.account.clone(),
        address,
        connector: "postgresql".into(),
        credential: credential.credential,
        pin: target.pin,
        target: draft.target,
    };
    let filed = client
        .propose_target(&cast.custodian, safe, purpose, "Where this drill plays.")
        .await?;
    let code = &filed.code;
    let mut state = String::new();
    for (signed, person) in (1..=NEEDED).zip(&mut cast.approvers) {
        let live = client.approve(person, 0, filed.request).await?;
        story.tell(format!(
            "{} signed for the target (request {code}, {signed} of {NEEDED})",
            person.name
        ));
        state = live.state;
    }
    if state != "done" {
        return failed(format!("the target was not bound: its request is {state}"));
    }
    Ok(())
}

async fn first_rotation(
    client: &Client,
    options: &Options,
    credential: &Credential,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<Version, Failure> {
    let id = credential.credential;
    client.rotate(&cast.custodian, id).await?;
    let version = client
        .rotated(&cast.custodian, id, 0, options.patience)
        .await?;
    story.tell(format!(
        "First rotation: version {} is set and proved at the database, and nobody has seen it",
        version.version
    ));
    Ok(version)
}

async fn generated(
    client: &Client,
    credential: &Credential,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<Version, Failure> {
    let id = credential.credential;
    client.generate(&cast.custodian, id).await?;
    let shown = client.credential(&cast.custodian, id).await?;
    let Some(version) = shown.current() else {
        return failed("nothing was sealed");
    };
    story.tell(format!(
        "Version {} generated and sealed, and nobody has seen it",
        version.version
    ));
    Ok(version.clone())
}

async fn ask(
    client: &Client,
    credential: &Credential,
    version: &Version,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<Release, Failure> {
    let mut ask = ReleaseAsk::because("Drill: the orders database refuses every login.");
    ask.ticket = Some("DRILL-1".into());
    let engineer = &cast.engineer;
    let release = client
        .ask_release(engineer, 0, credential, version, &ask)
        .await?;
    story.report.request = Some(release.filed.request.to_string());
    story.tell(format!(
        "{} asked for version {} for 15 minutes (request {})",
        engineer.name, version.version, release.filed.code
    ));
    Ok(release)
}

async fn sign_and_open(
    client: &Client,
    release: &Release,
    cast: &mut Cast,
    story: &mut Story<'_>,
) -> Result<Opened, Failure> {
    for (signed, person) in (1..=NEEDED).zip(&mut cast.approvers) {
        // The first has two keys: the second one serves as well.
        let key = person.keys.len() - 1;
        let live = client.approve(person, key, release.filed.request).await?;
        story.tell(format!("{} signed ({signed} of {NEEDED})", person.name));
        if signed < NEEDED {
            if live.reached {
                return failed("too few signatures were taken for enough");
            }
            refused_early(client, release, &cast.engineer).await?;
            story.tell("One signature opens nothing: refused");
        }
    }
    let engineer = &mut cast.engineer;
    let opened = client.open(engineer, release).await?;
    if let Some(wrong) = opened.wrong.first() {
        return failed(wrong.to_string());
    }
    let name = &engineer.name;
    story.tell(format!(
        "{name} opened it: entry {} proved, shares checked, {} characters put together in {name}\u{2019}s client",
        opened.seq,
        opened.plaintext.len()
    ));
    Ok(opened)
}

/// One signature too few: the service must say no.
async fn refused_early(
    client: &Client,
    release: &Release,
    engineer: &Person,
) -> Result<(), Failure> {
    match client.opening(engineer.by(), release).await {
        Err(client::Error::Refused(problem)) if problem.status == 409 => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => failed("it opened with one signature too few"),
    }
}

fn text(opened: &Opened) -> Result<&str, Failure> {
    Ok(std::str::from_utf8(opened.plaintext.expose())?)
}

async fn use_it(
    target: &TargetAt,
    opened: &Opened,
    story: &mut Story<'_>,
) -> Result<Session, Failure> {
    let psql = psql(target);
    let password = text(opened)?;
    let sql = "SELECT current_user || CASE WHEN rolsuper THEN ', superuser' ELSE '' END \
               || ', PostgreSQL ' || current_setting('server_version') FROM pg_roles WHERE rolname = current_user;";
    match psql.run(Some(password), sql).await {
        Said::Done(who) => story.tell(format!("A real session by psql: {who}")),
        Said::PasswordRefused => return failed("the database refused the opened password"),
        Said::Failed(why) => return failed(format!("psql: {why}")),
    }
    let mut session = psql.open(Some(password))?;
    if session.ask("SELECT 'here';").await.as_deref() != Some("here") {
        return failed("a second session did not answer");
    }
    Ok(session)
}

fn psql(target: &TargetAt) -> Psql {
    Psql::account(
        target.psql.clone(),
        &target.address,
        &target.account,
        &target.pin,
    )
}

async fn check_in(
    client: &Client,
    release: &Release,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let engineer = &cast.engineer;
    let request = release.filed.request;
    let live = client.check_in(engineer.by(), request).await?;
    if live.state != "closed" {
        return failed(format!("after the check-in the request is {}", live.state));
    }
    story.tell(format!("{} checked it in", engineer.name));
    Ok(())
}

async fn rotated(
    client: &Client,
    options: &Options,
    credential: &Credential,
    opened: &Opened,
    cast: &Cast,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let id = credential.credential;
    let next = client
        .rotated(&cast.custodian, id, opened.version, options.patience)
        .await?;
    story.tell(format!(
        "Rotated: version {} is set and proved by a fresh login, version {} is proved dead",
        next.version, opened.version
    ));
    Ok(())
}

async fn is_dead(
    target: &TargetAt,
    opened: &Opened,
    mut session: Session,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    match psql(target).run(Some(text(opened)?), "SELECT 1;").await {
        Said::PasswordRefused => story.tell("The old password by psql: refused by the database"),
        Said::Done(_) => return failed("the old password still opens a session"),
        Said::Failed(why) => return failed(format!("psql: {why}")),
    }
    if session.ask("SELECT 'still here';").await.is_some() {
        return failed("a session that was opened with the old password lives on");
    }
    story.tell("The session that was left open: ended by the rotation");
    Ok(())
}

/// Writes what is dead to what is there; makes no file.
fn hand_over(path: &Path, opened: &Opened) -> std::io::Result<()> {
    let mut there = std::fs::OpenOptions::new().write(true).open(path)?;
    there.write_all(opened.plaintext.expose())
}

/// Looks for the story's own entries, each proved under a signed checkpoint.
async fn ledger_says(
    client: &Client,
    options: &Options,
    credential: &Credential,
    opened: u64,
    cast: &mut Cast,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let trust = client.checkpoint(&mut cast.custodian).await?;
    let custodian = &cast.custodian;
    let id = credential.credential.to_string();
    let lines = client.lines(custodian, &id).await?;
    let mut wanted = vec![("release.opened", opened)];
    if options.target.is_some() {
        wanted.extend(
            [
                "rotation.staged",
                "rotation.applied",
                "rotation.proved",
                "rotation.promoted",
            ]
            .map(|event| (event, opened + 1)),
        );
    }
    let mut places = Vec::new();
    for (event, version) in wanted {
        let mut found = None;
        for line in lines.iter().filter(|line| line.event == event) {
            let proved = client.entry(custodian, &trust, line.seq).await?;
            let data = &proved.entry.data;
            if data.get("version").and_then(Value::as_u64) == Some(version)
                && data.get("credential").and_then(Value::as_str) == Some(&id)
            {
                found = Some(line.seq);
            }
        }
        match found {
            Some(seq) => places.push(format!("{event} {seq}")),
            None => {
                return failed(format!("the ledger has no {event} of version {version}"));
            }
        }
    }
    story.tell(format!(
        "The ledger says so, under a signed checkpoint of {} entries: {}",
        trust.size(),
        places.join(", ")
    ));
    if let Some(dir) = &options.evidence_out {
        let size = client.export(&mut cast.custodian, dir).await?;
        story.tell(format!(
            "{size} entries exported over HTTP, each proved, to {}",
            dir.display()
        ));
        let found = verify_dir(
            dir,
            &verify::Options {
                founded: Some(options.founded.unwrap_or(client.ledger()).0),
                ..verify::Options::default()
            },
        );
        if found.outcome != verify::Outcome::Valid {
            return failed(format!("the verifier says: {found}"));
        }
        story.tell(format!(
            "The verifier, from these files and the fingerprint alone: valid, {} signatures checked",
            found.signatures
        ));
    }
    Ok(())
}
