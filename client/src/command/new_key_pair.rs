//! `new-key-pair`: the explicit way out of a state that cannot go on (P 3.3).

use serde_json::json;

use super::Context;
use super::session::{Ending, new_event};
use crate::core::Identity;
use crate::output::{Exit, Report, Text, Trouble};
use crate::store::Store;

pub(super) fn run(context: &Context, yes: bool) -> Result<Report, Trouble> {
    if !yes {
        return Err(Trouble {
            exit: Exit::Usage,
            code: "usage",
            message: "a new key pair makes this server unsynchronized; it is accepted only once the key pair in use is \
                      cleared at the main server"
                .to_owned(),
            cure: "If that is what you want, run `license-server new-key-pair --yes`. The old state is kept in the archive."
                .to_owned(),
        });
    }
    let mut store = Store::open(&context.directory, "new-key-pair", context.steps.clone())?;
    let old = store.identity()?;
    let now = context.now();
    let archive = store.archive(now)?;
    let key = store.begin_with_new_key(|key| {
        let message = format!("the key pair {} gave way to a new one", old.key_thumbprint);
        let ending = Ending { outcome: "done", code: "new-key-pair", message: &message };
        new_event(now, "new-key-pair", ending, &Identity { key_thumbprint: key.thumbprint(), ..old.clone() })
    })?;
    let message = "this server has a new key pair and is unsynchronized";
    let next = "once the old key pair is cleared (`license-server request-clear` writes the mail, and names the new key \
                pair), run `license-server synchronize`.";
    let mut text = Text::default();
    text.good(crate::output::sentence(message));
    text.value("license server id", &old.license_server_id);
    text.value("old key pair", old.key_thumbprint);
    text.value("new key pair", key.thumbprint());
    text.value("old state", archive.display());
    text.next(next);
    let json = json!({
        "outcome": "done", "code": "new-key-pair", "message": message, "cure": null,
        "license_server_id": old.license_server_id,
        "old_key_thumbprint": old.key_thumbprint,
        "key_thumbprint": key.thumbprint(),
        "archive": archive,
    });
    Ok(Report::new(Exit::Done, json, text))
}
