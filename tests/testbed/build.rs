//! Compiles the two guest programs statically, so that the library can carry them as bytes. Nothing else is built here.
//!
//! Cargo does not build the binaries of a dependency, and a dynamically linked one would need the C library of this
//! machine inside the tree of an older Debian release.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/bin");
    compile("testbed-host", "src/bin/testbed-host/main.rs");
    compile("fence_testbed", "src/bin/fence_testbed.rs");
}

fn compile(name: &str, source: &str) {
    let rustc = std::env::var_os("RUSTC").expect("cargo tells build scripts which rustc to use");
    let target = std::env::var("TARGET").expect("cargo tells build scripts the target");
    let out_dir = std::env::var_os("OUT_DIR").expect("cargo tells build scripts where to write");
    let status = Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", &name.replace('-', "_"), "--crate-type", "bin"])
        .args([
            "-O",
            "-C",
            "target-feature=+crt-static",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
        ])
        .args(["--target", &target, source, "-o"])
        .arg(PathBuf::from(out_dir).join(name))
        .status()
        .expect("rustc can be started");
    assert!(status.success(), "the guest program {name} does not compile");
}
