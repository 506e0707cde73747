//! The connector's contract, against a real PostgreSQL: what it sets is what the target has, nobody else gets in, and
//! its login can do nothing else. No database of Vitrine's own is under it.

use std::time::Duration;

use quorum::ids::{CredentialId, TargetId};
use quorum::statement::Pin;
use sha2::{Digest, Sha256};
use vault::connectors::install::{self, Binding};
use vault::connectors::postgres::{self, Login, Place, Session};
use vault::connectors::{TargetError, scram};

use crate::testbed::Postgres;

const DEADLINE: Duration = Duration::from_secs(10);
const SECRET: &[u8] = b"the-login-of-this-test";
const NEW: &[u8] = b"a-new-password-of-24-let";

fn ids(n: u8) -> (TargetId, CredentialId) {
    (
        TargetId::from_uuid_bytes([n; 16]),
        CredentialId::from_uuid_bytes([n; 16]),
    )
}

/// What an administrator would run for target and credential `n`.
fn script(pg: &Postgres, n: u8, account: &str) -> String {
    script_in(pg, "orders", n, account)
}

fn script_in(pg: &Postgres, database: &str, n: u8, account: &str) -> String {
    let (target, credential) = ids(n);
    install::sql(&Binding {
        login: &install::login_name(target),
        credential,
        address: &pg.address().replace("/orders", &format!("/{database}")),
        database,
        account,
        verifier: &scram::verifier(SECRET).unwrap(),
        former: &[],
    })
}

fn place(pg: &Postgres) -> Place {
    Place::parse(&pg.address(), Pin::Unix).unwrap()
}

async fn login(place: &Place, name: &str, password: &[u8]) -> Result<Session, TargetError> {
    postgres::connect(place, &Login { name, password }, DEADLINE).await
}

async fn rotator(pg: &Postgres, n: u8) -> Session {
    let name = install::login_name(ids(n).0);
    login(&place(pg), &name, SECRET).await.unwrap()
}

