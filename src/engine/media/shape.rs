//! Shapes that the ids and paths of several sites share.

/// `fr`, `nl-nl`, `es-419`: the language that sites put in front of a path.
pub(super) fn is_locale(piece: &str) -> bool {
    let (language, region) = piece.split_once('-').unwrap_or((piece, "xx"));
    language.len() == 2
        && (2..=3).contains(&region.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A uuid in lower case; `None` for anything of another shape.
pub(super) fn read_uuid(text: &str) -> Option<String> {
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shape.then(|| text.to_ascii_lowercase())
}
