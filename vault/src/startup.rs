//! Founding a Vitrine, and starting one.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

use actix_web::dev::Server;
use actix_web::http::header::{self, ETag, EntityTag, Header as _, IfNoneMatch};
use actix_web::middleware::from_fn;
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, web};
use audit::event::{FirstInvitation, Founding, Page, Role, SoftwareStarted};
use audit::{Actor, Event};
use quorum::Hash;
use quorum::ids::UserId;
use rust_embed::RustEmbed;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::app::{App, Parts};
use crate::clock::{Clock, DAY};
use crate::config::Config;
use crate::convert::Audited;
use crate::db::{Db, Engine};
use crate::error::{Error, Result, Words};
use crate::keys::{self, Keys};
use crate::ledger::anchor::Anchored;
use crate::ledger::{Anchor, Ledger};
use crate::people::attestation::TrustList;
use crate::people::sessions::{self, Token};
use crate::people::store::{self as people, User};

/// The pages' scripts, styles and fonts, bundled before the build.
#[derive(RustEmbed)]
#[folder = "../target/web"]
#[allow_missing = true]
struct Assets;

/// What founding gives: shown once, on paper or by voice.
pub struct Founded {
    /// The ledger's name.
    pub ledger: Hash,
    /// The first custodian's one-time invitation.
    pub invitation: Token,
    /// The origin.
    pub origin: String,
}

/// Founds the ledger: entry 0 and the first invitation. `again` founds anew over a ledger that nobody has joined.
pub async fn found(
    config: &Config,
    origin: &str,
    name: Option<&str>,
    custodian: &str,
    again: bool,
) -> Result<Founded> {
    let (origin, rp_id) = parse_origin(origin)?;
    let anchor = Anchor::at(&config.anchor_path());
    let url = config
        .database
        .owner_url
        .clone()
        .unwrap_or_else(|| config.database_url());
    let anew = again && never_used(&url).await;
    if anchor.read()?.is_some() && !anew {
        // Also where the database is gone: founding anew would forget the ledger that this node has seen.
        return Err(there_is_one());
    }
    std::fs::create_dir_all(&config.data)
        .and_then(|()| private(&config.data))
        .map_err(|e| {
            Error::invalid(
                "Not founded.",
                format!(
                    "The data directory {} cannot be made, or made private: {e}.",
                    config.data.display()
                ),
                "Name one that this user may write: `data` in the configuration, or VITRINE_DATA.",
            )
        })?;
    keys::provision(config)?;
    let keys = Keys::open(config)?;
    let made = keys.found()?;
    let db = Db::open(&url, true).await?;
    db.migrate(serving_role(config).as_deref()).await?;
    if anew {
        // The anchor first: whatever is left of a database without one may be founded over, and never the other way round.
        anchor.forget()?;
        crate::fault::point("found.forgotten");
        db.clear().await?;
        crate::fault::point("found.cleared");
        db.migrate(serving_role(config).as_deref()).await?;
    }
    let clock = Clock::default();
    let ledger = Ledger::open(
        db,
        clock.clone(),
        keys.clone(),
        anchor.clone(),
        config.ledger.batch,
    )
    .await?;
    if ledger.size() > 0 {
        return Err(there_is_one());
    }
    let name = name.map_or_else(|| rp_id.clone(), str::to_owned);
    let founding = Founding {
        checkpoint_keys: keys.checkpoint_keys(&name)?,
        continues: None,
        name,
        origins: vec![origin.clone()],
        rp_id,
    };
    let ((), receipt) = ledger
        .write(move |tx| {
            Box::pin(async move {
                tx.record(Actor::System, Event::LedgerFounded(Box::new(founding)), &[])
            })
        })
        .await?;
    crate::fault::point("found.committed");
    ledger.load_founding().await?;
    let invitation = invite_first(&ledger, receipt.leaf(), custodian).await?;
    for (key, token) in made {
        ledger
            .write(move |tx| {
                Box::pin(async move {
                    tx.record(
                        Actor::System,
                        Event::KekRolled {
                            key: key.audited(),
                            previous_key: None,
                            token,
                        },
                        &[&key],
                    )
                })
            })
            .await?;
    }
    crate::fault::point("found.entered");
    anchor.write(&Anchored {
        ledger: receipt.leaf(),
        size: 1,
        root: receipt.leaf(),
    })?;
    ledger.checkpoint().await?;
    Ok(Founded {
        ledger: receipt.leaf(),
        invitation,
        origin,
    })
}

