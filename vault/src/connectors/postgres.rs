//! PostgreSQL roles. Vitrine's own login there may do three things and no more, through `SECURITY DEFINER` functions:
//! set a SCRAM verifier for a listed role, ask whether a role has a verifier, end a role's sessions.
//!
//! The server is known again by the signed `pin`: a Unix socket, or the SHA-256 of its certificate's public key. No
//! public root counts, and there is no falling back to plain text.
//!
//! The password never travels. Over TLS the login is SCRAM bound to the certificate (`tls-server-end-point`, RFC 5929), or it is none: a
//! server whose certificate is signed with Ed25519 has no such binding and cannot be used. Over a socket, which has nothing to bind to,
//! whoever listens there and asks for the password itself, or its MD5, is refused before it is answered.

use std::future::Future;
use std::io;
use std::pin::Pin as Pinned;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quorum::statement::Pin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio_postgres::config::{ChannelBinding as Binding, SslMode};
use tokio_postgres::tls::{ChannelBinding, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

use super::{TargetError, install};

/// The connector's name in `target.set`.
pub const NAME: &str = "postgresql";

/// Where a role lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Host, or the socket's directory.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database to connect to.
    pub database: String,
    /// How the server is known again.
    pub pin: Pin,
}

impl Place {
    /// Reads `host:port/database` or `/socket/dir:port/database`, which must fit the pin. One place has one spelling,
    /// as (target, account) belongs to one credential: a second spelling is refused where it can be told.
    pub fn parse(address: &str, pin: Pin) -> Result<Place, &'static str> {
        const FORM: &str = "write host:port/database";
        let (server, database) = address.rsplit_once('/').ok_or(FORM)?;
        let (host, port) = server.rsplit_once(':').ok_or(FORM)?;
        let number: u16 = port.parse().map_err(|_| "the port is no number")?;
        if number == 0 || number.to_string() != port {
            return Err("the port is a number from 1 to 65535");
        }
        check_name(database).map_err(|_| "the database's name cannot be used")?;
        let host = check_host(host)?;
        match (host.starts_with('/'), pin) {
            (true, Pin::Unix) | (false, Pin::Spki(_)) => Ok(Place {
                host: host.to_owned(),
                port: number,
                database: database.to_owned(),
                pin,
            }),
            (true, _) => Err("a socket is pinned as `unix`"),
            (false, _) => Err(
                "a server is pinned as sha256: and 64 hex digits of its certificate's public key",
            ),
        }
    }
}

/// The server of an address: what comes before its database. Roles are the server's, in all of its databases.
pub fn server(address: &str) -> &str {
    address
        .rsplit_once('/')
        .map_or(address, |(server, _)| server)
}

/// A host as an address writes it, without the brackets of IPv6.
fn check_host(text: &str) -> Result<&str, &'static str> {
    if text.starts_with('/') {
        let part = |p: &str| {
            !matches!(p, "" | "." | "..")
                && p.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
        };
        // A socket's path has 107 bytes at most, and the port is in its name.
        let good = text.len() <= 90 && text.split('/').skip(1).all(part);
        return good
            .then_some(text)
            .ok_or("the socket's folder cannot be used");
    }
    if let Some(ip) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let short = ip
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|a| a.to_string() == ip);
        return short
            .then_some(ip)
            .ok_or("write an IPv6 address in its short form");
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let good = text.len() <= 253
        && text.split('.').all(label)
        && (!digits || text.parse::<std::net::Ipv4Addr>().is_ok());
    good.then_some(text)
        .ok_or("a host is a name in lower case, an IPv4 address or an IPv6 address in brackets")
}

