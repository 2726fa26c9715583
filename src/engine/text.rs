//! What people type, made safe once, at the edge: [`Name`], [`Line`], [`Title`].
//!
//! Each is a string that somebody else's screen will show, so each promises:
//! NFC; no white space at the ends and single spaces inside; no control,
//! bidirectional, invisible, private-use or unassigned character; something to
//! see; and a limit counted both in what a reader counts (graphemes) and in
//! what a log stores (bytes). Emoji sequences and the joiners that Persian and
//! Indic spelling needs are understood and stay.
//!
//! White space of every kind, line breaks too, becomes one space: somebody who
//! pastes two lines into the chat meant to be read, and a message that draws
//! lines on other people's terminals is not worth having. Other control
//! characters are refused and not removed, because silently dropping them would
//! let a text change meaning between the typist and the room.
//!
//! Deserialising goes through the same constructors, so neither the wire nor a
//! foreign log can bring in a value that typing could not.
//!
//! Deliberately absent: judging words, and mixed-script rules (UTS #39 §5):
//! people have names in two scripts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{is_combining_mark, is_public_assigned};
use unicode_segmentation::UnicodeSegmentation;

/// Raw text longer than this is refused before any work is spent on it: four
/// times the largest limit, room for white space that folding would remove.
const RAW_BYTES_MAX: usize = 8_000;

/// Combining marks in a row; more of them climb out of their line of text.
/// A guess: pointed Hebrew and Vietnamese stay under five.
const MARKS_MAX: usize = 6;

/// What a text is for; it begins the sentence that refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a member is called.
    Name,
    /// Something said.
    Line,
    /// What a session or an item is called.
    Title,
    /// A reaction to a moment of the film.
    Reaction,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "A name",
            Self::Line => "A message",
            Self::Title => "A title",
            Self::Reaction => "A reaction",
        })
    }
}

/// Why a text was not taken. Each sentence is for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing of it would be seen.
    #[error("{0} needs at least one visible character.")]
    Empty(Purpose),
    /// More graphemes than the limit, which is given.
    #[error("{0} has at most {1} characters. Please shorten it.")]
    TooLong(Purpose, usize),
    /// Few enough graphemes, but they take more bytes than the limit, which is given.
    #[error("{0} takes at most {1} bytes. Please use fewer emoji or accents.")]
    TooLarge(Purpose, usize),
    /// A control, bidirectional, invisible, private-use or unassigned character.
    #[error("{0} cannot hold the hidden or unknown character U+{code:04X}. Please type it anew.", code = *.1 as u32)]
    Hidden(Purpose, char),
    /// An accent without a letter in front, or a pile of them.
    #[error("{0} has too many accents in one place. Please use plain letters.")]
    Marks(Purpose),
}

/// The rules for one kind of text.
struct Limits {
    purpose: Purpose,
    graphemes: usize,
    bytes: usize,
}

/// Applies the module's promises to what was typed.
fn clean(raw: &str, limits: &Limits) -> Result<String, BadText> {
    let Limits {
        purpose,
        graphemes,
        bytes,
    } = *limits;
    if raw.len() > RAW_BYTES_MAX {
        return Err(BadText::TooLong(purpose, graphemes));
    }
    if is_plain(raw) && raw.len() <= graphemes.min(bytes) {
        return Ok(raw.to_owned());
    }
    let mut text = String::with_capacity(raw.len());
    for word in raw.nfc().collect::<String>().split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    if let Some(hidden) = first_hidden(&text) {
        return Err(BadText::Hidden(purpose, hidden));
    }
    if !text.chars().any(is_visible) {
        return Err(BadText::Empty(purpose));
    }
    if marks_run_wild(&text) {
        return Err(BadText::Marks(purpose));
    }
    if text.graphemes(true).count() > graphemes {
        return Err(BadText::TooLong(purpose, graphemes));
    }
    if text.len() > bytes {
        return Err(BadText::TooLarge(purpose, bytes));
    }
    Ok(text)
}

