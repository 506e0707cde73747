//! PostgreSQL roles. Vitrine's own login there may do three things and no more, through `SECURITY DEFINER` functions:
//! set a SCRAM verifier for a listed role, ask whether a role has a verifier, end a role's sessions.
//!
//! The server is known again by the signed `pin`: a Unix socket, or the SHA-256 of its certificate's public key. No
//! public root counts, and there is no falling back to plain text.

use std::future::Future;
use std::io;
use std::pin::Pin as Pinned;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use quorum::statement::Pin;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, TlsConnect};
use tokio_postgres::{Client, Config, NoTls};

use super::TargetError;

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
    /// Reads `host:port/database` or `/socket/dir:port/database`, which must fit the pin.
    pub fn parse(address: &str, pin: Pin) -> Result<Place, &'static str> {
        let (server, database) = address.rsplit_once('/').ok_or("write host:port/database")?;
        let (host, port) = server.rsplit_once(':').ok_or("write host:port/database")?;
        let port = port.parse().map_err(|_| "the port is no number")?;
        if host.is_empty()
            || database.is_empty()
            || address.chars().any(|c| c.is_whitespace() || c == ',')
        {
            return Err("write host:port/database");
        }
        match (host.starts_with('/'), pin) {
            (true, Pin::Unix) | (false, Pin::Spki(_)) => Ok(Place {
                host: host.to_owned(),
                port,
                database: database.to_owned(),
                pin,
            }),
            (true, _) => Err("a socket is pinned as `unix`"),
            (false, _) => Err(
                "a server is pinned as sha256: and 64 hex digits of its certificate's public key",
            ),
        }
    }

    /// The server without the database: one login serves all roles of a server.
    pub fn server(address: &str) -> &str {
        address
            .rsplit_once('/')
            .map_or(address, |(server, _)| server)
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
        .application_name("vitrine");
    let client = tokio::time::timeout(deadline, open(place, &mut config))
        .await
        .map_err(|_| TargetError::Unreachable("no answer in time".into()))?
        .map_err(|e| said(&e, login.name))?;
    Ok(Session { client, deadline })
}

async fn open(place: &Place, config: &mut Config) -> Result<Client, tokio_postgres::Error> {
    match place.pin {
        Pin::Spki(pin) => {
            let (client, connection) = config
                .host(&place.host)
                .ssl_mode(SslMode::Require)
                .connect(MakePinned { pin })
                .await?;
            tokio::spawn(connection);
            Ok(client)
        }
        _ => {
            let (client, connection) = config.host_path(&place.host).connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// A PostgreSQL error in our words. The server's own text of a syntax error could quote what we sent, so only its
/// code and a closed list of messages leave this function.
fn said(e: &tokio_postgres::Error, who: &str) -> TargetError {
    if let Some(db) = e.as_db_error() {
        return match db.code().code() {
            "28P01" | "28000" => TargetError::LoginRefused(who.to_owned()),
            "P0001" => TargetError::Refused(db.message().chars().take(120).collect()),
            "42501" => TargetError::Refused("permission denied".into()),
            "42883" | "3F000" => TargetError::Refused(
                "Vitrine's functions are missing there; run the target's SQL".into(),
            ),
            "3D000" => TargetError::Refused("there is no such database".into()),
            code => TargetError::Refused(format!("SQLSTATE {code}")),
        };
    }
    let mut cause: Option<&dyn std::error::Error> = Some(e);
    while let Some(c) = cause {
        if c.to_string().contains(PIN_DIFFERS) {
            return TargetError::WrongServer(PIN_DIFFERS.into());
        }
        cause = c.source();
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

    /// Ends the role's client sessions; how many.
    pub async fn end_sessions(&self, role: &str) -> Result<i64, TargetError> {
        let row = self
            .call(
                self.client
                    .query_one("SELECT vitrine.end_sessions($1)", &[&role]),
            )
            .await?;
        row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))
    }

    /// Who the server takes us for.
    pub async fn whoami(&self) -> Result<String, TargetError> {
        let row = self
            .call(self.client.query_one("SELECT session_user::text", &[]))
            .await?;
        row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))
    }

    /// What the login has beyond its three functions; empty when it is as it should be.
    pub async fn excess(&self) -> Result<Vec<String>, TargetError> {
        let mut found = Vec::new();
        for (sql, what) in EXCESS {
            let row = self.call(self.client.query_one(*sql, &[])).await?;
            if row.try_get(0).map_err(|e| said(&e, "vitrine_rotator"))? {
                found.push((*what).to_owned());
            }
        }
        Ok(found)
    }
}

