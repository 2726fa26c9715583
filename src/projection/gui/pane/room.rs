//! In the party: the stage and the transport, people and chat, and how it all stands.
//!
//! Wide windows put people and chat beside the stage, narrow ones below it.
//! The parts are the same widgets in both, so that resizing loses nothing that
//! was typed, scrolled or focused.

use druid::widget::Flex;
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    Rect, Size, UpdateCtx, Widget, WidgetExt,
};

use super::chat::{chat, deeds_height, door_height, people};
use super::invite::{COPY_WIDTH, copy, link, make, revoke};
use super::sheet::{asks, more, sheet};
use super::stage::stage;
use super::transport::{QUEUED_ROW, hold, load, offer, queue, transport};
use super::{
    Frame, PEOPLE_HEAD, PEOPLE_ROW, Pod, STAGE_MIN, Side, close, header, height, height_up_to,
    place, pod, present, status,
};
use crate::engine::event::{Action, Via};
use crate::engine::intent::Intent;
use crate::projection::gui::Request;
use crate::projection::gui::cmd;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
use crate::projection::gui::together::Sheet;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{banner, banner_with};
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// How many rows of the queue are seen at once, in a wide window and in a narrow one, where people
/// and chat need the height. Half a row tells that there are more.
const QUEUED_WIDE: f64 = 3.5;
const QUEUED_NARROW: f64 = 1.5;
/// How much of the width the room's wait gets beside what can be undone: it says more.
const HOLD_SHARE: f64 = 0.55;
/// What people and chat need below it all in a narrow window.
const CHAT_MIN: f64 = 116.0;
/// How wide the invite's text gets, and the button that ends it.
const INVITE_MAX: f64 = 190.0;
const REVOKE_WIDTH: f64 = 76.0;
const CODE_WIDTH: f64 = 108.0;

/// The numbers of those pods that can be covered.
const STAGE: usize = 2;
const PEOPLE: usize = 3;
const CHAT: usize = 4;
const SHEET: usize = 5;

/// See the module.
pub(in super::super) struct Room {
    header: Pod,
    banners: Pod,
    stage: Pod,
    sheet: Pod,
    hold: Pod,
    offer: Pod,
    transport: Pod,
    load: Pod,
    queue: Pod,
    people: Pod,
    chat: Pod,
    status: Pod,
    /// The numbers of the pods that the sheet lies over.
    covered: Vec<usize>,
}

/// The whole screen.
pub(in super::super) fn room() -> Room {
    Room {
        header: pod(header(title, more())),
        banners: pod(banners()),
        stage: pod(stage()),
        sheet: pod(sheet()),
        covered: Vec::new(),
        hold: pod(hold()),
        offer: pod(offer()),
        transport: pod(transport()),
        load: pod(load()),
        queue: pod(queue()),
        people: pod(people()),
        chat: pod(chat()),
        status: pod(status(App::status, sharing())),
    }
}

fn title(app: &App) -> String {
    app.room_title().unwrap_or("A party").to_owned()
}

fn banners() -> impl Widget<App> {
    let trouble = |app: &App| match app.problem() {
        Some(sentence) => Some((Tone::Bad, sentence.to_owned())),
        None => Some((Tone::Warn, app.trouble()?.to_string())),
    };
    let put_away = || close(|ctx| ctx.submit_command(cmd::DISMISS));
    Flex::column()
        .with_child(banner_with(App::leaving_line, || {
            Flex::row()
                .with_child(go("Stay", false))
                .with_spacer(space::XS)
                .with_child(go("End the party", true))
        }))
        .with_child(banner(App::banner))
        .with_child(banner_with(App::ways_banner, retry))
        .with_child(banner_with(trouble, put_away))
        .with_child(banner_with(
            |app: &App| app.knock().map(|(_, words)| (Tone::Info, words)),
            || {
                Flex::row()
                    .with_child(answer("Let in", true))
                    .with_spacer(space::XS)
                    .with_child(answer("Turn away", false))
            },
        ))
        .with_child(banner_with(
            |app: &App| Some((Tone::Info, app.asking_line()?)),
            || {
                Flex::row()
                    .with_child(asks(
                        |_| "Allow".to_owned(),
                        |app: &App| app.answer_asking(true),
                    ))
                    .with_spacer(space::XS)
                    .with_child(asks(
                        |_| "Not now".to_owned(),
                        |app: &App| app.answer_asking(false),
                    ))
            },
        ))
        .with_child(banner_with(
            |app: &App| {
                let line = app.poll_line().filter(|_| app.sheet != Some(Sheet::Poll))?;
                Some((Tone::Accent, line))
            },
            || {
                Button::new(
                    Kind::Plain,
                    |_| "Show the poll".to_owned(),
                    |ctx: &mut EventCtx, _: &App| {
                        ctx.submit_command(cmd::SHEET.with(Some(Sheet::Poll)));
                    },
                )
            },
        ))
        .with_child(banner_with(
            |app: &App| Some((Tone::Info, app.skip_line()?)),
            || {
                asks(
                    |app| app.skip_vote().map_or("", |(words, _)| words).to_owned(),
                    |app: &App| app.skip_vote().into_iter().map(|(_, it)| it).collect(),
                )
            },
        ))
}