fn there_is_one() -> Error {
    Error::conflict(
        "Not founded.",
        "There is a ledger already, or this node has anchored one.",
        "Run `vitrine serve`. Where its founding was interrupted, or its invitation was lost before anybody joined: `vitrine init --again`. \
         Where its database is gone: restore it, or found in another data directory.",
    )
}

/// There is a database, with a ledger that nobody has joined: its founding was killed on the way, or its invitation was lost.
/// Nobody's evidence goes with it.
async fn never_used(url: &str) -> bool {
    match Db::open(url, false).await {
        Ok(db) => db.unused().await.unwrap_or(false),
        Err(_) => false,
    }
}

async fn invite_first(ledger: &Ledger, name: Hash, custodian: &str) -> Result<Token> {
    let token = Token::draw()?;
    let invitation = token.digest("invitation");
    let user = UserId::from_uuid_bytes(*uuid::Uuid::now_v7().as_bytes());
    let custodian = custodian.to_owned();
    let expires = ledger.clock().now() + 7 * DAY;
    let nonce = sessions::random()?;
    ledger
        .write(move |tx| {
            Box::pin(async move {
                let event = Event::FirstPersonInvited(FirstInvitation {
                    expires,
                    invitation: audit::Hash(invitation.0),
                    ledger: audit::Hash(name.0),
                    name: custodian.clone(),
                    nonce,
                    roles: vec![Role::Custodian, Role::Auditor],
                    user: user.audited(),
                });
                tx.use_nonce(&nonce).await?;
                let done = tx.record(Actor::System, event, &[&user])?;
                let row = User {
                    user,
                    name: custodian.clone(),
                    roles: vec!["custodian".into(), "auditor".into()],
                    invitation: Some(invitation),
                    expires: Some(expires),
                    invited: done.seq(),
                };
                people::add_user(
                    tx.conn(),
                    &row,
                    &crate::people::fold(&custodian),
                    done.time(),
                )
                .await?;
                Ok(done)
            })
        })
        .await?;
    Ok(token)
}

fn serving_role(config: &Config) -> Option<String> {
    config.database.owner_url.as_ref()?;
    let url = url::Url::parse(&config.database_url()).ok()?;
    Some(url.username().to_owned()).filter(|u| !u.is_empty())
}

fn parse_origin(text: &str) -> Result<(String, String)> {
    let wrong = |why: &'static str| {
        Error::invalid(
            "Not founded.",
            why,
            "Give the address that people will type, such as https://vitrine.example.",
        )
    };
    let url = url::Url::parse(text).map_err(|_| wrong("The origin is no URL."))?;
    let host = url
        .host_str()
        .ok_or_else(|| wrong("The origin has no host."))?
        .to_owned();
    let local = host == "localhost";
    if url.scheme() != "https" && !(local && url.scheme() == "http") {
        return Err(wrong(
            "An origin is https, or http on localhost: browsers give keys to no other.",
        ));
    }
    if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
        return Err(wrong("An address is no name that a key can be bound to."));
    }
    Ok((url.origin().ascii_serialization(), host))
}

fn private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
}

/// Brings the database's schema up to date.
pub async fn migrate(config: &Config) -> Result<Vec<i64>> {
    let url = config
        .database
        .owner_url
        .clone()
        .unwrap_or_else(|| config.database_url());
    Db::open(&url, false)
        .await?
        .migrate(serving_role(config).as_deref())
        .await
}

