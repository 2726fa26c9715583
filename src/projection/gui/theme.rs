//! The window's face: two palettes, one type scale, one spacing scale.
//!
//! Token names are those of the page's stylesheet. Contrast is not judged by
//! eye: the tests compute it (WCAG 2.2, relative luminance) for every pair a
//! reader meets. Colours never carry a meaning alone; a word or a shape stands
//! beside each.

use druid::kurbo::Insets;
use druid::{Color, Data, Env, FontDescriptor, FontFamily, FontWeight, Key};

use crate::engine::id::MemberId;

/// Which of the two faces the window wears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Data)]
pub enum Theme {
    /// A projection room: the film is the brightest thing. The default.
    #[default]
    Dark,
    /// Paper, for bright rooms.
    Light,
}

impl Theme {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }

    /// Its colours.
    pub const fn palette(self) -> &'static Palette {
        match self {
            Self::Dark => &DARK,
            Self::Light => &LIGHT,
        }
    }
}

/// A colour as `0xRRGGBB`, so that its contrast can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(u32);

impl Rgb {
    /// Red, green and blue, 0 to 255.
    pub const fn channels(self) -> [u8; 3] {
        let [_, red, green, blue] = self.0.to_be_bytes();
        [red, green, blue]
    }

    /// The colour in druid's form.
    pub const fn color(self) -> Color {
        let [red, green, blue] = self.channels();
        Color::rgb8(red, green, blue)
    }
}

/// One face's colours, by what they are for.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind everything.
    pub room: Rgb,
    /// Cards, chat, people.
    pub panel: Rgb,
    /// Fields, menus, what the pointer is over.
    pub raised: Rgb,
    /// Hairlines; never the only sign of a control.
    pub line: Rgb,
    /// What is read.
    pub text: Rgb,
    /// What is read second.
    pub muted: Rgb,
    /// Projector light, as text and icons: what is live or chosen.
    pub accent: Rgb,
    /// The fill of a screen's one primary button.
    pub accent_fill: Rgb,
    /// What stands on that fill.
    pub accent_ink: Rgb,
    /// Behind selected text, which keeps its own colour: druid's fields do not change it.
    pub selected: Rgb,
    /// It works.
    pub good: Rgb,
    /// It wants attention.
    pub warn: Rgb,
    /// It failed.
    pub bad: Rgb,
    /// It is worth knowing.
    pub info: Rgb,
    /// Members: OKLCH hues 15° + 30°·k at the lightness of the face.
    pub members: [Rgb; 12],
}

impl Palette {
    /// The colour of a tone.
    pub const fn tone(&self, tone: Tone) -> Rgb {
        match tone {
            Tone::Text => self.text,
            Tone::Muted => self.muted,
            Tone::Accent => self.accent,
            Tone::Ink => self.accent_ink,
            Tone::Good => self.good,
            Tone::Warn => self.warn,
            Tone::Bad => self.bad,
            Tone::Info => self.info,
            Tone::Member(member) => self.members[hue(member)],
        }
    }
}