/// Answers whether the host means to go.
fn go(words: &'static str, sure: bool) -> Button<App> {
    Button::new(
        Kind::Plain,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::LEAVE_SURELY.with(sure)),
    )
}

/// Answers whoever knocked first.
fn answer(words: &'static str, let_in: bool) -> Button<App> {
    Button::new(
        Kind::Plain,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, app: &App| {
            if let Some((knock, _)) = app.knock() {
                let intent = Intent::AnswerKnock { knock, let_in };
                ctx.submit_command(cmd::REQUEST.with(App::ask(intent, Via::Gui)));
            }
        },
    )
}

/// Opens a failed way again, with another token if need be, where one failed.
fn retry() -> impl Widget<App> {
    let paste = || {
        Button::new(
            Kind::Quiet,
            |_| "Paste token".to_owned(),
            |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::PASTE_TOKEN),
        )
    };
    let again = || {
        Button::new(
            Kind::Plain,
            |_| "Try again".to_owned(),
            |ctx: &mut EventCtx, _: &App| {
                ctx.submit_command(cmd::REQUEST.with(Request::RetryWays));
            },
        )
    };
    Flex::row()
        .with_child(shown(App::may_paste_token, 0.0, paste))
        .with_child(shown(App::may_retry_ways, 0.0, again))
}

fn sharing() -> impl Widget<App> {
    Flex::row()
        .with_child(shown(|app| link(app).is_some(), CONTROL, share))
        .with_child(shown(
            |app| link(app).is_none() && hosts(app) && app.may(Action::Invite),
            CONTROL,
            make,
        ))
}

fn hosts(app: &App) -> bool {
    app.room().is_some_and(|room| room.hosting)
}

fn share() -> impl Widget<App> {
    let code = Button::new(
        Kind::Quiet,
        |_| "Show code".to_owned(),
        |ctx: &mut EventCtx, app: &App| {
            let sheet = Some(Sheet::Invite).filter(|sheet| app.sheet != Some(*sheet));
            ctx.submit_command(cmd::SHEET.with(sheet));
        },
    );
    Flex::row()
        .with_child(Words::fixed("Invite").size(size::SMALL).tone(Tone::Muted))
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(|app: &App| link(app).map_or_else(String::new, |link| link.to_string()))
                .size(size::SMALL)
                .expand_width(),
            1.0,
        )
        .with_spacer(space::M)
        .with_child(copy())
        .with_child(code)
        .with_child(revoke())
        .fix_width(INVITE_MAX + COPY_WIDTH + CODE_WIDTH + REVOKE_WIDTH)
}

impl Room {
    fn pods(&mut self) -> [&mut Pod; 12] {
        [
            &mut self.header,
            &mut self.banners,
            &mut self.stage,
            &mut self.people,
            &mut self.chat,
            &mut self.sheet,
            &mut self.hold,
            &mut self.offer,
            &mut self.load,
            &mut self.queue,
            &mut self.status,
            // Last: its bubble floats over what is above it.
            &mut self.transport,
        ]
    }

    /// Lays out what is only there for a moment, beside each other if it is two. Says how tall that is.
    fn notices(&mut self, ctx: &mut LayoutCtx, width: f64, app: &App, env: &Env) -> f64 {
        let hold = height(&mut self.hold, ctx, width, app, env);
        let offer = height(&mut self.offer, ctx, width, app, env);
        if hold == 0.0 || offer == 0.0 {
            return hold + offer;
        }
        let share = ((width - space::M) * HOLD_SHARE).floor();
        let rest = width - space::M - share;
        let hold = height(&mut self.hold, ctx, share, app, env);
        hold.max(height(&mut self.offer, ctx, rest, app, env))
    }
}

