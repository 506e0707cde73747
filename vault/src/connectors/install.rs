//! What a database administrator installs once, as text, and `doctor`'s comparison of what is there with it.
//!
//! The role `vitrine_rotator` holds the right to call three functions. Each target has a login of its own in it,
//! `vitrine_rotator_` and the last twelve digits of the target's id, and the table `vitrine.rotated` says which one account a
//! login may change: a second target on the same server adds a login and a row and touches neither password nor
//! row of the first, and whoever gets hold of one login gets no other account. Roles are the server's and the table is one database's:
//! the comment of a login says what it keeps to the scripts that are run in other databases.
//!
//! The functions run as the superuser who installs them (`SECURITY DEFINER`), with a fixed `search_path`; what a
//! login may do, they ask `session_user`, which only a superuser can change.

use std::fmt::Write;

use quorum::ids::{CredentialId, TargetId};

/// The role that holds the right to call the functions. Nobody logs in as it.
pub const ROLE: &str = "vitrine_rotator";

/// One function: name, arguments, result, body.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    types: &'static str,
    pub(super) result: &'static str,
    pub(super) body: &'static str,
}

pub(super) const FUNCTIONS: [Function; 3] = [
    Function {
        name: "set_verifier",
        arguments: "role text, verifier text",
        types: "text, text",
        result: "void",
        body: r"
BEGIN
  IF NOT EXISTS (SELECT FROM vitrine.rotated r WHERE r.login = session_user AND r.role = $1) THEN
    RAISE insufficient_privilege USING MESSAGE = 'this login may not change that role';
  END IF;
  IF $2 IS NULL OR $2 !~ '^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$' THEN
    RAISE invalid_parameter_value USING MESSAGE = 'not a SCRAM-SHA-256 verifier';
  END IF;
  EXECUTE format('ALTER ROLE %I PASSWORD %L', $1, $2);
END
",
    },
    Function {
        name: "has_verifier",
        arguments: "role text, verifier text",
        types: "text, text",
        result: "boolean",
        body: r"
BEGIN
  IF NOT EXISTS (SELECT FROM vitrine.rotated r WHERE r.login = session_user AND r.role = $1) THEN
    RAISE insufficient_privilege USING MESSAGE = 'this login may not ask about that role';
  END IF;
  RETURN EXISTS (SELECT FROM pg_authid a WHERE a.rolname = $1 AND a.rolpassword = $2);
END
",
    },
    Function {
        name: "end_sessions",
        arguments: "role text",
        types: "text",
        result: "bigint",
        body: r"
DECLARE
  ended bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM vitrine.rotated r WHERE r.login = session_user AND r.role = $1) THEN
    RAISE insufficient_privilege USING MESSAGE = 'this login may not end sessions of that role';
  END IF;
  PERFORM pg_terminate_backend(s.pid) FROM pg_stat_activity s
    WHERE s.usename = $1 AND s.backend_type = 'client backend' AND s.pid <> pg_backend_pid();
  GET DIAGNOSTICS ended = ROW_COUNT;
  RETURN ended;
END
",
    },
];

/// What all three functions have in common, as the catalogue has it.
pub(super) const SETTING: &str = "search_path=pg_catalog, pg_temp";

/// The login of a target at its server.
pub fn login_name(target: TargetId) -> String {
    let id = target.to_string();
    // The last twelve digits of a version 7 UUID are drawn at random; the first are the time.
    let tail = id.rsplit_once('-').map_or(id.as_str(), |(_, tail)| tail);
    format!("{ROLE}_{tail}")
}

/// What the script is about.
pub struct Binding<'a> {
    /// The target's login.
    pub login: &'a str,
    /// Its credential.
    pub credential: CredentialId,
    /// Where, as people write it.
    pub address: &'a str,
    /// The database of that address.
    pub database: &'a str,
    /// Whose password.
    pub account: &'a str,
    /// Verifier of the login's password.
    pub verifier: &'a str,
    /// Logins of the same credential that are out of use: they go.
    pub former: &'a [String],
}