/// Whether a role of that name can be rotated: not PostgreSQL's own, nor Vitrine's, and no name that needs care
/// wherever it is written.
pub fn check_account(name: &str) -> Result<(), &'static str> {
    check_name(name)?;
    if name.starts_with("pg_") {
        Err("roles that begin with pg_ are PostgreSQL's own")
    } else if name.starts_with(super::install::ROLE) {
        Err("that is Vitrine's own login")
    } else {
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 63 {
        return Err("a name has 1 to 63 bytes");
    }
    let bad = |c: char| c.is_control() || matches!(c, '\'' | '"' | '\\' | '/');
    if name.contains(bad) {
        Err("a name has no quote, slash or control character")
    } else {
        Ok(())
    }
}

/// A login at the target.
pub struct Login<'a> {
    /// Role name.
    pub name: &'a str,
    /// Its password; borrowed, never kept.
    pub password: &'a [u8],
}

/// A conversation with a target.
pub struct Session {
    client: Client,
    deadline: Duration,
}

/// Opens a conversation. Everything in it has the same deadline.
pub async fn connect(
    place: &Place,
    login: &Login<'_>,
    deadline: Duration,
) -> Result<Session, TargetError> {
    let mut config = Config::new();
    config
        .port(place.port)
        .dbname(&place.database)
        .user(login.name)
        .password(login.password)
        .application_name("vitrine")
        .options(format!("-c statement_timeout={}", deadline.as_millis()));
    let client = tokio::time::timeout(deadline, open(place, &mut config))
        .await
        .map_err(|_| TargetError::Unreachable("no answer in time".into()))?
        .map_err(|e| match e {
            NotOpened::Said(e) => said(&e, login.name),
            NotOpened::NoSocket => TargetError::Unreachable("no connection".into()),
        })?;
    Ok(Session { client, deadline })
}

