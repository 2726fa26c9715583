//! What people type, made safe once, at the edge.
use serde::{Deserialize, Serialize};
macro_rules! t {
    ($n:ident) => {
        /// Text.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $n(String);
        impl $n {
            /// New.
            pub fn new(t: &str) -> Result<Self, BadText> {
                if t.trim().is_empty() {
                    Err(BadText)
                } else {
                    Ok(Self(t.trim().into()))
                }
            }
            /// Str.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $n {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
t!(Name);
t!(Line);
t!(Title);
/// Bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad text")]
pub struct BadText;
impl Name {
    /// Skeleton.
    pub fn skeleton(&self) -> String {
        self.0.to_lowercase()
    }
}