/// Whether the slow way would give `raw` back unchanged: letters, digits and signs of ASCII, with
/// single spaces between them. Most of what people type, and so most of what a log holds.
///
/// Looks at every byte whatever it finds: without a way out the compiler takes many at a time.
fn is_plain(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let is_ascii = bytes
        .iter()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    let is_single = pairs.fold(true, |single, (one, next)| {
        single & !(*one == b' ' && *next == b' ')
    });
    let is_framed = [bytes.first(), bytes.last()]
        .into_iter()
        .all(|end| end.is_some_and(|byte| *byte != b' '));
    is_ascii && is_single && is_framed
}

fn is_visible(letter: char) -> bool {
    // U+2800 is the Braille pattern without dots: assigned, a symbol, and blank.
    !letter.is_whitespace() && !is_combining_mark(letter) && letter != '\u{2800}'
}

fn marks_run_wild(text: &str) -> bool {
    // The run begins full, so that a mark with no letter in front counts as wild.
    let mut run = MARKS_MAX;
    text.chars().any(|letter| {
        run = match letter {
            ' ' => MARKS_MAX,
            mark if is_combining_mark(mark) => run + 1,
            _ => 0,
        };
        run > MARKS_MAX
    })
}

/// The first character of `text` that a screen would not show for what it is.
fn first_hidden(text: &str) -> Option<char> {
    let mut before = None;
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if let Some(flag) = nation_tags(before, letter, rest.as_str()) {
            rest = rest.as_str()[flag..].chars();
        } else if is_hidden(letter) && !joins(before, letter, rest.as_str()) {
            return Some(letter);
        }
        before = Some(letter);
    }
    None
}

/// Whether `letter` shows nothing, reorders or controls what is around it, or has no agreed meaning.
///
/// Covers Unicode's control, format, private-use, unassigned and
/// default-ignorable characters; the joiners among them may be legitimate in
/// their place, which [`joins`] knows.
pub(crate) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || !is_public_assigned(letter)
        || matches!(letter,
            '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' | '\u{070F}'
            | '\u{0890}'..='\u{0891}' | '\u{08E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}' | '\u{110BD}' | '\u{110CD}'
            | '\u{13430}'..='\u{13440}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a hidden character stands where spelling or an emoji needs it.
fn joins(before: Option<char>, letter: char, rest: &str) -> bool {
    let Some(before) = before else { return false };
    let after = rest.chars().next();
    match letter {
        // Text or emoji style of the symbol in front; keycaps are a digit, FE0F and 20E3.
        '\u{FE0E}' | '\u{FE0F}' => {
            is_pictograph(before) || (after == Some('\u{20E3}') && is_keycap(before))
        }
        // Joins emoji into one picture; the style selector may stand between.
        '\u{200D}' if is_pictograph(before) || before == '\u{FE0F}' => {
            after.is_some_and(is_pictograph)
        }
        // Persian, Kurdish, Hindi, Bengali and their neighbours spell with these.
        '\u{200C}' | '\u{200D}' => is_joining(before) && after.is_some_and(is_joining),
        _ => false,
    }
}

fn is_keycap(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '#' | '*')
}

