//! The binary `harness`. It can also be either of the programs that it drives, so that one build is enough.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use solme_sync_harness::programs::{LICENSE_SERVER, MOCK_SOLME};

fn main() -> ExitCode {
    let mut args: Vec<OsString> = env::args_os().collect();
    let program = args.get(1).and_then(|arg| arg.to_str()).map(str::to_owned);
    match program.as_deref() {
        Some(name @ LICENSE_SERVER) => {
            args.splice(..2, [name.into()]);
            license_server::run(args)
        }
        Some(name @ MOCK_SOLME) => {
            args.splice(..2, [name.into()]);
            mock_solme::run(args, mock_solme::testing::Seams::default())
        }
        _ => solme_sync_harness::run(args),
    }
}
