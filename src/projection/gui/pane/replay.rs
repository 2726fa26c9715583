//! An evening watched again: the room as it was, a bar over all of it, and why things happened.
//!
//! Laid out like the room, so that everything is where it was on the evening;
//! what would change the room is not there.

use druid::widget::{CrossAxisAlignment, Flex, Painter};
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LensExt, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, Rect, RenderContext, Size, UpdateCtx, Widget, WidgetExt, WidgetPod,
};

use super::chat::{head, people};
use super::stage::stage;
use super::theme_button;
use crate::engine::unit::Micros;
use crate::os::local_now;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::replay::{EXPORT, EXPORT_NOW, LEAP, ORDER, PUT_AWAY};
use crate::projection::gui::theme::{CONTROL, Tone, palette, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{banner, banner_with, surface};
use crate::projection::gui::widget::chips;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::follow::Follow;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::reading::Reading;
use crate::projection::gui::widget::scrub::Scrub;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::story::Story;
use crate::projection::gui::widget::words::Words;
use crate::projection::rewatch::Order;

/// From this width on, people and talk stand beside the stage.
const WIDE_FROM: f64 = 1_000.0;
/// How wide people and talk are then.
const SIDE: f64 = 320.0;
/// How tall one row of the people list and its heading are.
const PEOPLE_ROW: f64 = 44.0;
const PEOPLE_HEAD: f64 = 44.0;
/// The least that the stage shrinks to.
const STAGE_MIN: f64 = 72.0;
/// How wide the run button is, whatever it says.
const RUN_WIDTH: f64 = 104.0;

/// Which of the pods the stage is.
const STAGE: usize = 2;

type Pod = WidgetPod<App, Box<dyn Widget<App>>>;

/// See the module.
pub(in super::super) struct Pane {
    header: Pod,
    banners: Pod,
    stage: Pod,
    why: Pod,
    transport: Pod,
    people: Pod,
    talk: Pod,
    export: Pod,
    status: Pod,
    /// Whether there is room for the stage.
    staged: bool,
}

fn pod(widget: impl Widget<App> + 'static) -> Pod {
    WidgetPod::new(Box::new(widget))
}

/// The whole screen.
pub(in super::super) fn replay() -> Pane {
    Pane {
        header: pod(header()),
        banners: pod(banners()),
        stage: pod(stage()),
        why: pod(why()),
        transport: pod(transport()),
        people: pod(people()),
        talk: pod(talk()),
        export: pod(export()),
        status: pod(status()),
        staged: true,
    }
}

fn header() -> impl Widget<App> {
    let title = Words::new(|app: &App| {
        app.replay()
            .map_or_else(String::new, |replay| replay.programme.title().to_owned())
    });
    Flex::row()
        .with_child(
            Words::fixed("Séance")
                .size(size::HEAD)
                .bold()
                .tone(Tone::Accent),
        )
        .with_spacer(space::M)
        .with_flex_child(title.size(size::HEAD).bold().expand_width(), 1.0)
        .with_spacer(space::M)
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

fn put_away() -> Button<App> {
    Button::new(
        Kind::Quiet,
        |_| String::new(),
        |ctx: &mut EventCtx, _: &App| ctx.submit_command(PUT_AWAY),
    )
    .icon(|_| Some(Icon::Close))
}

fn banners() -> impl Widget<App> {
    let problem = |app: &App| Some((Tone::Bad, app.problem()?.to_owned()));
    Flex::column()
        .with_child(banner(App::replay_banner))
        .with_child(banner(App::replay_damage))
        .with_child(banner(problem))
        .with_child(banner_with(App::exported, put_away))
        .with_child(banner(App::replay_hold))
}

/// Who did it, by what input, what called for it, and the proof.
fn why() -> impl Widget<App> {
    shown(
        |app: &App| app.asked().is_some(),
        0.0,
        || {
            let go = Button::new(
                Kind::Plain,
                |_| "Go there".to_owned(),
                |ctx: &mut EventCtx, app: &App| {
                    if let Some(reason) = app.asked() {
                        ctx.submit_command(ORDER.with(Order::Seek(reason.event.header.at)));
                    }
                },
            );
            let small = |words: fn(&App) -> String| {
                Words::new(words)
                    .size(size::SMALL)
                    .tone(Tone::Muted)
                    .lines(2)
            };
            let first = Flex::row()
                .cross_axis_alignment(CrossAxisAlignment::Start)
                .with_flex_child(
                    Words::new(App::why_head)
                        .bold()
                        .lines(2)
                        .expand_width()
                        .padding((0.0, space::S, 0.0, 0.0)),
                    1.0,
                )
                .with_spacer(space::S)
                .with_child(go)
                .with_child(put_away());
            Flex::column()
                .cross_axis_alignment(CrossAxisAlignment::Fill)
                .with_child(first)
                .with_child(small(App::why_line))
                .with_spacer(space::XS)
                .with_child(Words::new(App::why_causes).lines(4))
                .with_spacer(space::XS)
                .with_child(small(App::why_proof))
                .padding((space::L, space::XS, space::S, space::M))
                .background(surface())
                .padding((0.0, 0.0, 0.0, space::M))
        },
    )
}

fn ordering(icon: Icon, words: &'static str, order: Order) -> Button<App> {
    Button::new(
        Kind::Quiet,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, _: &App| ctx.submit_command(ORDER.with(order)),
    )
    .icon(move |_| Some(icon))
    .enabled(App::replayable)
}

/// The bar over the evening, and the buttons.
fn transport() -> impl Widget<App> {
    let run = Button::new(
        Kind::Primary,
        |app: &App| {
            if app.replaying(local_now()) {
                "Pause"
            } else {
                "Play"
            }
            .to_owned()
        },
        |ctx: &mut EventCtx, _| ctx.submit_command(ORDER.with(Order::Toggle)),
    )
    .icon(|app| {
        Some(if app.replaying(local_now()) {
            Icon::Pause
        } else {
            Icon::Play
        })
    })
    .enabled(App::replayable)
    .width_min(RUN_WIDTH)
    .with_id(cmd::PLAY);
    let buttons = Flex::row()
        .with_child(run)
        .with_spacer(space::S)
        .with_child(ordering(Icon::Previous, "", Order::Previous))
        .with_child(ordering(Icon::Next, "", Order::Next))
        .with_spacer(space::XS)
        .with_child(ordering(Icon::Back, "10", Order::Skip(-LEAP)))
        .with_child(ordering(Icon::Forward, "10", Order::Skip(LEAP)))
        .with_spacer(space::M)
        .with_child(Reading::default())
        .with_spacer(space::M)
        .with_flex_child(chips::paces().align_right(), 1.0);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(Scrub::default().with_id(cmd::SEEK_BAR))
        .with_spacer(space::XS)
        .with_child(buttons)
        .padding((space::L, space::S, space::L, space::M))
        .background(surface())
}

fn has_waits(app: &App) -> bool {
    app.replay()
        .is_some_and(|replay| replay.programme.waits().total() > Micros::ZERO)
}

fn skips(app: &App) -> bool {
    app.replay().is_some_and(|replay| replay.projector.skips())
}

/// Whether the stretches in which nothing happened are left out.
fn waits() -> impl Widget<App> {
    Button::new(
        Kind::Quiet,
        App::waits_words,
        |ctx: &mut EventCtx, app: &App| {
            ctx.submit_command(ORDER.with(Order::SkipWaits(!skips(app))));
        },
    )
    .icon(|app| {
        Some(if skips(app) {
            Icon::Checked
        } else {
            Icon::Unchecked
        })
    })
}

/// What was said and done up to the moment that is shown.
fn talk() -> impl Widget<App> {
    let hint = Words::fixed("Click a line to ask why")
        .size(size::SMALL)
        .tone(Tone::Muted);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(head("Chat", hint).padding((space::L, space::S)))
        .with_flex_child(
            Follow::new(Story::default().with_id(cmd::STORY)).expand_height(),
            1.0,
        )
        .padding((0.0, 0.0, 0.0, space::S))
        .background(surface())
}

/// Where to put a copy, while that is asked.
fn export() -> impl Widget<App> {
    shown(
        |app: &App| app.exporting,
        0.0,
        || {
            let write = Button::new(
                Kind::Plain,
                |_| "Write the file".to_owned(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(EXPORT_NOW),
            )
            .enabled(|app: &App| !app.draft.export.trim().is_empty());
            let cancel = Button::new(
                Kind::Quiet,
                |_| "Cancel".to_owned(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(EXPORT),
            );
            Flex::row()
                .with_child(Words::fixed("File").size(size::SMALL).tone(Tone::Muted))
                .with_spacer(space::S)
                .with_flex_child(
                    Field::new(
                        cmd::EXPORT_FILE,
                        "Where to put the file",
                        App::draft.then(Draft::export),
                        Some(EXPORT_NOW),
                    ),
                    1.0,
                )
                .with_spacer(space::S)
                .with_child(write)
                .with_spacer(space::XS)
                .with_child(cancel)
                .padding((0.0, 0.0, 0.0, space::S))
        },
    )
}

fn status() -> impl Widget<App> {
    let dot = Painter::new(|ctx, app: &App, env| {
        let color = palette(env).tone(app.replay_status().0).color();
        let center = ctx.size().to_rect().center();
        ctx.fill(druid::kurbo::Circle::new(center, 4.0), &color);
    })
    .fix_size(8.0, 20.0);
    Flex::row()
        .with_child(dot)
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(|app: &App| app.replay_status().1)
                .size(size::SMALL)
                .tone(Tone::Muted)
                .expand_width(),
            1.0,
        )
        .with_spacer(space::M)
        .with_child(shown(has_waits, CONTROL, waits))
        .with_spacer(space::S)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| "Export…".to_owned(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(EXPORT),
            )
            .enabled(|app: &App| !app.exporting),
        )
}

impl Pane {
    fn pods(&mut self) -> [&mut Pod; 9] {
        [
            &mut self.header,
            &mut self.banners,
            &mut self.stage,
            &mut self.why,
            &mut self.people,
            &mut self.talk,
            &mut self.export,
            &mut self.status,
            // Last: its bubble floats over what is above it.
            &mut self.transport,
        ]
    }

    fn place(pod: &mut Pod, ctx: &mut LayoutCtx, area: Rect, app: &App, env: &Env) {
        let size = Size::new(area.width().max(0.0), area.height().max(0.0));
        pod.layout(ctx, &BoxConstraints::tight(size), app, env);
        pod.set_origin(ctx, area.origin());
    }

    /// Lays `pod` out as tall as it likes at this width, and says how tall that is.
    fn height(pod: &mut Pod, ctx: &mut LayoutCtx, width: f64, app: &App, env: &Env) -> f64 {
        let bounds = BoxConstraints::new(Size::new(width, 0.0), Size::new(width, f64::INFINITY));
        pod.layout(ctx, &bounds, app, env).height
    }
}

fn present(app: &App) -> usize {
    app.view()
        .map_or(0, |view| view.state.roster.present().count())
}

impl Widget<App> for Pane {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        let staged = self.staged;
        for (place, pod) in self.pods().into_iter().enumerate() {
            let pressed = matches!(event, Event::MouseDown(_));
            if staged || place != STAGE || !pressed {
                pod.event(ctx, event, app, env);
            }
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, env: &Env) {
        for pod in self.pods() {
            pod.lifecycle(ctx, event, app, env);
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, env: &Env) {
        if present(was) != present(app) {
            ctx.request_layout();
        }
        for pod in self.pods() {
            pod.update(ctx, app, env);
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let whole = bc.max();
        let (left, right) = (space::L, whole.width - space::L);
        let gap = space::M;
        let width = right - left;

        let mut top = space::S;
        let header = Self::height(&mut self.header, ctx, width, app, env).max(CONTROL);
        self.header.set_origin(ctx, Point::new(left, top));
        top += header + space::S;
        let banners = Self::height(&mut self.banners, ctx, width, app, env);
        self.banners.set_origin(ctx, Point::new(left, top));
        top += banners;
        let status = Self::height(&mut self.status, ctx, width, app, env);
        let mut foot = whole.height - space::S - status;
        self.status.set_origin(ctx, Point::new(left, foot));
        foot -= Self::height(&mut self.export, ctx, width, app, env);
        self.export.set_origin(ctx, Point::new(left, foot));
        let bottom = foot - space::S;

        let wide = whole.width >= WIDE_FROM;
        let main = if wide { width - SIDE - gap } else { width };
        let why = Self::height(&mut self.why, ctx, main, app, env);
        let transport = Self::height(&mut self.transport, ctx, main, app, env);
        let left_over = bottom - top - why - transport - gap;
        // In a narrow window people and talk stand below it all and need the more lines; an answer
        // then takes the place of the stage.
        let stage = match (wide, why > 0.0) {
            (true, _) => left_over.max(STAGE_MIN),
            (false, false) => (left_over * 0.3).max(STAGE_MIN),
            (false, true) => 0.0,
        };
        let stage_area = Rect::new(left, top, left + main, top + stage);
        Self::place(&mut self.stage, ctx, stage_area, app, env);
        self.staged = stage > 0.0;
        let mut y = top + stage + if self.staged { gap } else { 0.0 };
        self.why.set_origin(ctx, Point::new(left, y));
        y += why;
        self.transport.set_origin(ctx, Point::new(left, y));
        y += transport + gap;

        let (people, talk) = if wide {
            let side = left + main + gap;
            let wanted = PEOPLE_HEAD + PEOPLE_ROW * present(app).max(1) as f64;
            let split = top + wanted.min((bottom - top) * 0.4);
            (
                Rect::new(side, top, right, split),
                Rect::new(side, split + gap, right, bottom),
            )
        } else {
            let split = left + (width * 0.36).round();
            (
                Rect::new(left, y, split, bottom),
                Rect::new(split + gap, y, right, bottom),
            )
        };
        Self::place(&mut self.people, ctx, people, app, env);
        Self::place(&mut self.talk, ctx, talk, app, env);
        whole
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let staged = self.staged;
        for (place, pod) in self.pods().into_iter().enumerate() {
            if staged || place != STAGE {
                pod.paint(ctx, app, env);
            }
        }
    }
}