/// What a word or an icon is coloured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Data)]
pub enum Tone {
    /// To be read.
    Text,
    /// To be read second.
    Muted,
    /// Live or chosen.
    Accent,
    /// On the accent fill.
    Ink,
    /// It works.
    Good,
    /// It wants attention.
    Warn,
    /// It failed.
    Bad,
    /// Worth knowing.
    Info,
    /// Somebody's own colour.
    Member(#[data(eq)] MemberId),
}

/// Which of the twelve member hues is theirs: the same on every screen and every evening.
///
/// Members are numbered densely from 1, so steps of 5 (coprime to 12) give the
/// first twelve of a party twelve different colours, neighbours far apart. A
/// hash of the name would collide among five people more often than not.
pub const fn hue(member: MemberId) -> usize {
    (member.get() as usize * 5) % 12
}

/// The dark face.
pub static DARK: Palette = Palette {
    room: Rgb(0x12_10_17),
    panel: Rgb(0x1A_17_22),
    raised: Rgb(0x26_21_33),
    line: Rgb(0x3A_33_49),
    text: Rgb(0xF4_F0_E8),
    muted: Rgb(0xB9_B1_C6),
    accent: Rgb(0xF2_B5_44),
    accent_fill: Rgb(0xF2_B5_44),
    accent_ink: Rgb(0x1A_12_05),
    selected: Rgb(0x5A_43_12),
    good: Rgb(0x6F_CF_97),
    warn: Rgb(0xF2_99_4A),
    bad: Rgb(0xFF_8A_80),
    info: Rgb(0x8A_B8_FF),
    // OKLCH L .80 C .11; the tests convert again and compare.
    members: [
        Rgb(0xFC_A0_A7),
        Rgb(0xF9_A7_82),
        Rgb(0xE7_B3_69),
        Rgb(0xC8_C2_6B),
        Rgb(0x9F_CE_85),
        Rgb(0x73_D4_AC),
        Rgb(0x57_D4_D4),
        Rgb(0x65_CD_F3),
        Rgb(0x8D_C1_FF),
        Rgb(0xB6_B4_FF),
        Rgb(0xD9_A8_EF),
        Rgb(0xF1_A1_CE),
    ],
};

/// The light face.
pub static LIGHT: Palette = Palette {
    room: Rgb(0xFA_F7_F1),
    panel: Rgb(0xFF_FF_FF),
    raised: Rgb(0xF0_EB_E1),
    line: Rgb(0xCF_C6_B6),
    text: Rgb(0x1E_1A_26),
    muted: Rgb(0x5B_54_68),
    accent: Rgb(0x85_56_00),
    accent_fill: Rgb(0xF2_B5_44),
    accent_ink: Rgb(0x1A_12_05),
    selected: Rgb(0xF2_B5_44),
    good: Rgb(0x1B_6F_40),
    warn: Rgb(0x8F_4B_00),
    bad: Rgb(0xB3_26_1E),
    info: Rgb(0x1B_57_B0),
    // OKLCH L .47 C .11, clipped to sRGB.
    members: [
        Rgb(0x8E_3D_47),
        Rgb(0x8C_43_1F),
        Rgb(0x7E_50_00),
        Rgb(0x65_5D_00),
        Rgb(0x3E_68_22),
        Rgb(0x00_6D_4B),
        Rgb(0x00_6D_6E),
        Rgb(0x00_66_89),
        Rgb(0x2B_5C_97),
        Rgb(0x55_50_95),
        Rgb(0x72_46_85),
        Rgb(0x85_3E_69),
    ],
};

/// The type scale, in px.
pub mod size {
    /// Times, roles, hints.
    pub const SMALL: f64 = 12.0;
    /// Everything else.
    pub const BODY: f64 = 14.0;
    /// Headings of cards.
    pub const HEAD: f64 = 16.0;
    /// What plays.
    pub const TITLE: f64 = 20.0;
    /// The program's name.
    pub const DISPLAY: f64 = 28.0;
}

/// The spacing scale, in px.
pub mod space {
    /// Between a word and its mark.
    pub const XS: f64 = 4.0;
    /// Between controls of one group.
    pub const S: f64 = 8.0;
    /// Inside rows.
    pub const M: f64 = 12.0;
    /// Between cards and inside them.
    pub const L: f64 = 16.0;
    /// Between groups.
    pub const XL: f64 = 24.0;
    /// Around a page.
    pub const XXL: f64 = 32.0;
}

/// Corner radius of fields and buttons, in px.
pub const RADIUS_FIELD: f64 = 6.0;
/// Corner radius of cards, in px.
pub const RADIUS_CARD: f64 = 10.0;
/// Height of every control, in px: a comfortable target for a pointer.
pub const CONTROL: f64 = 36.0;
/// Room around every focusable control for its ring: 2 px of gap and 2 px of accent.
pub const RING: f64 = 4.0;

/// Whether the light face is on; widgets that paint themselves ask [`palette`].
const LIGHT_FACE: Key<bool> = Key::new("seance.light-face");

/// The colours in force where `env` is.
pub fn palette(env: &Env) -> &'static Palette {
    match env.try_get(LIGHT_FACE) {
        Ok(true) => &LIGHT,
        _ => &DARK,
    }
}