enum NotOpened {
    NoSocket,
    Said(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for NotOpened {
    fn from(e: tokio_postgres::Error) -> Self {
        NotOpened::Said(e)
    }
}

async fn open(place: &Place, config: &mut Config) -> Result<Client, NotOpened> {
    match place.pin {
        Pin::Spki(pin) => {
            let (client, connection) = config
                .host(&place.host)
                .ssl_mode(SslMode::Require)
                .channel_binding(Binding::Require)
                .connect(MakePinned { pin })
                .await?;
            tokio::spawn(connection);
            Ok(client)
        }
        _ => {
            let path = format!("{}/.s.PGSQL.{}", place.host, place.port);
            let socket = UnixStream::connect(path)
                .await
                .map_err(|_| NotOpened::NoSocket)?;
            let (client, connection) = config
                .ssl_mode(SslMode::Disable)
                .connect_raw(ScramAlone::new(socket), NoTls)
                .await?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// A PostgreSQL error in our words. The server's own text could quote what we sent, or say whatever it likes: nothing
/// of it but its five characters of code leaves this function.
fn said(e: &tokio_postgres::Error, who: &str) -> TargetError {
    if let Some(db) = e.as_db_error() {
        return match db.code().code() {
            "28P01" | "28000" => TargetError::LoginRefused(who.to_owned()),
            "42501" => TargetError::Refused("this login may not do that".into()),
            "42883" | "3F000" | "42P01" => TargetError::Refused(
                "Vitrine's functions are missing there; run the target's SQL again, which a custodian finds on the credential's page, under \u{201c}Where it lives\u{201d}".into(),
            ),
            "3D000" => TargetError::Refused("there is no such database".into()),
            "53300" => TargetError::Unreachable("too many sessions there".into()),
            "57P01" | "57P02" | "57P03" => {
                TargetError::Unreachable("it starts, stops or ended the session".into())
            }
            "57014" => TargetError::Unreachable("no answer in time".into()),
            code => TargetError::Refused(format!("SQLSTATE {code}")),
        };
    }
    let mut cause: Option<&dyn std::error::Error> = Some(e);
    while let Some(c) = cause {
        let text = c.to_string();
        if text.contains(PIN_DIFFERS) {
            return TargetError::WrongServer(PIN_DIFFERS.into());
        }
        if text.contains(ASKS_FOR_MORE) {
            return TargetError::Refused(ASKS_FOR_MORE.into());
        }
        cause = c.source();
    }
    if e.to_string().starts_with("authentication error") {
        return TargetError::Refused(
            "its login is not SCRAM bound to the connection; mend its pg_hba.conf".into(),
        );
    }
    if e.to_string().starts_with("error performing TLS handshake") {
        return TargetError::WrongServer("it does not speak TLS".into());
    }
    TargetError::Unreachable("no connection".into())
}

impl Session {
    async fn call<T>(
        &self,
        f: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, TargetError> {
        tokio::time::timeout(self.deadline, f)
            .await
            .map_err(|_| TargetError::Unreachable("no answer in time".into()))?
            .map_err(|e| said(&e, "vitrine_rotator"))
    }

    /// Sets a role's verifier.
    pub async fn set_verifier(&self, role: &str, verifier: &str) -> Result<(), TargetError> {
        self.call(
            self.client
                .execute("SELECT vitrine.set_verifier($1, $2)", &[&role, &verifier]),
        )
        .await
        .map(|_| ())
    }

    /// Whether a role's record is this verifier: then no other password opens it.
    pub async fn has_verifier(&self, role: &str, verifier: &str) -> Result<bool, TargetError> {
        let row = self
            .call(
                self.client
                    .query_one("SELECT vitrine.has_verifier($1, $2)", &[&role, &verifier]),
            )
            .await?;
        row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))
    }

    /// Ends the role's client sessions; how many there were. None is left when this returns.
    pub async fn end_sessions(&self, role: &str) -> Result<i64, TargetError> {
        let ended = self
            .until_none("SELECT vitrine.end_sessions($1)", &[&role])
            .await?;
        ended.ok_or_else(|| TargetError::Refused("old sessions of the role go on".into()))
    }

    /// Ends every other session of this login: each target has its own, so those are sagas that were taken over.
    /// What they had under way is done or gone when this returns.
    pub async fn end_former(&self) -> Result<(), TargetError> {
        const FORMER: &str = "SELECT count(pg_catalog.pg_terminate_backend(s.pid)) FROM pg_catalog.pg_stat_activity s \
             WHERE s.usename = session_user AND s.pid <> pg_catalog.pg_backend_pid()";
        let ended = self.until_none(FORMER, &[]).await?;
        ended
            .map(|_| ())
            .ok_or_else(|| TargetError::Refused("a former session of Vitrine's goes on".into()))
    }

    /// Asks again until the answer is 0; the largest answer before, or `None` when the time is over.
    async fn until_none(
        &self,
        sql: &str,
        about: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<i64>, TargetError> {
        let until = tokio::time::Instant::now() + self.deadline;
        let mut most = 0;
        loop {
            let found: i64 = self
                .call(self.client.query_one(sql, about))
                .await?
                .try_get(0)
                .map_err(|e| said(&e, "vitrine_rotator"))?;
            if found == 0 {
                return Ok(Some(most));
            }
            most = most.max(found);
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Who the server takes us for.
    pub async fn whoami(&self) -> Result<String, TargetError> {
        let row = self
            .call(self.client.query_one("SELECT session_user::text", &[]))
            .await?;
        row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))
    }

    /// What the login has beyond its three functions for `account`, or lacks; empty when it is as it should be.
    pub async fn excess(&self, account: &str) -> Result<Vec<String>, TargetError> {
        let mut found = Vec::new();
        let row = self
            .call(self.client.query_one(install::THERE, &[]))
            .await?;
        if !yes(&row)? {
            return Ok(vec!["the target's SQL was not run there".to_owned()]);
        }
        for (sql, what) in install::EXCESS {
            if yes(&self.call(self.client.query_one(*sql, &[])).await?)? {
                found.push((*what).to_owned());
            }
        }
        for f in &install::FUNCTIONS {
            let row = self
                .call(self.client.query_opt(
                    install::SAME,
                    &[&f.name, &f.body, &install::SETTING, &f.arguments, &f.result],
                ))
                .await?;
            if !row.as_ref().map(yes).transpose()?.unwrap_or(false) {
                found.push(format!(
                    "vitrine.{} is not the function that was installed",
                    f.name
                ));
            }
        }
        match self.has_verifier(account, install::NOBODYS).await {
            Ok(false) => {}
            Ok(true) => found.push("it takes any verifier for the role's own".into()),
            Err(TargetError::Refused(_)) => found.push("it may not change this role".into()),
            Err(e) => return Err(e),
        }
        Ok(found)
    }
}

fn yes(row: &tokio_postgres::Row) -> Result<bool, TargetError> {
    row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))
}

const PIN_DIFFERS: &str = "its key is not the pinned one";

/// Believes exactly one public key. The handshake's signature is checked as ever; names, dates and roots are not asked.
#[derive(Debug)]
struct OneKey {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OneKey {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = webpki::EndEntityCert::try_from(end)
            .map_err(|_| rustls::Error::General(PIN_DIFFERS.into()))?;
        let seen: [u8; 32] = Sha256::digest(certificate.subject_public_key_info()).into();
        if seen == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General(PIN_DIFFERS.into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(m, c, d, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(m, c, d, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[derive(Clone)]
struct MakePinned {
    pin: [u8; 32],
}

impl<S> tokio_postgres::tls::MakeTlsConnect<S> for MakePinned
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Tls<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connect, io::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OneKey {
                pin: self.pin,
                provider,
            }))
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Connect {
            config: Arc::new(config),
            name,
        })
    }
}

struct Connect {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Tls<S>;
    type Error = io::Error;
    type Future = Pinned<Box<dyn Future<Output = io::Result<Tls<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = tokio_rustls::TlsConnector::from(self.config);
            Ok(Tls(Box::new(connector.connect(self.name, stream).await?)))
        })
    }
}