/// Whether emoji sequences are made of it: a superset of Extended_Pictographic
/// by blocks, so that next year's emoji need no new table.
fn is_pictograph(letter: char) -> bool {
    matches!(letter,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{24C2}' | '\u{25A0}'..='\u{27BF}'
        | '\u{2934}' | '\u{2935}' | '\u{2B00}'..='\u{2BFF}' | '\u{3030}' | '\u{303D}' | '\u{3297}'
        | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
        && is_public_assigned(letter)
}

/// Whether it belongs to a script that spells with joiners: Arabic and Syriac
/// through the Indic blocks to Khmer and Mongolian.
fn is_joining(letter: char) -> bool {
    matches!(letter, '\u{0620}'..='\u{109F}' | '\u{1780}'..='\u{18AF}' | '\u{A840}'..='\u{A9DF}')
        && !is_hidden(letter)
}

/// How many bytes of `rest` finish the flag of England, Scotland or Wales.
///
/// These flags are a black flag followed by invisible tag letters. Only the
/// three in use are taken: free tags would carry whole hidden sentences.
fn nation_tags(before: Option<char>, letter: char, rest: &str) -> Option<usize> {
    const TAGS: [&str; 3] = [
        "\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
        "\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
        "\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
    ];
    if before != Some('\u{1F3F4}') || letter != '\u{E0067}' {
        return None;
    }
    TAGS.iter()
        .find(|tags| rest.starts_with(**tags))
        .map(|tags| tags.len())
}

/// Defines one kind of text: a string that only its checked constructor makes.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $graphemes:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most graphemes (what a reader counts as characters) it may have.
            pub const GRAPHEMES_MAX: usize = $graphemes;
            /// The most bytes of UTF-8 it may take.
            pub const BYTES_MAX: usize = $bytes;

            /// Takes what was typed, trimmed and normalised.
            ///
            /// # Errors
            /// [`BadText`], a sentence for the typist, when a promise of this
            /// module cannot be kept.
            pub fn new(raw: &str) -> Result<Self, BadText> {
                clean(raw, &Limits {
                    purpose: Purpose::$name,
                    graphemes: Self::GRAPHEMES_MAX,
                    bytes: Self::BYTES_MAX,
                })
                .map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadText;
            fn from_str(raw: &str) -> Result<Self, BadText> {
                Self::new(raw)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Typed;
                impl serde::de::Visitor<'_> for Typed {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a text")
                    }
                    // Read where it lies: only the checked copy is kept.
                    fn visit_str<E: serde::de::Error>(self, raw: &str) -> Result<$name, E> {
                        $name::new(raw).map_err(E::custom)
                    }
                }
                source.deserialize_str(Typed)
            }
        }
    };
}

text! {
    /// What a member is called, by their own choice.
    Name, 32, 128
}
text! {
    /// One thing said in the chat.
    Line, 500, 2_000
}
text! {
    /// What a session, or an item in the queue, is called.
    Title, 80, 320
}
text! {
    /// One emoji, or one letter: what a viewer feels right now.
    Reaction, 1, 32
}

impl Name {
    /// A key that is equal for names which look alike at a glance.
    ///
    /// The room refuses a newcomer whose skeleton a present member already has.
    /// It is never shown. See [`skeleton`] for what counts as alike.
    pub fn skeleton(&self) -> String {
        skeleton(&self.0)
    }
}

/// Folds `text` so that look-alikes become equal; the idea of UTS #39 §4 with a smaller table.
///
/// On the safe side: case, accents, spaces and dots are ignored, `0` is `o`,
/// `1 i l |` are one, `rn` is `m` and `vv` is `w`, and Cyrillic, Greek,
/// Armenian and Cherokee letters that pass for Latin ones are those. A false
/// alarm costs a guest a second try; a miss lets somebody speak as another.
pub fn skeleton(text: &str) -> String {
    let bare: String = text
        .nfkd()
        .flat_map(latin_twin)
        .filter(|letter| !is_accent(*letter))
        .collect();
    // Lower case may decompose anew (İ), and folding may uncover a twin.
    let folded: String = bare
        .to_lowercase()
        .nfkd()
        .flat_map(latin_twin)
        .filter(|letter| !is_accent(*letter))
        .collect();
    let joined = folded.replace("rn", "m").replace("vv", "w");
    let core: String = joined
        .chars()
        .filter(|letter| {
            !letter.is_whitespace() && !matches!(letter, '.' | '_' | '-' | '\'' | '’' | '·')
        })
        .collect();
    // A name of dots alone keeps its dots: an empty key would equal every other.
    if core.is_empty() { joined } else { core }
}

/// Marks that change a letter's look but little; vowel signs of other scripts are letters in effect.
fn is_accent(letter: char) -> bool {
    is_hidden(letter)
        || matches!(letter, '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05C7}'
            | '\u{064B}'..='\u{065F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}')
}