/// Questions whose answer must be false, asked as the login itself.
const EXCESS: &[(&str, &str)] = &[
    (
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = session_user",
        "it is a superuser, or may create roles or databases, replicate or bypass row security",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member WHERE r.rolname = session_user)",
        "it is a member of another role",
    ),
    (
        "SELECT has_table_privilege(session_user, 'vitrine.rotated', 'INSERT, UPDATE, DELETE, TRUNCATE')",
        "it may change the list of roles that it rotates",
    ),
    (
        "SELECT has_schema_privilege(session_user, 'vitrine', 'CREATE')",
        "it may create objects in the schema vitrine",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         JOIN pg_catalog.pg_roles r ON r.oid = p.proowner WHERE n.nspname = 'vitrine' AND (NOT r.rolsuper OR p.proconfig IS NULL))",
        "a function there is not owned by a superuser, or has no fixed search path",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = 'vitrine' AND has_function_privilege('public', p.oid, 'EXECUTE'))",
        "a function there is open to everybody",
    ),
];

/// A name as SQL writes it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as SQL writes it; no backslash means anything in it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What the database's administrator runs once, as a superuser, in the database that the address names. It carries a
/// verifier and no password, and may be run again.
pub fn setup_sql(login: &str, verifier: &str, role: &str) -> String {
    let (id, name, account, verifier) = (
        identifier(login),
        literal(login),
        literal(role),
        literal(verifier),
    );
    format!(
        r"-- Vitrine: lets the login {login} change the password of the listed roles, and nothing else.
-- Run it once as a superuser. It holds a SCRAM verifier, not a password; it may be run again.
BEGIN;
DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
    CREATE ROLE {id};
  END IF;
END $do$;
ALTER ROLE {id} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT
  PASSWORD {verifier};
CREATE SCHEMA IF NOT EXISTS vitrine;
REVOKE ALL ON SCHEMA vitrine FROM PUBLIC;
GRANT USAGE ON SCHEMA vitrine TO {id};
CREATE TABLE IF NOT EXISTS vitrine.rotated (role name NOT NULL, login name NOT NULL, PRIMARY KEY (role, login));
REVOKE ALL ON vitrine.rotated FROM PUBLIC, {id};
INSERT INTO vitrine.rotated (role, login) VALUES ({account}, {name}) ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION vitrine.listed(role_name text) RETURNS void
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
  IF NOT EXISTS (SELECT FROM vitrine.rotated r WHERE r.role = role_name AND r.login = session_user) THEN
    RAISE EXCEPTION 'this login does not rotate that role';
  END IF;
END $fn$;

CREATE OR REPLACE FUNCTION vitrine.set_verifier(role_name text, verifier text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
  PERFORM vitrine.listed(role_name);
  IF verifier !~ '^SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/]+={{0,2}}\$[A-Za-z0-9+/]{{43}}=:[A-Za-z0-9+/]{{43}}=$' THEN
    RAISE EXCEPTION 'that is no SCRAM verifier';
  END IF;
  EXECUTE pg_catalog.format('ALTER ROLE %I PASSWORD %L', role_name, verifier);
END $fn$;

CREATE OR REPLACE FUNCTION vitrine.has_verifier(role_name text, verifier text) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
  PERFORM vitrine.listed(role_name);
  RETURN EXISTS (SELECT FROM pg_catalog.pg_authid a WHERE a.rolname = role_name AND a.rolpassword = verifier);
END $fn$;

CREATE OR REPLACE FUNCTION vitrine.end_sessions(role_name text) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
  PERFORM vitrine.listed(role_name);
  RETURN (SELECT count(pg_catalog.pg_terminate_backend(s.pid)) FROM pg_catalog.pg_stat_activity s
          WHERE s.usename = role_name AND s.backend_type = 'client backend' AND s.pid <> pg_catalog.pg_backend_pid());
END $fn$;

REVOKE ALL ON FUNCTION vitrine.listed(text), vitrine.set_verifier(text, text), vitrine.has_verifier(text, text), vitrine.end_sessions(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vitrine.set_verifier(text, text), vitrine.has_verifier(text, text), vitrine.end_sessions(text) TO {id};
COMMIT;
"
    )
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

/// The encrypted stream, with what `tokio-postgres` wants to know of it.
struct Tls<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Tls<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
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
    fn names_and_strings_are_quoted() {
        let sql = setup_sql(
            "vitrine_rotator",
            "SCRAM-SHA-256$4096:a$b:c",
            "o'brien\"; DROP ROLE x; --",
        );
        assert!(sql.contains("'o''brien\"; DROP ROLE x; --'"));
    }
}
