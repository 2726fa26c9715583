//! The three screens and the parts they are made of.

pub(super) mod chat;
mod invite;
mod nearby;
mod person;
mod poll;
mod ready;
pub(super) mod replay;
pub(super) mod room;
mod rules;
pub(super) mod sessions;
mod sheet;
pub(super) mod stage;
pub(super) mod start;
pub(super) mod transport;

use druid::widget::Flex;
use druid::{
    BoxConstraints, Env, EventCtx, LayoutCtx, Point, Rect, Size, Widget, WidgetExt, WidgetPod,
};

use super::cmd;
use super::data::App;
use super::theme::{Theme, Tone, size, space};
use super::widget::button::{Button, Kind};
use super::widget::icon::Icon;
use super::widget::words::Words;

/// From this width on, people and talk stand beside the stage: below it the transport's buttons
/// would not fit beside them.
const WIDE_FROM: f64 = 1_000.0;
/// How wide people and talk are then.
const SIDE: f64 = 320.0;
/// How tall one row of the people list and its heading are, to give a short list no more than it needs.
const PEOPLE_ROW: f64 = 44.0;
const PEOPLE_HEAD: f64 = 44.0;
/// The least that the stage shrinks to in a narrow window.
const STAGE_MIN: f64 = 72.0;
/// How much of a narrow window's width the people get beside the talk.
const PEOPLE_SHARE: f64 = 0.36;

/// A part of a screen that lays itself out.
type Pod = WidgetPod<App, Box<dyn Widget<App>>>;

fn pod(widget: impl Widget<App> + 'static) -> Pod {
    WidgetPod::new(Box::new(widget))
}

/// Gives `pod` this place.
fn place(pod: &mut Pod, ctx: &mut LayoutCtx, area: Rect, app: &App, env: &Env) {
    let size = Size::new(area.width().max(0.0), area.height().max(0.0));
    pod.layout(ctx, &BoxConstraints::tight(size), app, env);
    pod.set_origin(ctx, area.origin());
}

/// Lays `pod` out as tall as it likes at this width, and says how tall that is.
fn height(pod: &mut Pod, ctx: &mut LayoutCtx, width: f64, app: &App, env: &Env) -> f64 {
    height_up_to(pod, ctx, Size::new(width, f64::INFINITY), app, env)
}

/// The same, but at most so tall.
fn height_up_to(pod: &mut Pod, ctx: &mut LayoutCtx, most: Size, app: &App, env: &Env) -> f64 {
    let bounds = BoxConstraints::new(Size::new(most.width, 0.0), most);
    pod.layout(ctx, &bounds, app, env).height
}

/// How many are here, at that moment.
fn present(app: &App) -> usize {
    app.view()
        .map_or(0, |view| view.state.roster.present().count())
}

/// Where people and talk stand: beside the stage in a wide window, below it all in a narrow one.
#[derive(Clone, Copy, Debug)]
enum Side {
    /// The column, and how tall the people are.
    Column(Rect, f64),
    /// The row.
    Row(Rect),
}

impl Side {
    /// The places of people and talk.
    fn split(self) -> (Rect, Rect) {
        match self {
            Self::Column(area, people) => {
                let split = area.y0 + people;
                (
                    Rect::new(area.x0, area.y0, area.x1, split),
                    Rect::new(area.x0, split + space::M, area.x1, area.y1),
                )
            }
            Self::Row(area) => {
                let split = area.x0 + (area.width() * PEOPLE_SHARE).round();
                (
                    Rect::new(area.x0, area.y0, split, area.y1),
                    Rect::new(split + space::M, area.y0, area.x1, area.y1),
                )
            }
        }
    }
}

/// Where the lines at the edges of a screen leave off.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Between header, banners and status line, and the sides.
    inner: Rect,
    /// Whether people and talk stand beside the stage.
    wide: bool,
}

impl Frame {
    /// Lays out what stands at the edges: header and banners above, the rest below, the lowest first.
    fn around<const BELOW: usize>(
        ctx: &mut LayoutCtx,
        whole: Size,
        above: [&mut Pod; 2],
        below: [&mut Pod; BELOW],
        app: &App,
        env: &Env,
    ) -> Self {
        let (left, right) = (space::L, whole.width - space::L);
        let [header, banners] = above;
        let mut top = space::S;
        let tall = height(header, ctx, right - left, app, env);
        header.set_origin(ctx, Point::new(left, top));
        top += tall + space::S;
        let tall = height(banners, ctx, right - left, app, env);
        banners.set_origin(ctx, Point::new(left, top));
        top += tall;
        let mut foot = whole.height - space::S;
        for pod in below {
            foot -= height(pod, ctx, right - left, app, env);
            pod.set_origin(ctx, Point::new(left, foot));
        }
        Self {
            inner: Rect::new(left, top, right, foot - space::S),
            wide: whole.width >= WIDE_FROM,
        }
    }

    /// How wide the stage and what stands under it are.
    fn main_width(self) -> f64 {
        match self.wide {
            true => self.inner.width() - SIDE - space::M,
            false => self.inner.width(),
        }
    }
}

/// The line at the head of a screen: the program, what this is, and its tools.
fn header(
    title: impl Fn(&App) -> String + 'static,
    tools: impl Widget<App> + 'static,
) -> impl Widget<App> {
    Flex::row()
        .with_child(
            Words::fixed("Séance")
                .size(size::HEAD)
                .bold()
                .tone(Tone::Accent),
        )
        .with_spacer(space::M)
        .with_flex_child(
            Words::new(title).size(size::HEAD).bold().expand_width(),
            1.0,
        )
        .with_spacer(space::M)
        .with_child(tools)
        .with_child(theme_button())
        .with_spacer(space::XS)
        .with_child(
            Button::new(
                Kind::Quiet,
                |_| "Leave".to_owned(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::LEAVE),
            )
            .icon(|_| Some(Icon::Leave)),
        )
}

/// The line at the foot of a screen: how it all stands, and its tools.
fn status(
    says: impl Fn(&App) -> (Tone, String) + Clone + 'static,
    tools: impl Widget<App> + 'static,
) -> impl Widget<App> {
    let toned = says.clone();
    let dot = druid::widget::Painter::new(move |ctx, app: &App, env| {
        use druid::RenderContext;
        let color = super::theme::palette(env).tone(toned(app).0).color();
        let center = ctx.size().to_rect().center();
        ctx.fill(druid::kurbo::Circle::new(center, 4.0), &color);
    })
    .fix_size(8.0, 20.0);
    Flex::row()
        .with_child(dot)
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(move |app: &App| says(app).1)
                .size(size::SMALL)
                .tone(Tone::Muted)
                .expand_width(),
            1.0,
        )
        .with_spacer(space::M)
        .with_child(tools)
}

/// A square that puts something away.
fn close(act: impl Fn(&mut EventCtx) + 'static) -> Button<App> {
    Button::new(
        Kind::Quiet,
        |_| String::new(),
        move |ctx: &mut EventCtx, _: &App| act(ctx),
    )
    .icon(|_| Some(Icon::Close))
}

/// The button that changes the face; it shows the one you would get.
fn theme_button() -> Button<App> {
    Button::new(
        Kind::Quiet,
        |_| String::new(),
        |ctx: &mut EventCtx, _| ctx.submit_command(cmd::FLIP_THEME),
    )
    .icon(|app: &App| {
        Some(match app.draft.theme {
            Theme::Dark => Icon::Sun,
            Theme::Light => Icon::Moon,
        })
    })
}
