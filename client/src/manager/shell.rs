//! The window before it shows anything: title, menu, dialogs. Whoever reaches the port may read it.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use solme_sync_pages::{Shell, script, style};

use super::Manager;
use super::carried::Phase;

pub(super) fn files() -> Router<Arc<Manager>> {
    let shell = Shell {
        title: "License Server Manager",
        program: "license-server manager",
        style: Some("/manager.css"),
        script: "/manager.js",
        body: body(),
    };
    Router::new()
        .route("/", get(shell.respond()))
        .route("/manager.js", script(include_str!("manager.js")))
        .route("/manager.css", style(include_str!("manager.css")))
}

fn body() -> Markup {
    html! {
        header.title {
            img src="/house.svg" alt="" width="44" height="44";
            div { p { "License Server Manager" } h1 #id { "…" } }
            div.bar {
                (menu())
                button #refresh type="button" { span aria-hidden="true" { "↻ " } "Refresh" }
            }
        }
        main #view aria-busy="true" {}
        p.note.bad #trouble role="alert" hidden {}
        (synchronize()) (file()) (clear()) (new_key_pair()) (diagnostics())
        footer.quiet { "A simulation with a protocol and keys of its own. It cannot talk to Solme's servers." }
    }
}

fn menu() -> Markup {
    html! {
        div.menu {
            button.first #server-menu type="button" aria-haspopup="menu" aria-expanded="false" aria-controls="menu" {
                "Server " span aria-hidden="true" { "▾" }
            }
            div.items #menu role="menu" aria-labelledby="server-menu" hidden {
                button role="menuitem" tabindex="-1" data-do="synchronize" { "Synchronize Server" }
                div role="group" aria-label="Automatic Synchronization" {
                    p aria-hidden="true" { "Automatic Synchronization" }
                    @for (mode, name) in [("off", "Off"), ("daily", "Each day"), ("weekly", "Each week")] {
                        button role="menuitemradio" tabindex="-1" aria-checked="false" data-mode=(mode) { (name) }
                    }
                }
                button role="menuitem" tabindex="-1" data-do="file" { "Synchronize via file…" }
                button role="menuitem" tabindex="-1" data-do="clear" { "Request to clear the key pair…" }
                button role="menuitem" tabindex="-1" data-do="new-key-pair" { "New key pair…" }
                button role="menuitem" tabindex="-1" data-do="diagnostics" { "Run diagnostics" }
            }
        }
    }
}

fn dialog(id: &str, title: &str, body: Markup, buttons: Markup) -> Markup {
    html! {
        dialog id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (body)
            div.buttons { (buttons) button type="button" data-close { "Close" } }
        }
    }
}

fn synchronize() -> Markup {
    let name = |phase| match phase {
        Phase::Prepare => ("Prepare the request", "the key pair signs it"),
        Phase::Port443 => ("Ask the main server", "port 443"),
        Phase::Port8080 => ("Fetch the licenses", "port 8080"),
        Phase::Check => ("Check and store", "signature, digests, deadline"),
    };
    let body = html! {
        ol.phases { @for phase in Phase::ALL {
            @let (title, about) = name(phase);
            li data-phase=(phase.as_str()) { b { (title) } " " span.quiet { (about) } span.away.state {} }
        } }
        div.result role="status" {}
    };
    let buttons = html! {
        button #again type="button" data-do="synchronize" { "Synchronize again" }
        button #why type="button" data-do="diagnostics" hidden { "Run diagnostics" }
    };
    dialog("synchronize", "Synchronize Server", body, buttons)
}

fn file() -> Markup {
    let body = html! {
        section {
            h3 { "1. Export the request" }
            p { "Carry the request file to the main server's side. Exporting again gives the same request until it is answered." }
            button #export type="button" { "Export request" }
            div.result #exported role="status" {}
        }
        section {
            h3 { "2. Import the response" }
            p { "The file is checked first. Nothing is stored until you import it." }
            label for="response" { "Response file" }
            input #response type="file";
            div.result #checked role="status" {}
            button.first #import type="button" disabled { "Import" }
        }
    };
    dialog("file", "Synchronize via file", body, html! {})
}

fn clear() -> Markup {
    let body = html! {
        p { "Asks licensing@solme.se to clear the key pair in use. Do this when the server was reinstalled or its key pair is lost." }
        form #clear-form novalidate {
            label for="from" { "Your mail address, best one that Solme knows" }
            input #from type="email" name="from" autocomplete="email" required;
            label for="smtp" { "Mail server, as host:port. Empty: write the mail to a file" }
            input #smtp type="text" name="smtp" placeholder="mail.example.com:25" autocomplete="off";
            button.first type="submit" { "Write the mail" }
        }
        div.result role="status" {}
    };
    dialog("clear", "Request to clear the key pair", body, html! {})
}

fn new_key_pair() -> Markup {
    let body = html! {
        p { "Replaces a key pair that was cleared, copied or lost. The license server id and the trust file stay, and the old state is kept in the archive." }
        // It has the focus, so that Enter replaces nothing.
        p.note.warn tabindex="-1" autofocus { "With a new key pair this server stops issuing until Solme clears the old one and you synchronize." }
        div.result role="status" {}
    };
    let buttons = html! {
        button.danger #replace type="button" { "Replace the key pair" }
        button #ask type="button" data-do="clear" hidden { "Request to clear the old one…" }
    };
    dialog("new-key-pair", "New key pair", body, buttons)
}

fn diagnostics() -> Markup {
    let body = html! { p.quiet { "Changes nothing, and never synchronizes." } div.result role="status" {} };
    dialog("diagnostics", "Diagnostics", body, html! { button type="button" data-do="diagnostics" { "Run again" } })
}