const CHECKS: &str = r#"
DO $vitrine$
DECLARE
  account text := current_setting('vitrine.account');
  login text := current_setting('vitrine.login');
BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION 'Run this as a superuser.';
  END IF;
  IF current_setting('server_version_num')::int < 130000 THEN
    RAISE EXCEPTION 'This needs PostgreSQL 13 or newer.';
  END IF;
  IF current_database() <> current_setting('vitrine.database') THEN
    RAISE EXCEPTION 'Run this in database "%".', current_setting('vitrine.database');
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = account) THEN
    RAISE EXCEPTION 'There is no role "%".', account;
  END IF;
  IF EXISTS (SELECT FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner WHERE n.nspname = 'vitrine' AND NOT o.rolsuper) THEN
    RAISE EXCEPTION 'There is a schema "vitrine" that somebody else made.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vitrine_rotator') THEN
    CREATE ROLE vitrine_rotator;
  END IF;
  ALTER ROLE vitrine_rotator NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
    EXECUTE format('CREATE ROLE %I', login);
  END IF;
  EXECUTE format('ALTER ROLE %I LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 4 PASSWORD %L',
                 login, current_setting('vitrine.verifier'));
  IF NOT pg_has_role(login, 'vitrine_rotator', 'MEMBER') THEN
    EXECUTE format('GRANT vitrine_rotator TO %I', login);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO vitrine_rotator', current_database());
END
$vitrine$;

CREATE SCHEMA IF NOT EXISTS vitrine;
ALTER SCHEMA vitrine OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA vitrine FROM PUBLIC, vitrine_rotator;
GRANT USAGE ON SCHEMA vitrine TO vitrine_rotator;

CREATE TABLE IF NOT EXISTS vitrine.rotated (login name PRIMARY KEY, role name NOT NULL, credential uuid NOT NULL);
ALTER TABLE vitrine.rotated OWNER TO CURRENT_USER;
REVOKE ALL ON vitrine.rotated FROM PUBLIC, vitrine_rotator;
"#;

const BIND: &str = r#"
DO $vitrine$
DECLARE
  former text;
BEGIN
  IF EXISTS (SELECT FROM vitrine.rotated r WHERE r.role = current_setting('vitrine.account')
             AND r.credential <> current_setting('vitrine.credential')::uuid) THEN
    RAISE EXCEPTION 'Another credential of Vitrine keeps role "%": one account is kept in one place.', current_setting('vitrine.account')
      USING HINT = 'Ask its custodians. If that Vitrine is gone, delete the row from vitrine.rotated first.';
  END IF;
  -- Roles are the server's: what another of its databases keeps stands in the comment of the login there.
  IF EXISTS (SELECT FROM pg_shdescription d JOIN pg_roles r ON r.oid = d.objoid
             WHERE d.classoid = 'pg_authid'::regclass AND left(r.rolname::text, 16) = 'vitrine_rotator_'
             AND left(d.description, 20) = 'Vitrine: credential ' AND substr(d.description, 64) = current_setting('vitrine.account')
             AND substr(d.description, 21, 36) <> current_setting('vitrine.credential')) THEN
    RAISE EXCEPTION 'Another credential of Vitrine keeps role "%" by another database: one account is kept in one place.', current_setting('vitrine.account')
      USING HINT = 'Ask its custodians. If that Vitrine is gone, drop its login first: see the comments of the roles vitrine_rotator_*.';
  END IF;
  EXECUTE format('COMMENT ON ROLE %I IS %L', current_setting('vitrine.login'),
                 'Vitrine: credential ' || current_setting('vitrine.credential') || ', role ' || current_setting('vitrine.account'));
  INSERT INTO vitrine.rotated (login, role, credential)
    VALUES (current_setting('vitrine.login'), current_setting('vitrine.account'), current_setting('vitrine.credential')::uuid)
    ON CONFLICT (login) DO UPDATE SET role = excluded.role, credential = excluded.credential;
  FOREACH former IN ARRAY string_to_array(current_setting('vitrine.former'), ' ') LOOP
    DELETE FROM vitrine.rotated r WHERE r.login = former;
    EXECUTE format('DROP ROLE IF EXISTS %I', former);
  END LOOP;
