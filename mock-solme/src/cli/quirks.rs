//! `quirks`: misbehave on command.

use clap::{ArgGroup, Args, Subcommand};
use reqwest::Method;
use solme_sync_protocol::{LicenseServerId, UtcTime};

use super::admin::Call;
use super::render;
use super::values::time;
use crate::quirks::{Fault, Operation, Parameters, Place, Quirk, Variant, When};

#[derive(Debug, Subcommand)]
pub(super) enum Quirks {
    /// List all quirks: what happens, to which operations, and the clause that it tests
    List {
        /// List the defects for --variant instead
        #[arg(long)]
        variants: bool,
    },
    /// Arm a quirk
    #[command(after_help = ARM_HELP)]
    Arm(Box<Arm>),
    /// Disarm one fault, or all
    #[command(
        after_help = "Name a number, or --all.\n\nExamples:\n  mock-solme quirks disarm 1\n  mock-solme quirks disarm --all",
        group(ArgGroup::new("which").required(true))
    )]
    Disarm {
        /// Its number, from `arm` or `report`
        #[arg(group = "which")]
        number: Option<u64>,
        /// All faults
        #[arg(long, group = "which")]
        all: bool,
    },
    /// Show what is armed, how often it fired, and how often it will
    Report,
    /// Show the result of each exchange: operation, id, quirk, verdict, clause
    Trace,
}

const ARM_HELP: &str = "By default it affects every matching exchange until disarmed. An exchange has at most one
quirk: first those that keep the request from the main server, then those of the answer, each
in the order in which they were armed. Quirks of the connection (tls-other-ca,
tls-expired-certificate, port-closed, port-black-holed) affect the next connection to the port,
whatever it is for; they take no --id, and open connections are not affected. GET /health and
requests for unknown payloads are probes, as made by license-server doctor: only a quirk with
--operation probe affects them. Random draws follow from serve --seed.

Examples:
  mock-solme quirks arm drop-reply --next 1
  mock-solme quirks arm status-503 --operation synchronize --after 1 --next 2 --retry-after 30
  mock-solme quirks arm receipt-variant --variant receipt_jws_alg_none --next 1
  mock-solme quirks arm flip-byte --operation payload --probability 0.2 --at-most-in-a-row 2";

#[derive(Debug, Args)]
pub(super) struct Arm {
    /// Its name, from mock-solme quirks list
    quirk: Quirk,
    /// Only synchronize (443), payload (8080), file, or probe
    #[arg(long, value_name = "OPERATION")]
    operation: Option<Operation>,
    /// Only exchanges of this license server id
    #[arg(long, value_name = "ID")]
    id: Option<LicenseServerId>,
    /// Skip the first K matching exchanges
    #[arg(long, value_name = "K", default_value_t = 0)]
    after: u64,
    /// N times, then it is used up; unlimited by default
    #[arg(long, value_name = "N")]
    next: Option<u64>,
    /// With this probability: greater than 0, at most 1
    #[arg(long, value_name = "P")]
    probability: Option<f64>,
    /// Not if each of the last N exchanges of this operation and id had a quirk
    #[arg(long, value_name = "N")]
    at_most_in_a_row: Option<u64>,
    /// From this main server time on: 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<UtcTime>,
    /// Before this main server time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UtcTime>,
    /// For delay and slow-drip
    #[arg(long, value_name = "N")]
    milliseconds: Option<u64>,
    /// For status-429, -500, -502 and -503: Retry-After
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,
    /// Send Retry-After as a date
    #[arg(long, requires = "retry_after")]
    retry_after_date: bool,
    /// For another-status: the HTTP status
    #[arg(long, value_name = "STATUS")]
    status: Option<u16>,
    /// For receipt-variant, refusal-variant, allocation-variant, problem-variant, file-variant: the defect
    #[arg(long, value_name = "NAME")]
    variant: Option<Variant>,
}

impl From<Arm> for Fault {
    fn from(arm: Arm) -> Self {
        let Arm { quirk, operation, id, after, next, probability, at_most_in_a_row, from, until, .. } = arm;
        Self {
            quirk,
            place: Place { operation, id },
            when: When { after, next, probability, at_most_in_a_row, from, until },
            parameters: Parameters {
                milliseconds: arm.milliseconds,
                retry_after: arm.retry_after,
                retry_after_date: arm.retry_after_date,
                status: arm.status,
                variant: arm.variant,
            },
        }
    }
}

pub(super) fn call(verb: Quirks) -> Call {
    match verb {
        Quirks::List { variants: false } => Call::new(Method::GET, ["quirks"], render::quirks),
        Quirks::List { variants: true } => Call::new(Method::GET, ["quirks", "variants"], render::variants),
        Quirks::Arm(arm) => Call::new(Method::POST, ["quirks", "faults"], render::armed).json(&Fault::from(*arm)),
        Quirks::Disarm { number: Some(number), .. } => {
            Call::new(Method::DELETE, ["quirks", "faults", &number.to_string()], render::faults)
        }
        Quirks::Disarm { number: None, .. } => Call::new(Method::DELETE, ["quirks", "faults"], render::faults),
        Quirks::Report => Call::new(Method::GET, ["quirks", "faults"], render::faults),
        Quirks::Trace => Call::new(Method::GET, ["quirks", "trace"], render::trace),
    }
}
