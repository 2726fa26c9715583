//! The token by which ngrok knows whose tunnel it is.
//!
//! It opens somebody's account, so it is kept from view: entered once, from a
//! terminal that shows nothing or in the window, kept in a file that its owner
//! alone can read (0600, in the home's 0700), or given by `NGROK_AUTHTOKEN`. It
//! is never an argument (other users see those), never printed, logged, framed
//! or written anywhere else, and cut out of whatever the service answers.
//!
//! Deliberately absent: the desktop's keyring. Where there is one it would be
//! better, but on Linux the crates for it bring D-Bus and its runtime into every
//! build, on machines without a desktop there is none to ask, and a program of
//! the same user can read either. A file behaves the same everywhere.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::files;

/// The variable ngrok's own programs read.
pub const VARIABLE: &str = "NGROK_AUTHTOKEN";
/// The file, in the home.
const FILE: &str = "ngrok-token";
/// Longer than any token was seen to be (49 characters), by a wide margin.
const BYTES_MAX: usize = 256;
/// Shorter than any token was seen to be, by a wide margin.
const BYTES_MIN: usize = 8;

/// ngrok's token. Shows itself to nobody but the tunnel.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "That is not a token. Copy it from https://dashboard.ngrok.com/get-started/your-authtoken, as it stands there."
)]
pub struct NotAToken;

impl Token {
    /// Reads what a person pasted: the token, or the whole command ngrok's page offers to copy.
    ///
    /// # Errors
    /// [`NotAToken`], without repeating what was pasted.
    pub fn read(text: &str) -> Result<Self, NotAToken> {
        let word = match text.split_whitespace().collect::<Vec<_>>()[..] {
            [word] => word,
            ["ngrok", "config", "add-authtoken", word] | ["ngrok", "authtoken", word] => word,
            _ => return Err(NotAToken),
        };
        let plausible = (BYTES_MIN..=BYTES_MAX).contains(&word.len())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if plausible {
            Ok(Self(word.to_owned()))
        } else {
            Err(NotAToken)
        }
    }

    /// The token itself, for its service alone.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the token in it.
    pub(super) fn cut_from(&self, text: &str) -> String {
        text.replace(&self.0, "…")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// [`VARIABLE`].
    Environment,
    /// The file.
    File,
}

/// A token that is there cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The variable holds something else.
    #[error(
        "{VARIABLE} holds no token. Set it to the one from https://dashboard.ngrok.com/get-started/your-authtoken, or unset it."
    )]
    Variable,
    /// The file does not read or write.
    #[error("{} cannot be used: {why}. Remove it and enter the token again.", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Where the token is kept.
#[derive(Clone, Debug)]
pub struct TokenStore {
    path: PathBuf,
    /// What the variable holds; read once, when the program starts.
    variable: Option<String>,
}

impl TokenStore {
    /// The store in this home, under what the environment says.
    pub fn new(root: &Path) -> Self {
        Self {
            path: root.join(FILE),
            variable: std::env::var(VARIABLE)
                .ok()
                .filter(|text| !text.trim().is_empty()),
        }
    }

    /// Where the file is, whether or not it is there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The token, and where it came from; the variable goes first. `None` if there is none.
    ///
    /// # Errors
    /// [`TokenError`] when there is something, and it is not a token.
    pub fn load(&self) -> Result<Option<(Token, Source)>, TokenError> {
        if let Some(text) = &self.variable {
            let token = Token::read(text).map_err(|_| TokenError::Variable)?;
            return Ok(Some((token, Source::Environment)));
        }
        match std::fs::read_to_string(&self.path) {
            Ok(text) => {
                // A copied home may have lost it.
                private(&self.path).map_err(|error| self.failed(error))?;
                let token = Token::read(&text).map_err(|_| self.failed("it holds no token"))?;
                Ok(Some((token, Source::File)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Keeps a token, in place of any from before.
    ///
    /// # Errors
    /// [`TokenError::File`]; then the old one is still there.
    pub fn save(&self, token: &Token) -> Result<(), TokenError> {
        self.write(token).map_err(|error| self.failed(error))
    }

    /// Forgets the token in the file. Says whether there was one.
    ///
    /// # Errors
    /// [`TokenError::File`].
    pub fn forget(&self) -> Result<bool, TokenError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, why: impl fmt::Display) -> TokenError {
        TokenError::File {
            path: self.path.clone(),
            why: why.to_string(),
        }
    }

    fn write(&self, token: &Token) -> io::Result<()> {
        files::replace_private(&self.path, format!("{}\n", token.0).as_bytes())
    }
}

fn private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_6abcdefghijklmnopqrst";

    fn store(variable: Option<&str>) -> (tempfile::TempDir, TokenStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore {
            path: folder.path().join(FILE),
            variable: variable.map(str::to_owned),
        };
        (folder, store)
    }

    #[test]
    fn a_token_is_what_ngroks_page_lets_one_copy() {
        for text in [
            TOKEN,
            &format!("  {TOKEN}\n"),
            &format!("ngrok config add-authtoken {TOKEN}"),
        ] {
            assert_eq!(Token::read(text).unwrap().expose(), TOKEN);
        }
        for text in [
            "",
            "short",
            "two words",
            "https://dashboard.ngrok.com/x",
            &"x".repeat(257),
        ] {
            assert_eq!(Token::read(text), Err(NotAToken), "{text}");
        }
    }

    #[test]
    fn a_token_never_prints_itself() {
        let token = Token::read(TOKEN).unwrap();
        assert_eq!(format!("{token:?}"), "Token(secret)");
        assert_eq!(
            token.cut_from(&format!("Your authtoken: {TOKEN}.")),
            "Your authtoken: …."
        );
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone_and_forgotten_on_demand() {
        let (_folder, store) = store(None);
        assert!(store.load().unwrap().is_none());
        std::fs::write(store.path.with_extension("part"), "left by a crash").unwrap();
        let token = Token::read(TOKEN).unwrap();
        store.save(&token).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = || std::fs::metadata(&store.path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            std::fs::set_permissions(&store.path, std::fs::Permissions::from_mode(0o644)).unwrap();
            store.load().unwrap();
            assert_eq!(mode(), 0o600);
        }
        assert_eq!(store.load().unwrap(), Some((token, Source::File)));
        assert!(store.forget().unwrap());
        assert!(!store.forget().unwrap());
        assert!(store.load().unwrap().is_none());
    }

    #[test]
    fn the_variable_goes_before_the_file_and_must_hold_a_token() {
        let (_folder, store_with) = store(Some(TOKEN));
        store_with
            .save(&Token::read("another_token_1").unwrap())
            .unwrap();
        let (token, source) = store_with.load().unwrap().unwrap();
        assert_eq!((token.expose(), source), (TOKEN, Source::Environment));
        let (_folder, bad) = store(Some("not a token"));
        let says = bad.load().unwrap_err().to_string();
        assert!(
            says.contains(VARIABLE) && !says.contains("not a token"),
            "{says}"
        );
    }

    #[test]
    fn a_file_that_holds_something_else_is_named_and_not_repeated() {
        let (_folder, store) = store(None);
        std::fs::write(&store.path, "something else entirely").unwrap();
        let says = store.load().unwrap_err().to_string();
        assert!(says.contains(FILE) && !says.contains("entirely"), "{says}");
    }
}