/// Dresses druid's own widgets (text fields, scroll bars) in `theme`.
pub fn dress(env: &mut Env, theme: Theme) {
    use druid::theme as t;
    let p = theme.palette();
    env.set(LIGHT_FACE, theme == Theme::Light);
    env.set(t::WINDOW_BACKGROUND_COLOR, p.room.color());
    env.set(t::TEXT_COLOR, p.text.color());
    env.set(t::DISABLED_TEXT_COLOR, p.muted.color());
    env.set(t::PLACEHOLDER_COLOR, p.muted.color());
    env.set(t::CURSOR_COLOR, p.accent.color());
    env.set(t::PRIMARY_LIGHT, p.accent.color());
    env.set(t::BORDER_DARK, p.line.color());
    env.set(t::BORDER_LIGHT, p.line.color());
    env.set(t::BACKGROUND_LIGHT, p.raised.color());
    env.set(t::BACKGROUND_DARK, p.raised.color());
    env.set(t::SELECTED_TEXT_BACKGROUND_COLOR, p.selected.color());
    env.set(t::SELECTED_TEXT_INACTIVE_BACKGROUND_COLOR, p.line.color());
    env.set(t::SCROLLBAR_COLOR, p.muted.color());
    env.set(t::SCROLLBAR_BORDER_COLOR, p.panel.color());
    env.set(t::SCROLLBAR_WIDTH, 6.0);
    env.set(t::TEXT_SIZE_NORMAL, size::BODY);
    env.set(t::UI_FONT, font(size::BODY, false));
    env.set(t::TEXTBOX_BORDER_RADIUS, RADIUS_FIELD);
    env.set(t::TEXTBOX_BORDER_WIDTH, 1.0);
    env.set(t::TEXTBOX_INSETS, Insets::uniform_xy(space::M, 9.0));
}

/// The one family, at a size.
pub fn font(size: f64, bold: bool) -> FontDescriptor {
    FontDescriptor::new(FontFamily::SYSTEM_UI)
        .with_size(size)
        .with_weight(if bold {
            FontWeight::SEMI_BOLD
        } else {
            FontWeight::REGULAR
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2 relative luminance.
    fn luminance(color: Rgb) -> f64 {
        let [r, g, b] = color.channels().map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Björn Ottosson's OKLab, to gamma-encoded sRGB, clipped.
    fn oklch(lightness: f64, chroma: f64, hue: f64) -> [u8; 3] {
        let (a, b) = (
            chroma * hue.to_radians().cos(),
            chroma * hue.to_radians().sin(),
        );
        let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
        let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
        let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
        [
            4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
            -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
            -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
        ]
        .map(|linear| {
            let linear = linear.clamp(0.0, 1.0);
            let encoded = if linear <= 0.003_130_8 {
                12.92 * linear
            } else {
                1.055 * linear.powf(1.0 / 2.4) - 0.055
            };
            (encoded * 255.0).round() as u8
        })
    }

    #[test]
    fn every_text_is_readable_on_every_surface_of_both_faces() {
        for theme in [Theme::Dark, Theme::Light] {
            let p = theme.palette();
            for surface in [p.room, p.panel, p.raised] {
                let check = |what: &str, color, at_least: f64| {
                    let got = contrast(color, surface);
                    assert!(
                        got >= at_least,
                        "{theme:?}: {what} on {surface:?} is {got:.2}:1, wanted {at_least}:1"
                    );
                };
                check("text", p.text, 13.0);
                check("muted", p.muted, 6.0);
                for (what, color) in [
                    ("accent", p.accent),
                    ("good", p.good),
                    ("warn", p.warn),
                    ("bad", p.bad),
                    ("info", p.info),
                ] {
                    check(what, color, 5.0);
                }
                for (index, member) in p.members.into_iter().enumerate() {
                    check(&format!("member hue {index}"), member, 5.0);
                }
            }
            assert!(contrast(p.accent_ink, p.accent_fill) >= 5.0);
            let marked = contrast(p.text, p.selected);
            assert!(marked >= 7.0, "{theme:?}: selected text is {marked:.2}:1");
        }
    }

    #[test]
    fn the_member_colours_are_the_oklch_hues() {
        for (palette, lightness) in [(&DARK, 0.80), (&LIGHT, 0.47)] {
            for (k, member) in palette.members.into_iter().enumerate() {
                let computed = oklch(lightness, 0.11, 15.0 + 30.0 * k as f64);
                assert_eq!(member.channels(), computed, "hue {k} at {lightness}");
            }
        }
    }

    #[test]
    fn the_first_twelve_members_have_twelve_colours() {
        let hues: std::collections::BTreeSet<_> =
            (1..=12).map(|id| hue(MemberId::new(id))).collect();
        assert_eq!(hues.len(), 12);
    }
}