/// The Latin letters that `letter` passes for, lower case; itself where there are none.
///
/// Capitals stand here beside small letters because they look like different
/// ones: `Н` is an H, `н` is not.
fn latin_twin(letter: char) -> impl Iterator<Item = char> {
    let twin = match letter {
        'а' | 'А' | 'α' | 'Α' | 'ɑ' | 'Ꭺ' => "a",
        'В' | 'Β' | 'Ь' | 'ь' | 'Ᏼ' | 'ʙ' | 'в' => "b",
        'с' | 'С' | 'ϲ' | 'Ϲ' | 'Ꮯ' | 'ᴄ' => "c",
        'ԁ' | 'Ԁ' | 'Ꭰ' => "d",
        'е' | 'Е' | 'Ε' | 'ε' | 'є' | 'Є' | 'Ꭼ' | 'ҽ' => "e",
        'ƒ' | 'Ϝ' | 'ϝ' => "f",
        'ɡ' | 'ց' | 'Ԍ' | 'ԍ' | 'Ꮐ' => "g",
        'Н' | 'Η' | 'һ' | 'Һ' | 'հ' | 'Ꮋ' | 'н' => "h",
        'i' | 'I' | 'l' | 'L' | '1' | '|' | 'ı' | 'і' | 'І' | 'ι' | 'Ι' | 'ӏ' | 'Ӏ' | 'ǀ' | 'Ꮖ'
        | 'ł' | 'Ł' | 'ɩ' | 'Ꮮ' => "l",
        'ј' | 'Ј' | 'ϳ' | 'Ϳ' | 'Ꭻ' => "j",
        'к' | 'К' | 'κ' | 'Κ' | 'Ꮶ' | 'ĸ' => "k",
        'М' | 'Μ' | 'м' | 'Ꮇ' => "m",
        'Ν' | 'ո' | 'ռ' => "n",
        '0' | 'о' | 'О' | 'ο' | 'Ο' | 'σ' | 'օ' | 'Օ' | 'ø' | 'Ø' | '০' | '٥' => "o",
        'р' | 'Р' | 'ρ' | 'Ρ' | 'Ꮲ' => "p",
        'ԛ' | 'Ԛ' | 'զ' => "q",
        'г' | 'Ꭱ' | 'Ꮢ' => "r",
        'ѕ' | 'Ѕ' | 'Ꮪ' | 'ꜱ' => "s",
        'т' | 'Т' | 'Τ' | 'τ' | 'Ꭲ' => "t",
        'υ' | 'ս' | 'Ս' => "u",
        'ν' | 'ѵ' | 'Ѵ' | 'Ꮩ' => "v",
        'ԝ' | 'Ԝ' | 'ω' | 'Ꮃ' | 'ѡ' | 'Ѡ' => "w",
        'х' | 'Х' | 'χ' | 'Χ' => "x",
        'у' | 'У' | 'Υ' | 'γ' | 'ү' | 'Ү' | 'ყ' => "y",
        'Ζ' | 'Ꮓ' | 'ᴢ' => "z",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        _ => "",
    };
    let own = twin.is_empty().then_some(letter);
    own.into_iter().chain(twin.chars())
}

/// Makes `text` safe to print in a terminal: nothing in it moves the cursor,
/// changes colour, or reorders the line.
///
/// Hidden characters appear as escapes, `\n` or `\u{202e}`; emoji and spelling
/// stay as they are. For text that is not already one of this module's types:
/// titles out of web pages, errors out of other programs.
pub fn for_terminal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if let Some(flag) = nation_tags(before, letter, rest.as_str()) {
            safe.push(letter);
            safe.push_str(&rest.as_str()[..flag]);
            rest = rest.as_str()[flag..].chars();
        } else if is_hidden(letter) && !joins(before, letter, rest.as_str()) {
            safe.extend(letter.escape_default());
            // What is escaped is no longer there for a joiner to join.
            before = None;
            continue;
        } else {
            safe.push(letter);
        }
        before = Some(letter);
    }
    safe
}