/// Opens everything a node is made of, and refuses where something is not as it must be.
pub async fn open(config: Config, clock: Clock, adopt: Option<(u64, Hash)>) -> Result<App> {
    let opening = config.clone();
    let keys = tokio::task::spawn_blocking(move || Keys::open(&opening));
    let db = database(&config).await?;
    let keys = keys.await.map_err(Error::internal)??;
    open_with(config, clock, adopt, keys, db).await
}

/// The database of a node that serves, as its role.
pub async fn database(config: &Config) -> Result<Db> {
    let db = Db::open(&config.database_url(), false).await?;
    db.refuse_owner().await?;
    Ok(db)
}

/// As `open`, with tokens that are open already: a PIN is given once.
pub async fn open_with(
    config: Config,
    clock: Clock,
    adopt: Option<(u64, Hash)>,
    keys: Keys,
    db: Db,
) -> Result<App> {
    let trust = TrustList::load(&config.keys.trust)?;
    let anchor = Anchor::at(&config.anchor_path());
    let ledger = Ledger::open(db, clock, keys.clone(), anchor, config.ledger.batch).await?;
    ledger.check_anchor(adopt).await?;
    ledger.check_clock().await?;
    Ok(App::new(Parts {
        checked: Default::default(),
        lately: Default::default(),
        config,
        ledger,
        keys,
        rosters: Default::default(),
        sessions: Default::default(),
        drills: Default::default(),
        trust,
        presence: Default::default(),
        node: Default::default(),
    }))
}

/// A bound listener: a port in use is an error, never another port.
pub fn listen(config: &Config) -> Result<TcpListener> {
    let address: SocketAddr = config
        .server
        .listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut a| a.next())
        .ok_or_else(|| {
            Error::invalid(
                "Not started.",
                "`[server] listen` is no address.",
                "Write 127.0.0.1:7443, for instance.",
            )
        })?;
    if !address.ip().is_loopback() && config.server.certificate.is_none() {
        return Err(Error::invalid(
            "Not started.",
            "Plain HTTP is served on loopback only.",
            "Set `[server] certificate` and `private_key`, or listen on 127.0.0.1.",
        ));
    }
    TcpListener::bind(address).map_err(|e| {
        Error::Down(
            Words::new(
                "Not started.",
                format!("{address} cannot be listened on ({}).", e.kind()),
                "Stop what uses that port, or choose another and found with that origin.",
            ),
            e.to_string(),
        )
    })
}

/// Serves `app` on `listener` until stopped.
pub fn serve(app: App, listener: TcpListener) -> Result<Server> {
    let data = web::Data::new(app.clone());
    let workers = app.config.server.workers.max(1);
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(data.clone())
            .app_data(crate::http::json_config())
            .app_data(crate::http::query_config())
            .app_data(crate::http::path_config())
            .wrap(from_fn(crate::http::guard))
            .configure(routes)
    })
    .workers(workers)
    .client_request_timeout(std::time::Duration::from_secs(5))
    .shutdown_timeout(2);
    let server = match (
        &app.config.server.certificate,
        &app.config.server.private_key,
    ) {
        (Some(chain), Some(key)) => server.listen_rustls_0_23(listener, tls(chain, key)?),
        _ => server.listen(listener),
    };
    Ok(server.map_err(|e| Error::internal(e.to_string()))?.run())
}

/// Every route there is. The table in the tests lists each with who may call it.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(
        // What is asked most, first: an address is compared with one route after the other.
        web::scope("/api/v1")
            .configure(crate::safes::web::api)
            .configure(crate::requests::web::api)
            .configure(crate::credentials::web::api)
            .configure(crate::people::web::api)
            .configure(crate::ledger::web::api)
            .default_service(web::to(no_such_address)),
    )
    .route(
        "/healthz",
        web::get().to(|| async { HttpResponse::Ok().json(json!({ "ok": true })) }),
    )
    .route("/readyz", web::get().to(readyz))
    .route("/assets/{name:.*}", web::get().to(asset))
    .configure(crate::site::routes)
    .default_service(web::to(no_such_address));
}

async fn no_such_address() -> Result<HttpResponse> {
    Err(Error::missing("address"))
}

