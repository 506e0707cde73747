//! Who lives there: a custodian, five approvers, and as many people who ask as there are clients.

use drills::client::{Asking, Client, Credential, NewSafe, Person, ReleaseAsk, Version, b64};
use drills::client::{Invitation, Release};
use drills::key::{Maker, SoftwareKey};
use quorum::secret::DeliveryKey;
use quorum::statement::{Kind, Purpose, ReleasePurpose, Role, SecretKind};
use serde_json::json;

use crate::server::Server;

/// People who ask: one for each client, so that each key's counter rises in its own order.
const ASKING: usize = 64;

pub(crate) struct House {
    pub(crate) client: Client,
    custodian: Person,
    pub(crate) asking: Vec<Person>,
    pub(crate) approvers: Vec<Person>,
    pub(crate) credential: Credential,
}

impl House {
    /// A drill safe, three of five, with one generated password in it.
    pub(crate) async fn furnished(server: &Server) -> Self {
        let client = Client::connect(&server.url()).await.unwrap();
        let maker = Maker::new("Bench keys", *b"vitrine benchkey").unwrap();
        let key = || SoftwareKey::new(&maker).unwrap();
        let invitation = Invitation::parse(&server.invitation).unwrap();
        let custodian = client.join(invitation, key()).await.unwrap();
        let (mut asking, mut approvers) = (Vec::new(), Vec::new());
        for n in 0..ASKING + 5 {
            let (list, name, role) = match n.checked_sub(ASKING) {
                None => (&mut asking, format!("Engineer {n}"), Role::Requester),
                Some(n) => (&mut approvers, format!("Approver {n}"), Role::Approver),
            };
            let invitation = client.invite(&custodian, &name, &[role]).await.unwrap();
            list.push(client.join(invitation, key()).await.unwrap());
        }
        let mut named: Vec<&mut Person> = approvers.iter_mut().collect();
        let new = NewSafe::drill("Bench: databases", 3, 5);
        let safe = client
            .found_safe(&custodian, &new, &mut named)
            .await
            .unwrap();
        let id = client
            .add_credential(
                &custodian,
                safe.safe,
                "Bench password",
                SecretKind::Password,
            )
            .await
            .unwrap()
            .credential;
        client.generate(&custodian, id).await.unwrap();
        let credential = client.credential(&custodian, id).await.unwrap();
        Self {
            client,
            custodian,
            asking,
            approvers,
            credential,
        }
    }

    fn version(&self) -> Version {
        self.credential.current().unwrap().clone()
    }

    /// The first engineer asks for the password.
    pub(crate) async fn ask(&self) -> Release {
        let ask = ReleaseAsk::because("The primary refuses every login.");
        self.client
            .ask_release(&self.asking[0], 0, &self.credential, &self.version(), &ask)
            .await
            .unwrap()
    }

    /// Signs the engineers in again: on a copy, or after a while.
    pub(crate) async fn sign_in(&mut self, server: &Server) {
        assert_eq!(self.client.base(), server.url());
        for person in self.asking.iter_mut().chain([&mut self.custodian]) {
            person.pinned = None;
            self.client.login(person, 0).await.unwrap();
        }
    }

    /// For each of `clients` connections `each` results of drills, as bytes to be sent: entries without signature or rules.
    pub(crate) fn results(
        &self,
        server: &Server,
        clients: usize,
        each: usize,
    ) -> Vec<Vec<Vec<u8>>> {
        let path = format!("/api/v1/safes/{}/drills", self.credential.safe);
        let lane = |lane: usize| {
            let one = |n: usize| {
                let report = audit::leaf_hash(&[lane.to_be_bytes(), n.to_be_bytes()].concat());
                let body = json!({ "outcome": "passed", "report_sha256": report.to_string() });
                post(server, &self.custodian, &path, &body)
            };
            (0..each).map(one).collect()
        };
        (0..clients).map(lane).collect()
    }

    /// For each of `clients` engineers `each` filings, signed, as bytes to be sent.
    pub(crate) fn filings(
        &self,
        server: &Server,
        clients: usize,
        each: usize,
    ) -> Vec<Vec<Vec<u8>>> {
        let version = self.version();
        let delivery_key = DeliveryKey::generate().unwrap().public().unwrap();
        let purpose = Purpose::Release(ReleasePurpose {
            credential: self.credential.credential,
            delivery_key,
            duration_s: 900,
            envelope: version.envelope,
            epoch: version.epoch,
            open_within_s: 900,
            sealed_as: version.sealed_as().unwrap(),
            version: version.version,
        });
        let asking = Asking {
            safe: self.credential.safe,
            roster: version.roster,
            purpose,
            reason: "The primary refuses every login after the failed upgrade.".into(),
            ticket: Some("INC-4821".into()),
            life_s: 1800,
        };
        let lane = |person| {
            (0..each)
                .map(|_| self.filing(server, person, &asking))
                .collect()
        };
        self.asking.iter().take(clients).map(lane).collect()
    }

    fn filing(&self, server: &Server, person: &Person, asking: &Asking) -> Vec<u8> {
        let salt = [9; 32];
        let asked = self.client.request(person, asking, &salt);
        let signed = self
            .client
            .sign(person, 0, Kind::Request(Box::new(asked)))
            .unwrap();
        let body = json!({ "signed": signed.json(), "reason": asking.reason, "salt": b64(&salt) });
        post(server, person, "/api/v1/requests", &body)
    }
}

/// A POST of `person`, as bytes.
fn post(server: &Server, person: &Person, path: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    let session = person.session.as_ref().unwrap().expose();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nCookie: __Host-vitrine={session}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.port,
        body.len()
    )
    .into_bytes()
}
