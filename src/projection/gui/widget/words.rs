//! Text that knows where to stop: so many lines, then an ellipsis; nothing when empty.

use druid::piet::{FontWeight, Text, TextAlignment, TextAttribute, TextLayout, TextLayoutBuilder};
use druid::text::FontFamily;
use druid::{
    BoxConstraints, Data, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, RenderContext, Size, UpdateCtx, Widget,
};
use unicode_segmentation::UnicodeSegmentation;

use super::super::theme::{Rgb, Tone, palette, size};

/// A piece of text made from data.
pub(in super::super) struct Words<T> {
    words: Box<dyn Fn(&T) -> String>,
    tone: Box<dyn Fn(&T) -> Tone>,
    shown: String,
    toned: Tone,
    face: Face,
    lines_max: usize,
    centered: bool,
    laid: Option<druid::piet::PietTextLayout>,
}

/// How text is set.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Face {
    /// In px.
    pub(in super::super) size: f64,
    /// Semi-bold instead of regular.
    pub(in super::super) bold: bool,
}

impl<T> Words<T> {
    /// What `words` says of the data, on one line.
    pub(in super::super) fn new(words: impl Fn(&T) -> String + 'static) -> Self {
        Self {
            words: Box::new(words),
            tone: Box::new(|_| Tone::Text),
            shown: String::new(),
            toned: Tone::Text,
            face: Face {
                size: size::BODY,
                bold: false,
            },
            lines_max: 1,
            centered: false,
            laid: None,
        }
    }

    /// The same sentence always.
    pub(in super::super) fn fixed(words: &'static str) -> Self {
        Self::new(move |_| words.to_owned())
    }

    /// In this size.
    pub(in super::super) fn size(mut self, size: f64) -> Self {
        self.face.size = size;
        self
    }

    /// In semi-bold.
    pub(in super::super) fn bold(mut self) -> Self {
        self.face.bold = true;
        self
    }

    /// In one tone.
    pub(in super::super) fn tone(self, tone: Tone) -> Self {
        self.toned(move |_| tone)
    }

    /// In a tone that follows the data.
    pub(in super::super) fn toned(mut self, tone: impl Fn(&T) -> Tone + 'static) -> Self {
        self.tone = Box::new(tone);
        self
    }

    /// Wrapped onto so many lines at most.
    pub(in super::super) fn lines(mut self, most: usize) -> Self {
        self.lines_max = most;
        self
    }

    /// Centred on each line, over the whole width there is.
    pub(in super::super) fn centered(mut self) -> Self {
        self.centered = true;
        self
    }
}

/// Lays `text` out on at most `lines_max` lines of `width`, ending in an ellipsis where it had to stop.
pub(in super::super) fn fit(
    factory: &mut druid::piet::PietText,
    text: &str,
    face: Face,
    color: Rgb,
    width: f64,
    lines_max: usize,
) -> druid::piet::PietTextLayout {
    let whole = set(factory, text, face, color, width, TextAlignment::Start);
    if whole.line_count() <= lines_max {
        return whole;
    }
    // The longest beginning that fits with its ellipsis, by halving; cut between what a reader sees
    // as characters, and inside a word if need be: more of a link or a name says more.
    let mut ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
    ends.push(text.len());
    let mut cut = |end: usize| {
        let cut = format!("{}…", text[..end].trim_end());
        set(factory, &cut, face, color, width, TextAlignment::Start)
    };
    let (mut fits, mut fails) = (0, ends.len() - 1);
    while fails - fits > 1 {
        let middle = fits.midpoint(fails);
        if cut(ends[middle]).line_count() <= lines_max {
            fits = middle;
        } else {
            fails = middle;
        }
    }
    cut(ends[fits])
}

/// Lays `text` out, wrapped at `width`.
pub(in super::super) fn set(
    factory: &mut druid::piet::PietText,
    text: &str,
    face: Face,
    color: Rgb,
    width: f64,
    alignment: TextAlignment,
) -> druid::piet::PietTextLayout {
    factory
        .new_text_layout(text.to_owned())
        .font(FontFamily::SYSTEM_UI, face.size)
        .default_attribute(TextAttribute::Weight(weight(face.bold)))
        .text_color(color.color())
        .max_width(width)
        .alignment(alignment)
        .build()
        .expect("a text layout only fails on ranges, and there are none")
}

/// Lays `text` out on one line, however long.
pub(in super::super) fn set_line(
    factory: &mut druid::piet::PietText,
    text: &str,
    face: Face,
    color: Rgb,
) -> druid::piet::PietTextLayout {
    set(
        factory,
        text,
        face,
        color,
        f64::INFINITY,
        TextAlignment::default(),
    )
}

/// The weight of emphasised and of plain text.
pub(in super::super) const fn weight(bold: bool) -> FontWeight {
    if bold {
        FontWeight::SEMI_BOLD
    } else {
        FontWeight::REGULAR
    }
}

impl<T: Data> Widget<T> for Words<T> {
    fn event(&mut self, _: &mut EventCtx, _: &Event, _: &mut T, _: &Env) {}

    fn lifecycle(&mut self, _: &mut LifeCycleCtx, event: &LifeCycle, data: &T, _: &Env) {
        if let LifeCycle::WidgetAdded = event {
            self.shown = (self.words)(data);
            self.toned = (self.tone)(data);
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &T, data: &T, _: &Env) {
        let (words, tone) = ((self.words)(data), (self.tone)(data));
        if words != self.shown || tone != self.toned || ctx.env_changed() {
            self.shown = words;
            self.toned = tone;
            ctx.request_layout();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, _: &T, env: &Env) -> Size {
        if self.shown.is_empty() {
            self.laid = None;
            return bc.constrain(Size::ZERO);
        }
        let color = palette(env).tone(self.toned);
        let width = bc.max().width;
        let mut laid = fit(
            ctx.text(),
            &self.shown,
            self.face,
            color,
            width,
            self.lines_max,
        );
        if laid.size().height > bc.max().height && laid.line_count() > 1 {
            laid = fit(ctx.text(), &self.shown, self.face, color, width, 1);
        }
        if self.centered && laid.line_count() > 1 {
            let text = laid.text().to_owned();
            laid = set(
                ctx.text(),
                &text,
                self.face,
                color,
                width,
                TextAlignment::Center,
            );
        }
        let size = laid.size();
        let size = bc.constrain(Size::new(size.width.ceil(), size.height.ceil()));
        let baseline = laid.line_metric(0).map_or(0.0, |line| line.baseline);
        ctx.set_baseline_offset(size.height - baseline);
        self.laid = Some(laid);
        size
    }

    fn paint(&mut self, ctx: &mut PaintCtx, _: &T, _: &Env) {
        if let Some(laid) = &self.laid {
            ctx.draw_text(laid, Point::ZERO);
        }
    }
}