/// What SCRAM is bound to: the certificate's hash, by the function that it was signed with, SHA-256 where that is weaker
/// (RFC 5929, section 4.1).
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
    const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
    const SHA384_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
    const SHA512_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
    const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    let (whole, _) = der(certificate)?;
    let (_, rest) = der(whole)?;
    let (algorithm, _) = der(rest)?;
    let (oid, parameters) = der(algorithm)?;
    // PSS names its function among its parameters.
    let named = |function: &[u8]| {
        oid == RSA_PSS && parameters.windows(function.len()).any(|w| w == function)
    };
    if oid == ED25519 {
        None
    } else if oid == SHA384_RSA || oid == SHA384_ECDSA || named(SHA384) {
        Some(Sha384::digest(certificate).to_vec())
    } else if oid == SHA512_RSA || oid == SHA512_ECDSA || named(SHA512) {
        Some(Sha512::digest(certificate).to_vec())
    } else {
        Some(Sha256::digest(certificate).to_vec())
    }
}

/// The content of the first DER element, and what follows it.
fn der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let (long, after) = rest.split_at_checked(length - 0x80)?;
        length = match long {
            [a] => usize::from(*a),
            [a, b] => usize::from(*a) << 8 | usize::from(*b),
            [a, b, c] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            _ => return None,
        };
        rest = after;
    }
    rest.split_at_checked(length)
}

const ASKS_FOR_MORE: &str =
    "it asks for the password itself and not for SCRAM; mend its pg_hba.conf";

/// A server's first message: its kind, length, and which login it asks for.
const FIRST: usize = 9;

/// A stream whose server may ask for SCRAM or for nothing: its first message is read here, and another one ends the
/// conversation before anything is answered. A later one is no place to ask: by then the login is under way.
struct ScramAlone<S> {
    stream: S,
    first: [u8; FIRST],
    seen: usize,
    given: usize,
}

