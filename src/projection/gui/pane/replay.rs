//! An evening watched again: the room as it was, a bar over all of it, and why things happened.
//!
//! Laid out like the room, so that everything is where it was on the evening;
//! what would change the room is not there.

use druid::widget::{CrossAxisAlignment, Flex, SizedBox};
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LensExt, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, Rect, Size, UpdateCtx, Widget, WidgetExt,
};

use super::chat::{head, people};
use super::stage::stage;
use super::{
    Frame, PEOPLE_HEAD, PEOPLE_ROW, Pod, STAGE_MIN, Side, close, header, height, place, pod,
    present, status,
};
use crate::engine::unit::Micros;
use crate::os::local_now;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::replay::{EXPORT, EXPORT_NOW, LEAP, ORDER, PUT_AWAY};
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
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

/// How wide the run button is, whatever it says.
const RUN_WIDTH: f64 = 104.0;

/// Which of the pods the stage is.
const STAGE: usize = 2;

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

/// The whole screen.
pub(in super::super) fn replay() -> Pane {
    Pane {
        header: pod(header(title, SizedBox::empty())),
        banners: pod(banners()),
        stage: pod(stage()),
        why: pod(why()),
        transport: pod(transport()),
        people: pod(people()),
        talk: pod(talk()),
        export: pod(export()),
        status: pod(status(App::replay_status, tools())),
        staged: true,
    }
}

fn title(app: &App) -> String {
    app.replay()
        .map_or_else(String::new, |replay| replay.programme.title().to_owned())
}

fn put_away() -> Button<App> {
    close(|ctx| ctx.submit_command(PUT_AWAY))
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

fn tools() -> impl Widget<App> {
    Flex::row()
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
        let above = [&mut self.header, &mut self.banners];
        let below = [&mut self.status, &mut self.export];
        let frame = Frame::around(ctx, whole, above, below, app, env);
        let Rect {
            x0: left,
            y0: top,
            x1: right,
            y1: bottom,
        } = frame.inner;
        let (wide, main, gap) = (frame.wide, frame.main_width(), space::M);
        let why = height(&mut self.why, ctx, main, app, env);
        let transport = height(&mut self.transport, ctx, main, app, env);
        let left_over = bottom - top - why - transport - gap;
        // In a narrow window people and talk stand below it all and need the more lines; an answer
        // then takes the place of the stage.
        let stage = match (wide, why > 0.0) {
            (true, _) => left_over.max(STAGE_MIN),
            (false, false) => (left_over * 0.3).max(STAGE_MIN),
            (false, true) => 0.0,
        };
        let stage_area = Rect::new(left, top, left + main, top + stage);
        place(&mut self.stage, ctx, stage_area, app, env);
        self.staged = stage > 0.0;
        let mut y = top + stage + if self.staged { gap } else { 0.0 };
        self.why.set_origin(ctx, Point::new(left, y));
        y += why;
        self.transport.set_origin(ctx, Point::new(left, y));
        y += transport + gap;

        let side = if wide {
            let wanted = PEOPLE_HEAD + PEOPLE_ROW * present(app).max(1) as f64;
            let column = Rect::new(left + main + gap, top, right, bottom);
            Side::Column(column, wanted.min((bottom - top) * 0.4))
        } else {
            Side::Row(Rect::new(left, y, right, bottom))
        };
        let (people, talk) = side.split();
        place(&mut self.people, ctx, people, app, env);
        place(&mut self.talk, ctx, talk, app, env);
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
