//! Has the pages' bundle (`make pages` writes it) embedded again when it changes, files that come and go included.

fn main() {
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/web");
    // A path that is missing would be looked for, in vain, at every build.
    let _ = std::fs::create_dir_all(web);
    println!("cargo::rerun-if-changed={web}");
    println!("cargo::rerun-if-changed=build.rs");
}