/// What newcomers must know besides the link. Never shown, never logged: it prints as nothing.
///
/// NFC and trimmed, so that it reads the same from every keyboard; otherwise any text. Whether it is
/// long enough is the room's to say, as it is set: one that is tried may be anything.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Passcode(String);

impl Passcode {
    /// The fewest graphemes one may be set to: people read it out over the phone, and the link in
    /// front of it is the real secret.
    pub const GRAPHEMES_MIN: usize = 4;
    /// The most bytes it may take: a long sentence.
    pub const BYTES_MAX: usize = 256;

    /// Takes what was typed.
    ///
    /// # Errors
    /// A sentence for the typist when it is longer than [`Passcode::BYTES_MAX`].
    pub fn new(raw: &str) -> Result<Self, &'static str> {
        if raw.len() > Self::BYTES_MAX {
            return Err("A passcode has at most 256 bytes. Choose a shorter one.");
        }
        let clean: String = raw.trim().nfc().collect();
        if clean.len() > Self::BYTES_MAX {
            return Err("A passcode has at most 256 bytes. Choose a shorter one.");
        }
        Ok(Self(clean))
    }

    /// Whether it is long enough to be set.
    pub fn is_long_enough(&self) -> bool {
        self.0.graphemes(true).count() >= Self::GRAPHEMES_MIN
    }

    /// The passcode itself, to be hashed or sent and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passcode(secret)")
    }
}

