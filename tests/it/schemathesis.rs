//! The contract, judged by somebody who only knows the contract.

use std::path::Path;
use std::process::Command;

/// Enough for every operation to be answered in all ways; `make schemathesis` sends more.
const CASES: u32 = 300;

#[test]
fn what_schemathesis_sends_is_answered_as_the_contract_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/schemathesis/bin/python");
    assert!(
        python.exists(),
        "schemathesis isn't installed: run `make test`, or `make target/schemathesis/.installed`"
    );
    let output = Command::new(python)
        .arg(root.join("tests/tools/run_schemathesis.py"))
        .args(["--program", env!("CARGO_BIN_EXE_file-share")])
        .args(["--cases", &CASES.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "see above");
    assert!(said.contains(" cases, by operation and status:"));
}