impl<S> ScramAlone<S> {
    const fn new(stream: S) -> Self {
        Self {
            stream,
            first: [0; FIRST],
            seen: 0,
            given: 0,
        }
    }

    /// An error of the server's is passed on; else it asks for SASL (10), or for nothing (0).
    const fn good(&self) -> bool {
        matches!(self.first, [b'E', ..] | [b'R', _, _, _, _, 0, 0, 0, 0 | 10])
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ScramAlone<S> {
    fn poll_read(
        self: Pinned<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.seen < FIRST {
            let mut room = ReadBuf::new(this.first.get_mut(this.seen..).unwrap_or_default());
            ready!(Pinned::new(&mut this.stream).poll_read(cx, &mut room))?;
            match room.filled().len() {
                0 => return Poll::Ready(Ok(())),
                more => this.seen += more,
            }
        }
        if this.given < FIRST {
            if !this.good() {
                return Poll::Ready(Err(io::Error::other(ASKS_FOR_MORE)));
            }
            let rest = this.first.get(this.given..).unwrap_or_default();
            let some = rest.get(..buf.remaining()).unwrap_or(rest);
            buf.put_slice(some);
            this.given += some.len();
            return Poll::Ready(Ok(()));
        }
        Pinned::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ScramAlone<S> {
    fn poll_write(
        mut self: Pinned<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pinned::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The encrypted stream, with what `tokio-postgres` wants to know of it.
struct Tls<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Tls<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates();
        certificates
            .and_then(|all| all.first())
            .and_then(|certificate| end_point(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Tls<S> {
    fn poll_read(
        mut self: Pinned<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pinned::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tls<S> {
    fn poll_write(
        mut self: Pinned<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pinned::new(&mut *self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut *self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut *self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_fit_its_pin() {
        assert!(Place::parse("db.example:5432/orders", Pin::Spki([0; 32])).is_ok());
        assert!(Place::parse("/run/postgresql:5432/orders", Pin::Unix).is_ok());
        assert!(Place::parse("db.example:5432/orders", Pin::Unix).is_err());
        assert!(Place::parse("/run/postgresql:5432/orders", Pin::Spki([0; 32])).is_err());
        assert!(Place::parse("a,b:5432/orders", Pin::Spki([0; 32])).is_err());
        assert!(Place::parse("db.example/orders", Pin::Spki([0; 32])).is_err());
    }

    #[test]
    fn an_address_has_one_spelling() {
        for good in [
            "db.example:5432/app",
            "10.0.0.7:5432/app",
            "[::1]:5433/postgres",
        ] {
            Place::parse(good, Pin::Spki([0; 32])).unwrap();
        }
        for bad in [
            "DB.example:5432/app",
            "db.example.:5432/app",
            "db.example:05432/app",
            "db.example:0/app",
            "db.example:65536/app",
            "10.0.7:5432/app",
            "[0::1]:5432/app",
            "::1:5432/app",
            "db.example:5432/",
            "db.example:5432/a'b",
            "user@db.example:5432/app",
            "db.example :5432/app",
        ] {
            assert!(Place::parse(bad, Pin::Spki([0; 32])).is_err(), "{bad}");
        }
        for bad in ["/run/../run:5432/app", "/run//pg:5432/app", "/:5432/app"] {
            assert!(Place::parse(bad, Pin::Unix).is_err(), "{bad}");
        }
    }

    #[test]
    fn roles_that_are_not_ours_to_change_are_refused() {
        for bad in [
            "",
            "pg_monitor",
            "vitrine_rotator_1",
            "o'brien",
            "a\"b",
            "a\\b",
            "a\nb",
        ] {
            assert!(check_account(bad).is_err(), "{bad:?}");
        }
        for good in ["postgres", "app admin", "J\u{fc}rgen", "a$b"] {
            check_account(good).unwrap();
        }
    }
}
