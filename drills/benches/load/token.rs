//! What a PKCS#11 token itself takes for the two things that a release asks of one: no pool, no deadline, no Vitrine. In a process
//! of its own, since SoftHSM reads its configuration from the environment that it was started in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

/// The argument that makes a process the token's.
pub(crate) const PROCESS: &str = "token-floor";
const PIN: &str = "1234";
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
/// DER of the curve's name as PKCS#11 wants it: a printable string, `edwards25519` (PKCS#11 3.0, 2.3.5).
const ED25519: &[u8] = b"\x13\x0cedwards25519";

/// A token with a key of each kind.
pub(crate) struct Token {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Token {
    pub(crate) fn make(folder: &Path) -> Self {
        let tokens = folder.join("floor-tokens");
        std::fs::create_dir_all(&tokens).unwrap();
        let conf = folder.join("floor-softhsm2.conf");
        let text = format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(&conf, text).unwrap();
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "floor"])
            .args(["--pin", PIN, "--so-pin", PIN])
            .env("SOFTHSM2_CONF", &conf)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(PROCESS)
            .env("SOFTHSM2_CONF", &conf)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = process.stdin.take().unwrap();
        let from = BufReader::new(process.stdout.take().unwrap());
        Self { process, to, from }
    }

    /// Opening 32 bytes under AES-256-GCM, once, in microseconds.
    pub(crate) fn unwrap_us(&mut self) -> f64 {
        self.ask("unwrap")
    }

    /// An Ed25519 signature, once, in microseconds.
    pub(crate) fn sign_us(&mut self) -> f64 {
        self.ask("sign")
    }

    fn ask(&mut self, what: &str) -> f64 {
        writeln!(self.to, "{what}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the token's process does: a word a line, and how long it took.
pub(crate) fn serve() {
    let module = MODULES.iter().find(|m| Path::new(m).exists()).unwrap();
    let pkcs11 = Pkcs11::new(module).unwrap();
    let threads = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    pkcs11.initialize(threads).unwrap();
    let slot = pkcs11.get_slots_with_initialized_token().unwrap()[0];
    let session = pkcs11.open_rw_session(slot).unwrap();
    let pin = AuthPin::new(PIN.into());
    session.login(UserType::User, Some(&pin)).unwrap();
    let kept = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    let wraps = [
        Attribute::ValueLen(32.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let wrapping = session
        .generate_key(&Mechanism::AesKeyGen, &[&kept[..], &wraps].concat())
        .unwrap();
    let (_, signing) = session
        .generate_key_pair(
            &Mechanism::EccEdwardsKeyPairGen,
            &[
                Attribute::Token(true),
                Attribute::Verify(true),
                Attribute::EcParams(ED25519.to_vec()),
            ],
            &[&kept[..], &[Attribute::Sign(true)]].concat(),
        )
        .unwrap();
    let gcm = |iv: &'static mut [u8]| {
        Mechanism::AesGcm(GcmParams::new(iv, b"floor", 128.into()).unwrap())
    };
    let iv = || Box::leak(Box::new([7_u8; 12]));
    let wrapped = session.encrypt(&gcm(iv()), wrapping, &[9; 32]).unwrap();
    let eddsa = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
    for line in std::io::stdin().lines() {
        let begun = Instant::now();
        match line.unwrap().as_str() {
            "unwrap" => drop(session.decrypt(&gcm(iv()), wrapping, &wrapped).unwrap()),
            _ => drop(session.sign(&eddsa, signing, &[1; 150]).unwrap()),
        }
        println!("{}", begun.elapsed().as_secs_f64() * 1e6);
    }
}