END
$vitrine$;

COMMIT;
"#;

/// The script that a database administrator runs once, as a superuser. It carries no password.
pub fn sql(b: &Binding<'_>) -> String {
    let mut text = format!(
        "-- Vitrine: lets Vitrine change the password of one role, and do nothing else.\n\
         -- Run it once, as a superuser, in the database named below (PostgreSQL 13 or newer). Running it again does no harm.\n\
         -- It carries no password, only a SCRAM verifier of one. pg_hba.conf must ask the login and the role for\n\
         -- scram-sha-256 where Vitrine connects from ({}).\n\
         BEGIN;\n\
         SET LOCAL search_path = pg_catalog, pg_temp;\n",
        b.address
    );
    for (name, value) in [
        ("account", b.account),
        ("database", b.database),
        ("credential", &b.credential.to_string()),
        ("login", b.login),
        ("verifier", b.verifier),
        ("former", &b.former.join(" ")),
    ] {
        // Names with quotes or backslashes were refused when the target was described.
        let _ = writeln!(text, "SET LOCAL vitrine.{name} = {};", literal(value));
    }
    text.push_str(CHECKS);
    for f in &FUNCTIONS {
        let Function {
            name,
            arguments,
            types,
            result,
            body,
        } = f;
        let _ = write!(
            text,
            "\nCREATE OR REPLACE FUNCTION vitrine.{name}({arguments}) RETURNS {result}\n  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $vitrine${body}$vitrine$;\n\
             ALTER FUNCTION vitrine.{name}({types}) OWNER TO CURRENT_USER;\n\
             REVOKE ALL ON FUNCTION vitrine.{name}({types}) FROM PUBLIC;\n\
             GRANT EXECUTE ON FUNCTION vitrine.{name}({types}) TO vitrine_rotator;\n"
        );
    }
    text.push_str(BIND);
    text
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether the SQL was run at all.
pub(super) const THERE: &str = "SELECT to_regnamespace('vitrine') IS NOT NULL AND to_regclass('vitrine.rotated') IS NOT NULL AND to_regrole('vitrine_rotator') IS NOT NULL";

/// Whether a function is the one that was installed: $1 name, $2 body, $3 setting, $4 arguments, $5 result.
pub(super) const SAME: &str = "SELECT p.prosrc = $2 AND p.prosecdef AND p.proconfig IS NOT DISTINCT FROM ARRAY[$3] AND l.lanname = 'plpgsql' \
     AND pg_get_function_identity_arguments(p.oid) = $4 AND pg_get_function_result(p.oid) = $5 \
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     WHERE p.pronamespace = 'vitrine'::regnamespace AND p.proname = $1";

/// A verifier of no password.
pub(super) const NOBODYS: &str = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Questions whose answer must be false, asked as the login itself, and what it means when it is true.
pub(super) const EXCESS: &[(&str, &str)] = &[
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN (session_user, 'vitrine_rotator') \
         AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls))",
        "it is a superuser, or may create roles or databases, replicate or bypass row security",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'vitrine_rotator' AND rolcanlogin)",
        "somebody can log in as vitrine_rotator itself",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles member ON member.oid = m.member \
         JOIN pg_catalog.pg_roles granted ON granted.oid = m.roleid \
         WHERE (member.rolname = session_user AND granted.rolname <> 'vitrine_rotator') OR member.rolname = 'vitrine_rotator')",
        "it is a member of another role",
    ),
    (
        "SELECT has_any_column_privilege(session_user, 'vitrine.rotated'::regclass, 'SELECT, INSERT, UPDATE, REFERENCES') \
         OR has_table_privilege(session_user, 'vitrine.rotated'::regclass, 'DELETE, TRUNCATE, TRIGGER')",
        "it may read or change the list of roles that are rotated",
    ),
    (
        "SELECT has_schema_privilege(session_user, 'vitrine', 'CREATE') \
         OR EXISTS (SELECT FROM pg_catalog.pg_database d WHERE has_database_privilege(session_user, d.oid, 'CREATE'))",
        "it may create objects in the schema vitrine, or schemas",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE NOT o.rolsuper AND o.oid IN ( \
         SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'vitrine' \
         UNION SELECT relowner FROM pg_catalog.pg_class WHERE relnamespace = 'vitrine'::regnamespace \
         UNION SELECT proowner FROM pg_catalog.pg_proc WHERE pronamespace = 'vitrine'::regnamespace))",
        "the schema vitrine, or something in it, belongs to somebody who is no superuser",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p LEFT JOIN LATERAL pg_catalog.aclexplode(p.proacl) a ON true \
         WHERE p.pronamespace = 'vitrine'::regnamespace \
         AND (p.proacl IS NULL OR (a.grantee <> p.proowner AND a.grantee <> 'vitrine_rotator'::regrole)))",
        "somebody else may call its functions",
    ),
    (
        "SELECT count(*) <> 3 FROM pg_catalog.pg_proc WHERE pronamespace = 'vitrine'::regnamespace",
        "there are other functions in the schema vitrine",
    ),
    (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles member ON member.oid = m.member \
         JOIN pg_catalog.pg_roles granted ON granted.oid = m.roleid \
         WHERE granted.rolname = 'vitrine_rotator' AND m.admin_option AND NOT member.rolsuper)",
        "somebody who is no superuser may hand the role vitrine_rotator on",
    ),
    (
        // Rights and possessions of the login anywhere; of vitrine_rotator, in this database and in all, but for those that the SQL gives.
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid \
         WHERE d.refclassid = 'pg_authid'::regclass \
         AND d.classid <> 'pg_auth_members'::regclass \
         AND (r.rolname = session_user OR (r.rolname = 'vitrine_rotator' \
           AND d.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) AND NOT (d.deptype = 'a' AND ( \
           (d.classid = 'pg_namespace'::regclass AND d.objid = 'vitrine'::regnamespace) \
           OR (d.classid = 'pg_proc'::regclass AND d.objid IN (SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'vitrine'::regnamespace)) \
           OR d.classid = 'pg_database'::regclass)))))",
        "it has other rights, or owns something",
    ),
    (
        // In other databases nothing has a name here: one schema and three functions each are what the SQL gives there.
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_shdepend d \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = 'vitrine_rotator'::regrole \
         AND d.dbid NOT IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) \
         GROUP BY d.dbid \
         HAVING count(*) FILTER (WHERE d.deptype <> 'a' OR d.classid NOT IN ('pg_namespace'::regclass, 'pg_proc'::regclass)) > 0 \
         OR count(DISTINCT d.objid) FILTER (WHERE d.classid = 'pg_namespace'::regclass) > 1 \
         OR count(DISTINCT d.objid) FILTER (WHERE d.classid = 'pg_proc'::regclass) > 3)",
        "vitrine_rotator has other rights in another database",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_carries_names_as_strings_and_no_password() {
        let text = sql(&Binding {
            login: "vitrine_rotator_0123456789ab",
            credential: CredentialId::from_uuid_bytes([7; 16]),
            address: "/run/pg:5432/app",
            database: "app",
            account: "app$vitrine$ admin",
            verifier: NOBODYS,
            former: &[],
        });
        assert!(text.contains("SET LOCAL vitrine.account = 'app$vitrine$ admin';"));
        assert_eq!(text.matches("app$vitrine$ admin").count(), 1);
        assert_eq!(text.matches(NOBODYS).count(), 1);
    }
}