async fn readyz(app: web::Data<App>) -> Result<HttpResponse> {
    let asked = sqlx::query("SELECT 1").fetch_one(&app.ledger.db().pool);
    let answered = tokio::time::timeout(std::time::Duration::from_secs(2), asked).await;
    let database = matches!(answered, Ok(Ok(_))) && app.ledger.db().same_file().is_ok();
    let (hsm, clock) = (app.keys.ready(), !app.ledger.clock_stopped());
    let ready = database && hsm && clock && app.ledger.founding().is_ok();
    let body = json!({ "ready": ready, "database": database, "hsm": hsm, "clock": clock });
    Ok(if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    })
}

/// One of the pages' files. Its names stay the same from release to release, so a browser asks every time, by its hash.
async fn asset(path: web::Path<String>, req: HttpRequest) -> Result<HttpResponse> {
    let name = path.into_inner();
    let file = Assets::get(&name).ok_or_else(|| Error::missing("file"))?;
    let tag = EntityTag::new_strong(audit::Hash(file.metadata.sha256_hash()).to_string());
    let known = match IfNoneMatch::parse(&req) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|t| t.weak_eq(&tag)),
        _ => false,
    };
    let mut answer = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header(ETag(tag));
    if known {
        return Ok(answer.finish());
    }
    let kind = match name.rsplit_once('.').map(|(_, e)| e) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("woff2") => "font/woff2",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    Ok(answer.content_type(kind).body(file.data.into_owned()))
}

/// SHA-256 of the running program, read in pieces.
fn program_sha256() -> Result<audit::Hash> {
    use std::io::Read;
    let mut file = std::env::current_exe()
        .and_then(std::fs::File::open)
        .map_err(Error::internal)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut piece).map_err(Error::internal)?;
        if read == 0 {
            return Ok(audit::Hash(digest.finalize().into()));
        }
        digest.update(piece.get(..read).unwrap_or_default());
    }
}

/// Records the start, once somebody has accepted the clock where this start found it off, and once the ledger takes
/// entries. Hashing the program takes longer than a start may; nobody waits for it.
pub async fn record_start_in_time(app: App) {
    loop {
        app.ledger.clock_goes().await;
        let Err(e) = record_start(&app).await else {
            return;
        };
        tracing::error!(
            cause = e.cause().unwrap_or("refused"),
            "software.started was not entered: {e}"
        );
        if !matches!(e, Error::NoEntry(_) | Error::Down(..) | Error::NotReady(_)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
}

/// What browsers are given to run, with its hashes, and the program's own: an entry of each start.
pub async fn record_start(app: &App) -> Result<()> {
    let mut pages: Vec<Page> = Assets::iter()
        .filter(|name| name.ends_with(".js"))
        .filter_map(|name| {
            let file = Assets::get(&name)?;
            Some(Page {
                path: format!("/assets/{name}"),
                sha256: audit::Hash(file.metadata.sha256_hash()),
            })
        })
        .collect();
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    let program_sha256 = tokio::task::spawn_blocking(program_sha256)
        .await
        .map_err(Error::internal)??;
    let release = env!("CARGO_PKG_VERSION").to_owned();
    app.ledger
        .write(move |tx| {
            Box::pin(async move {
                tx.record(
                    Actor::System,
                    Event::SoftwareStarted(SoftwareStarted {
                        pages,
                        program_sha256,
                        release,
                    }),
                    &[],
                )
            })
        })
        .await
        .map(|_| ())
}

fn tls(chain: &Path, key: &Path) -> Result<rustls::ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let wrong = |e: String| {
        Error::invalid(
            "Not started.",
            format!("The certificate or key cannot be used: {e}."),
            "Mend `[server] certificate` and `private_key`.",
        )
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|e| wrong(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(e.to_string()))?;
    let mut config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .map_err(|e| wrong(e.to_string()))?
    .with_no_client_auth()
    .with_single_cert(chain, key)
    .map_err(|e| wrong(e.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Which database a configuration means, for `doctor`.
pub fn engine(config: &Config) -> Result<Engine> {
    Engine::of(&config.database_url())
}
