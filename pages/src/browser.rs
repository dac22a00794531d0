//! `--open`: the address in the browser, without the token on a command line that other users could read.

use std::io::{self, Write as _};

use tempfile::{Builder, NamedTempFile};

/// Opens the browser at `address`. It is given a file of ours, which only this user can read, and which leads to the address; the
/// file goes away with what is returned.
///
/// # Errors
/// The file cannot be written, or there is no browser.
pub fn open_browser(address: &str) -> io::Result<NamedTempFile> {
    let mut file = Builder::new().prefix("open-").suffix(".html").tempfile()?;
    let page = maud::html! {
        (maud::DOCTYPE)
        meta charset="utf-8";
        meta http-equiv="refresh" content={ "0; url=" (address) };
        a href=(address) { "Open the page" }
    };
    file.write_all(page.into_string().as_bytes())?;
    open::that_detached(file.path())?;
    Ok(file)
}