impl Widget<App> for Room {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        let covered = self.covered.clone();
        let by_hand = matches!(
            event,
            Event::MouseDown(_) | Event::MouseMove(_) | Event::Wheel(_)
        );
        for (number, pod) in self.pods().into_iter().enumerate() {
            // What is covered is not there for a hand that begins something.
            if !(by_hand && covered.contains(&number)) {
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
        if was.sheet.is_some() != app.sheet.is_some()
            || present(was) != present(app)
            || deeds_height(was) != deeds_height(app)
        {
            ctx.request_layout();
        }
        for pod in self.pods() {
            pod.update(ctx, app, env);
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let whole = bc.max();
        let above = [&mut self.header, &mut self.banners];
        let frame = Frame::around(ctx, whole, above, [&mut self.status], app, env);
        let Rect {
            x0: left,
            y0: top,
            x1: right,
            y1: bottom,
        } = frame.inner;
        let (wide, main, gap) = (frame.wide, frame.main_width(), space::M);
        let notices = self.notices(ctx, main, app, env);
        let transport = height(&mut self.transport, ctx, main, app, env);
        let load = height(&mut self.load, ctx, main, app, env);
        let rows = if wide {
            QUEUED_ROW * QUEUED_WIDE
        } else {
            let others = STAGE_MIN + notices + transport + load + CHAT_MIN + 4.0 * gap;
            (QUEUED_ROW * QUEUED_NARROW).min((bottom - top - others).max(0.0))
        };
        let most = Size::new(main, rows);
        let queue = height_up_to(&mut self.queue, ctx, most, app, env);
        // Beside each other, the last stands at the foot; above people and chat, a gap follows.
        let last = if wide { 0.0 } else { gap };
        let fixed = gap + transport + gap + load + space::S + queue + last;
        let people_wanted = PEOPLE_HEAD
            + PEOPLE_ROW * present(app).max(1) as f64
            + deeds_height(app)
            + door_height(app);
        // What is only there for a moment takes its place from the stage.
        let stage = match (wide, app.sheet) {
            (true, _) => (bottom - top - fixed - notices).max(0.0),
            // A third of what is left: below stand people and chat, who need more lines.
            (false, None) => ((bottom - top - fixed) * 0.34 - notices).max(STAGE_MIN),
            (false, Some(_)) => 0.0,
        };
        let main_right = left + main;
        let stage_area = Rect::new(left, top, main_right, top + stage);
        place(&mut self.stage, ctx, stage_area, app, env);
        let mut y = top + stage + if stage > 0.0 { gap } else { 0.0 };
        let beside = self.hold.layout_rect().width() + gap;
        let both = self.hold.layout_rect().height() > 0.0;
        self.hold.set_origin(ctx, Point::new(left, y));
        let x = if both { left + beside } else { left };
        self.offer.set_origin(ctx, Point::new(x, y));
        y += notices;
        self.transport.set_origin(ctx, Point::new(left, y));
        y += transport + gap;
        self.load.set_origin(ctx, Point::new(left, y));
        y += load + space::S;
        self.queue.set_origin(ctx, Point::new(left, y));
        y += queue + last;

        let side = if wide {
            let share = if app.chosen.is_some() { 0.6 } else { 0.4 };
            let column = Rect::new(main_right + gap, top, right, bottom);
            Side::Column(column, people_wanted.min((bottom - top) * share))
        } else {
            Side::Row(Rect::new(left, y, right, bottom))
        };
        let (people, chat) = side.split();
        // In a narrow window it needs the place of people and chat, too.
        let (sheet, covered): (_, &[usize]) = match (app.sheet, wide) {
            (None, _) => (Rect::ZERO.with_origin(stage_area.origin()), &[SHEET]),
            (Some(_), true) => (stage_area, &[STAGE]),
            (Some(_), false) => (Rect::new(left, y, right, bottom), &[STAGE, PEOPLE, CHAT]),
        };
        self.covered = covered.to_vec();
        place(&mut self.sheet, ctx, sheet, app, env);
        place(&mut self.people, ctx, people, app, env);
        place(&mut self.chat, ctx, chat, app, env);
        whole
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let covered = self.covered.clone();
        for (number, pod) in self.pods().into_iter().enumerate() {
            if !covered.contains(&number) {
                pod.paint(ctx, app, env);
            }
        }
    }
}