/// What opens a party, proves who somebody is, or was pasted to be kept: on its way, and in no log
/// of ours, because it is never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, to be compared, sent or kept and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Passcode {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(source)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(raw: &str) -> Result<String, BadText> {
        Name::new(raw).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_are_trimmed_folded_and_composed() {
        let check = |raw, kept: &str| assert_eq!(name(raw), Ok(kept.to_owned()), "{raw:?}");
        check("  Ada  ", "Ada");
        check("Ada\t \u{a0}\u{3000}Lovelace\r\n", "Ada Lovelace");
        check("Zoe\u{308}", "Zoë");
        check("李小龍", "李小龍");
        check("محمد", "محمد");
        check("علی\u{200c}رضا", "علی\u{200c}رضا");
        check("क्\u{200d}ष", "क्\u{200d}ष");
        check("👩\u{200d}🚀", "👩\u{200d}🚀");
        check("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥");
        check("#\u{fe0f}\u{20e3}1", "#\u{fe0f}\u{20e3}1");
        check("🇫🇷", "🇫🇷");
        let wales = "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}";
        check(wales, wales);
        check(&"a".repeat(32), &"a".repeat(32));
    }

    #[test]
    fn names_that_hide_something_are_refused() {
        for hidden in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{2060}',
            '\u{feff}',
            '\u{3164}',
            '\u{34f}',
            '\u{61c}',
            '\u{fe0f}',
            '\u{e000}',
            '\u{10fffd}',
            '\u{ffff}',
            '\u{378}',
            '\u{e0041}',
            '\u{fff9}',
            '\u{180e}',
        ] {
            let inner = format!("A{hidden}da");
            assert_eq!(
                name(&inner),
                Err(BadText::Hidden(Purpose::Name, hidden)),
                "{inner:?}"
            );
        }
        // A joiner needs an emoji on both sides, and free tags are no flag.
        assert!(name("👩\u{200d}").is_err());
        assert!(name("👩\u{200d}a").is_err());
        assert!(name("🏴\u{e0067}\u{e0062}\u{e0041}\u{e007f}").is_err());
    }

    #[test]
    fn a_name_needs_something_to_see() {
        for blank in ["", " ", "\t\n", "\u{2800}", "\u{a0}", "\u{301}"] {
            assert_eq!(name(blank), Err(BadText::Empty(Purpose::Name)), "{blank:?}");
        }
        assert_eq!(
            Name::new("").unwrap_err().to_string(),
            "A name needs at least one visible character."
        );
    }

    #[test]
    fn limits_count_what_a_reader_counts_and_what_a_log_stores() {
        assert_eq!(
            name(&"é".repeat(33)),
            Err(BadText::TooLong(Purpose::Name, 32))
        );
        // 25 bytes of one visible family, six times: six graphemes, 150 bytes.
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(6);
        assert_eq!(name(&family), Err(BadText::TooLarge(Purpose::Name, 128)));
        assert!(Line::new(&family).is_ok());
        assert!(Line::new(&"x".repeat(500)).is_ok());
        assert_eq!(
            Line::new(&"x".repeat(501)),
            Err(BadText::TooLong(Purpose::Line, 500))
        );
        assert!(Title::new(&"x".repeat(80)).is_ok());
        assert_eq!(
            Title::new(&"x".repeat(81)).unwrap_err().to_string(),
            "A title has at most 80 characters. Please shorten it."
        );
        assert!(Line::new(&" ".repeat(9_000)).is_err());
    }

    #[test]
    fn piles_of_accents_are_refused_and_spelling_is_not() {
        assert_eq!(
            name(&format!("Z{}", "\u{301}\u{302}".repeat(8))),
            Err(BadText::Marks(Purpose::Name))
        );
        assert_eq!(name("\u{301}Ada"), Err(BadText::Marks(Purpose::Name)));
        assert!(name("Nguyễn Thị Ngọc").is_ok());
        assert!(name("שָׁלוֹם").is_ok());
    }

    #[test]
    fn a_line_is_one_line() {
        let line = Line::new("first\nsecond\r\n\r\nthird\u{2028}fourth").unwrap();
        assert_eq!(line.as_str(), "first second third fourth");
    }

    #[test]
    fn names_that_look_alike_share_a_skeleton() {
        let alike =
            |a: &str, b: &str| Name::new(a).unwrap().skeleton() == Name::new(b).unwrap().skeleton();
        for (a, b) in [
            ("Ada", "ada"),
            ("Ada", "Аdа"),
            ("Ada", "ＡＤＡ"),
            ("Ada", "A d a"),
            ("Bob", "B0b"),
            ("Alice", "A1ice"),
            ("Alice", "AIice"),
            ("Alice", "Αlісе"),
            ("Alice", "Aliçe"),
            ("José", "Jose"),
            ("Marna", "Mama"),
            ("Willy", "VVilly"),
            ("HANNA", "ΗΑΝΝΑ"),
            ("Boris", "Вοris"),
            ("Oscar", "𝕆𝕤𝕔𝕒𝕣"),
            ("İlker", "ilker"),
        ] {
            assert!(alike(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("Ada", "Eda"),
            ("Anna", "Hanna"),
            ("राम", "रम"),
            ("李", "王"),
            ("🐱", "🐶"),
            ("Иван", "Иванна"),
            ("...", "_"),
        ] {
            assert!(!alike(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_terminal_gets_escapes_and_not_orders() {
        let check = |text, printed| assert_eq!(for_terminal(text), printed);
        check("\u{1b}[2Jhi\u{7}", "\\u{1b}[2Jhi\\u{7}");
        check("a\r\nb\tc", "a\\r\\nb\\tc");
        check("\u{9b}31m", "\\u{9b}31m");
        check("txt.\u{202e}exe", "txt.\\u{202e}exe");
        // A joiner next to something escaped joins nothing.
        check("\u{1f1af}\u{fe0f}", "\\u{1f1af}\\u{fe0f}");
        check("a\u{fe0f}\u{200d}👩", "a\\u{fe0f}\\u{200d}👩");
        check(
            "Zoë 👩\u{200d}🚀 علی\u{200c}رضا",
            "Zoë 👩\u{200d}🚀 علی\u{200c}رضا",
        );
    }

    /// Text that reaches the rules' corners more often than uniform noise does.
    fn tricky() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            "[a-zA-Z0-9 ]{1,6}",
            prop::sample::select(vec![
                " ",
                "\t",
                "\n",
                "\u{200d}",
                "\u{200c}",
                "\u{fe0f}",
                "\u{301}",
                "\u{308}",
                "👩",
                "🚀",
                "🏴",
                "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "\u{202e}",
                "\u{1b}",
                "ی",
                "क",
                "्",
                "İ",
                "ß",
                "ﬁ",
                "\u{1100}",
                "\u{1161}",
                "rn",
                "vv",
                "|",
                "Ⅳ",
                "．",
            ])
            .prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn keeps_its_promises(text: &str, graphemes: usize, bytes: usize) -> bool {
        first_hidden(text).is_none()
            && !text.chars().any(char::is_control)
            && text.nfc().eq(text.chars())
            && text.trim() == text
            && !text.contains("  ")
            && text.chars().any(is_visible)
            && (1..=graphemes).contains(&text.graphemes(true).count())
            && text.len() <= bytes
    }

    /// The short way must be the long way, only shorter.
    fn the_long_way(raw: &str) -> Option<String> {
        let text = raw.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = text.len() <= Line::GRAPHEMES_MAX && text.chars().any(is_visible);
        (fits && first_hidden(&text).is_none()).then_some(text)
    }

    proptest! {
        #[test]
        fn plain_text_takes_the_short_way_to_the_same_end(raw in "[ -~]{0,40}|[ -~\\t\\n\\x00]{0,10}| {0,3}") {
            prop_assert_eq!(Line::new(&raw).ok().map(|line| line.to_string()), the_long_way(&raw));
        }
    }

    proptest! {
        #[test]
        fn a_text_that_was_taken_is_taken_unchanged(raw in tricky()) {
            if let Ok(name) = Name::new(&raw) {
                prop_assert!(keeps_its_promises(name.as_str(), 32, 128));
                prop_assert_eq!(Name::new(name.as_str()), Ok(name));
            }
            if let Ok(line) = Line::new(&raw) {
                prop_assert!(keeps_its_promises(line.as_str(), 500, 2_000));
                prop_assert_eq!(Line::new(line.as_str()), Ok(line));
            }
        }

        #[test]
        fn nothing_invalid_comes_in_by_either_wire(raw in tricky()) {
            let json = serde_json::to_string(&raw).unwrap();
            let binary = postcard::to_allocvec(&raw).unwrap();
            prop_assert_eq!(serde_json::from_str::<Name>(&json).ok(), Name::new(&raw).ok());
            prop_assert_eq!(postcard::from_bytes::<Line>(&binary).ok(), Line::new(&raw).ok());
            prop_assert_eq!(postcard::from_bytes::<Title>(&binary).ok(), Title::new(&raw).ok());
        }

        #[test]
        fn a_taken_text_travels_as_its_bare_string(raw in tricky()) {
            if let Ok(title) = Title::new(&raw) {
                prop_assert_eq!(
                    postcard::to_allocvec(&title).unwrap(),
                    postcard::to_allocvec(title.as_str()).unwrap()
                );
            }
        }

        #[test]
        fn a_name_is_never_without_a_skeleton(raw in tricky()) {
            if let Ok(name) = Name::new(&raw) {
                prop_assert!(!name.skeleton().is_empty(), "{:?}", name);
            }
        }

        #[test]
        fn case_never_tells_two_names_apart(raw in "[a-zA-Z]{1,20}") {
            prop_assert_eq!(skeleton(&raw.to_uppercase()), skeleton(&raw.to_lowercase()));
        }

        #[test]
        fn no_text_orders_a_terminal_about(raw in tricky()) {
            let printed = for_terminal(&raw);
            prop_assert_eq!(first_hidden(&printed), None);
            // Whoever passed the edge is printed as they are.
            if let Ok(line) = Line::new(&raw) {
                prop_assert_eq!(for_terminal(line.as_str()), line.as_str());
            }
        }
    }
}