fn installed() -> Postgres {
    let pg = Postgres::target();
    pg.sql("orders", &script(&pg, 1, "orders_admin"));
    pg
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_is_what_the_target_has() {
    let pg = installed();
    let rotator = rotator(&pg, 1).await;
    let held = login(&place(&pg), "orders_admin", b"start-password")
        .await
        .unwrap();
    let verifier = scram::verifier(NEW).unwrap();
    assert!(
        !rotator
            .has_verifier("orders_admin", &verifier)
            .await
            .unwrap()
    );
    rotator
        .set_verifier("orders_admin", &verifier)
        .await
        .unwrap();
    assert!(
        rotator
            .has_verifier("orders_admin", &verifier)
            .await
            .unwrap()
    );
    let fresh = login(&place(&pg), "orders_admin", NEW).await.unwrap();
    assert_eq!(fresh.whoami().await.unwrap(), "orders_admin");
    let refused = login(&place(&pg), "orders_admin", b"start-password").await;
    assert!(matches!(refused, Err(TargetError::LoginRefused(_))));
    // Both sessions are of the account, and both are gone when it says so.
    assert_eq!(rotator.end_sessions("orders_admin").await.unwrap(), 2);
    assert!(held.whoami().await.is_err() && fresh.whoami().await.is_err());
    assert_eq!(rotator.end_sessions("orders_admin").await.unwrap(), 0);
    // Set again, as after a lost answer: no harm.
    rotator
        .set_verifier("orders_admin", &verifier)
        .await
        .unwrap();
    assert!(pg.logs_in("orders_admin", NEW));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_target_touches_nothing_of_the_first() {
    let pg = installed();
    pg.sql("postgres", "CREATE ROLE reporting LOGIN");
    pg.sql("orders", &script(&pg, 2, "reporting"));
    let (first, second) = (rotator(&pg, 1).await, rotator(&pg, 2).await);
    let verifier = scram::verifier(NEW).unwrap();
    first.set_verifier("orders_admin", &verifier).await.unwrap();
    second.set_verifier("reporting", &verifier).await.unwrap();
    for (session, role) in [(&first, "reporting"), (&second, "orders_admin")] {
        assert!(session.set_verifier(role, &verifier).await.is_err());
        assert!(session.has_verifier(role, &verifier).await.is_err());
        assert!(session.end_sessions(role).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_server_keeps_an_account_in_one_place() {
    let pg = installed();
    // Another credential, under whatever spelling of the address.
    let out = pg
        .try_sql("orders", &script(&pg, 2, "orders_admin"))
        .unwrap_err();
    assert!(out.contains("one account is kept in one place"), "{out}");
    let login = install::login_name(ids(2).0);
    let made = pg.sql(
        "postgres",
        &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{login}'"),
    );
    assert_eq!(made, "0", "the script was not taken back as a whole");
    // Roles are the server's: another database of it is no other place, unless the credential is the same.
    let out = pg
        .try_sql("postgres", &script_in(&pg, "postgres", 2, "orders_admin"))
        .unwrap_err();
    assert!(out.contains("one account is kept in one place"), "{out}");
    pg.sql("postgres", &script_in(&pg, "postgres", 1, "orders_admin"));
    pg.sql("postgres", "CREATE ROLE reporting LOGIN");
    pg.sql("postgres", &script_in(&pg, "postgres", 2, "reporting"));
    // What the SQL gives in two databases is not too much in either.
    let none = Vec::<String>::new();
    assert_eq!(
        rotator(&pg, 1).await.excess("orders_admin").await.unwrap(),
        none
    );
    let out = pg
        .try_sql("orders", &script(&pg, 3, "reporting"))
        .unwrap_err();
    assert!(out.contains("one account is kept in one place"), "{out}");
    // The first goes on.
    let verifier = scram::verifier(NEW).unwrap();
    rotator(&pg, 1)
        .await
        .set_verifier("orders_admin", &verifier)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_refuses_where_it_must_not_run() {
    let pg = Postgres::target();
    let text = script(&pg, 1, "orders_admin");
    let out = pg.try_sql("postgres", &text).unwrap_err();
    assert!(out.contains("Run this in database"), "{out}");
    let out = pg
        .try_sql("orders", &script(&pg, 1, "nobody here"))
        .unwrap_err();
    assert!(out.contains("There is no role"), "{out}");
    // Somebody who may create schemas lays one ready, with a trigger that would run as the superuser.
    pg.sql(
        "postgres",
        "CREATE ROLE mallory LOGIN; GRANT CREATE ON DATABASE orders TO mallory",
    );
    pg.sql("orders", "CREATE SCHEMA vitrine AUTHORIZATION mallory");
    let out = pg.try_sql("orders", &text).unwrap_err();
    assert!(out.contains("somebody else made"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_verifier_is_refused() {
    let pg = installed();
    let rotator = rotator(&pg, 1).await;
    let good = scram::verifier(NEW).unwrap();
    for bad in [
        "",
        "plain password",
        "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        &good.replace("4096", "1"),
        &format!("{good}\n"),
        &format!("{good}'; DROP ROLE orders_admin; --"),
        &good.replace('$', "$$"),
    ] {
        let refused = rotator.set_verifier("orders_admin", bad).await;
        assert!(refused.is_err(), "{bad:?} was taken");
    }
    assert!(pg.logs_in("orders_admin", b"start-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_sees_what_is_too_much() {
    let pg = installed();
    let login = install::login_name(ids(1).0);
    let session = rotator(&pg, 1).await;
    assert_eq!(
        session.excess("orders_admin").await.unwrap(),
        Vec::<String>::new()
    );
    for (make, undo, what) in [
        (
            "ALTER ROLE {} CREATEROLE",
            "ALTER ROLE {} NOCREATEROLE",
            "may create roles",
        ),
        (
            "ALTER ROLE vitrine_rotator LOGIN",
            "ALTER ROLE vitrine_rotator NOLOGIN",
            "log in as vitrine_rotator",
        ),
        (
            "GRANT pg_read_all_data TO {}",
            "REVOKE pg_read_all_data FROM {}",
            "member of another role",
        ),
        (
            "GRANT pg_signal_backend TO vitrine_rotator",
            "REVOKE pg_signal_backend FROM vitrine_rotator",
            "member of another role",
        ),
        (
            "GRANT INSERT ON vitrine.rotated TO {}",
            "REVOKE INSERT ON vitrine.rotated FROM {}",
            "list of roles",
        ),
        (
            "GRANT UPDATE (role) ON vitrine.rotated TO vitrine_rotator",
            "REVOKE UPDATE (role) ON vitrine.rotated FROM vitrine_rotator",
            "list of roles",
        ),
        (
            "GRANT CREATE ON SCHEMA vitrine TO {}",
            "REVOKE CREATE ON SCHEMA vitrine FROM {}",
            "may create objects",
        ),
        (
            "GRANT EXECUTE ON FUNCTION vitrine.set_verifier TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION vitrine.set_verifier FROM PUBLIC",
            "somebody else may call",
        ),
        (
            "CREATE TABLE public.t (a int); GRANT SELECT ON public.t TO {}",
            "DROP TABLE public.t",
            "other rights",
        ),
        (
            "CREATE TABLE public.t (a int); ALTER TABLE public.t OWNER TO vitrine_rotator",
            "DROP TABLE public.t",
            "other rights",
        ),
        (
            "GRANT vitrine_rotator TO {} WITH ADMIN OPTION",
            "REVOKE ADMIN OPTION FOR vitrine_rotator FROM {}",
            "hand the role",
        ),
        (
            "CREATE ROLE other3; GRANT vitrine_rotator TO other3 WITH ADMIN OPTION",
            "DROP ROLE other3",
            "hand the role",
        ),
        (
            "GRANT CREATE ON DATABASE postgres TO {}",
            "REVOKE CREATE ON DATABASE postgres FROM {}",
            "schemas",
        ),
        (
            "CREATE FUNCTION vitrine.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION vitrine.more",
            "other functions",
        ),
        (
            "ALTER FUNCTION vitrine.end_sessions RESET search_path",
            "ALTER FUNCTION vitrine.end_sessions SET search_path = pg_catalog, pg_temp",
            "not the function",
        ),
        (
            "ALTER FUNCTION vitrine.end_sessions SECURITY INVOKER",
            "ALTER FUNCTION vitrine.end_sessions SECURITY DEFINER",
            "not the function",
        ),
        (
            "UPDATE vitrine.rotated SET role = 'postgres'",
            "UPDATE vitrine.rotated SET role = 'orders_admin'",
            "may not change this role",
        ),
        (
            "CREATE ROLE owner2; ALTER TABLE vitrine.rotated OWNER TO owner2",
            "ALTER TABLE vitrine.rotated OWNER TO postgres",
            "belongs to somebody",
        ),
    ] {
        pg.sql("orders", &make.replace("{}", &login));
        let found = session.excess("orders_admin").await.unwrap();
        assert!(found.iter().any(|f| f.contains(what)), "{make}: {found:?}");
        pg.sql("orders", &undo.replace("{}", &login));
        assert_eq!(
            session.excess("orders_admin").await.unwrap(),
            Vec::<String>::new(),
            "after {undo}"
        );
    }
    // In another database.
    for (make, undo, what) in [
        (
            "CREATE TABLE public.t (a int); GRANT SELECT ON public.t TO {}",
            "DROP TABLE public.t",
            "other rights",
        ),
        (
            "CREATE TABLE public.t (a int); GRANT SELECT ON public.t TO vitrine_rotator",
            "DROP TABLE public.t",
            "in another database",
        ),
        (
            "CREATE SCHEMA s1; GRANT USAGE ON SCHEMA s1 TO vitrine_rotator; CREATE SCHEMA s2; GRANT USAGE ON SCHEMA s2 TO vitrine_rotator",
            "DROP SCHEMA s1; DROP SCHEMA s2",
            "in another database",
        ),
    ] {
        pg.sql("postgres", &make.replace("{}", &login));
        let found = session.excess("orders_admin").await.unwrap();
        assert!(found.iter().any(|f| f.contains(what)), "{make}: {found:?}");
        pg.sql("postgres", undo);
        let found = session.excess("orders_admin").await.unwrap();
        assert_eq!(found, Vec::<String>::new(), "after {undo}");
    }
    // A function of the same shape that does something else.
    pg.sql("orders", "CREATE OR REPLACE FUNCTION vitrine.has_verifier(role text, verifier text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN true; END'");
    let found = session.excess("orders_admin").await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    pg.sql("orders", &script(&pg, 1, "orders_admin"));
    assert_eq!(
        session.excess("orders_admin").await.unwrap(),
        Vec::<String>::new()
    );
}

/// A node that was slow and lost its lease must not apply its old value after the one that took over.
#[tokio::test(flavor = "multi_thread")]
async fn p6_the_later_session_ends_the_former() {
    let pg = installed();
    let slow = rotator(&pg, 1).await;
    let next = rotator(&pg, 1).await;
    next.end_former().await.unwrap();
    let old = scram::verifier(b"the-value-of-the-slow-node").unwrap();
    assert!(slow.set_verifier("orders_admin", &old).await.is_err());
    let new = scram::verifier(NEW).unwrap();
    next.set_verifier("orders_admin", &new).await.unwrap();
    assert!(next.has_verifier("orders_admin", &new).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_target_is_given_up_at_the_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let place = Place::parse(&format!("127.0.0.1:{port}/orders"), Pin::Spki([0; 32])).unwrap();
    let begun = std::time::Instant::now();
    let login = Login {
        name: "x",
        password: b"y",
    };
    let refused = postgres::connect(&place, &login, Duration::from_millis(300)).await;
    assert!(matches!(refused, Err(TargetError::Unreachable(_))));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_pin_decides() {
    let pg = installed();
    // A name and dates that nobody would believe: only the key counts.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut about = rcgen::CertificateParams::new(vec!["elsewhere.invalid".to_owned()]).unwrap();
    about.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let certificate = about.self_signed(&key).unwrap();
    let at = |pin| Place::parse(&format!("localhost:{}/orders", pg.port), pin).unwrap();
    let pin = Pin::Spki(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key)).into());
    // Without TLS there is no conversation, and no plain text either.
    let said = login(&at(pin), "orders_admin", b"start-password")
        .await
        .err()
        .unwrap();
    assert_eq!(
        said,
        TargetError::WrongServer("it does not speak TLS".into())
    );
    pg.switch_tls_on(&certificate.pem(), &key.serialize_pem());
    let session = login(&at(pin), "orders_admin", b"start-password")
        .await
        .unwrap();
    assert_eq!(session.whoami().await.unwrap(), "orders_admin");
    let said = login(&at(Pin::Spki([7; 32])), "orders_admin", b"start-password")
        .await
        .err()
        .unwrap();
    assert!(matches!(said, TargetError::WrongServer(_)), "{said}");
    let said = login(&at(pin), "orders_admin", b"wrong")
        .await
        .err()
        .unwrap();
    assert!(matches!(said, TargetError::LoginRefused(_)), "{said}");
}

/// A server that wants the password as it is, or hashed with MD5, does not get it, over whichever way it is reached.
#[tokio::test(flavor = "multi_thread")]
async fn p11_a_password_is_never_sent() {
    let pg = installed();
    let key = rcgen::KeyPair::generate().unwrap();
    let about = rcgen::CertificateParams::new(vec!["elsewhere.invalid".to_owned()]).unwrap();
    let certificate = about.self_signed(&key).unwrap();
    pg.switch_tls_on(&certificate.pem(), &key.serialize_pem());
    let pin = Pin::Spki(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key)).into());
    let tls = Place::parse(&format!("127.0.0.1:{}/orders", pg.port), pin).unwrap();
    let admin = "orders_admin";
    login(&tls, admin, b"start-password").await.unwrap();
    login(&place(&pg), admin, b"start-password").await.unwrap();
    pg.rules("local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nlocal all all password\nhost all all 127.0.0.1/32 password\n");
    for place in [tls, place(&pg)] {
        let said = login(&place, admin, b"start-password").await.err().unwrap();
        let TargetError::Refused(why) = &said else {
            panic!("{said}")
        };
        assert!(why.contains("SCRAM"), "{said}");
    }
    // Somebody who took the socket's place, and asks in each way there is; what he is sent is the startup alone.
    for asks in [3_u8, 5] {
        let dir = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
        let thief = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; 4096];
            let startup = stream.read(&mut heard).await.unwrap();
            let salt: &[u8] = if asks == 5 { b"salt" } else { b"" };
            let length = 8 + u8::try_from(salt.len()).unwrap();
            let asked = [&[b'R', 0, 0, 0, length, 0, 0, 0, asks], salt].concat();
            stream.write_all(&asked).await.unwrap();
            let more = stream.read(&mut heard).await.unwrap_or(0);
            (startup, more)
        });
        let place = format!("{}:5432/orders", dir.path().display());
        let place = Place::parse(&place, Pin::Unix).unwrap();
        let said = login(&place, admin, b"start-password").await.err().unwrap();
        assert!(matches!(said, TargetError::Refused(_)), "{said}");
        let (startup, more) = thief.await.unwrap();
        assert!(startup > 8 && more == 0, "{asks}: {more} bytes were sent");
    }
}
