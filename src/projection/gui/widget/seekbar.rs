//! The seek bar: where the film stands, drawn from the timeline at the moment of painting.
//!
//! Nothing tells it to move: it asks the timeline and the clock whenever it
//! paints, four times a second while the film runs, which is finer than a pixel
//! of any film longer than two minutes. A drag previews and asks once, on
//! release; until the room has answered, the knob stays where it was let go.

use std::sync::Arc;
use std::time::Duration;

use druid::{
    BoxConstraints, Cursor, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Size, TimerToken, UpdateCtx, Widget,
};

use super::super::cmd;
use super::super::data::{App, clock_face};
use super::super::theme::{RING, palette, size};
use super::track::{self, BUBBLE, Track, share_at, x_of};
use super::words::{Face, set};
use crate::engine::event::{Action, Via};
use crate::engine::id::Generation;
use crate::engine::intent::Intent;
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::os::local_now;

/// How often it moves while the film runs.
const TICK: Duration = Duration::from_millis(250);
/// How long the knob waits for the room's answer before it shows the timeline again: longer than
/// any round trip people put up with.
const PATIENCE: Micros = Micros::from_secs(3);
/// Height of the bar's own row.
const HEIGHT: f64 = 28.0;
/// How far an arrow key moves, in seconds.
const ARROW_SECS: f64 = 5.0;

/// See the module.
#[derive(Default)]
pub(in super::super) struct SeekBar {
    timer: Option<TimerToken>,
    /// The pointer's x while it is over the bar or drags.
    pointer: Option<f64>,
    /// A move that was asked for and not answered yet: where to, when, and what stood then.
    asked: Option<(MediaTime, LocalTime, Generation)>,
}

/// Where in a film of this length a point of a bar this wide lies.
fn at_x(x: f64, width: f64, length: Micros) -> MediaTime {
    let share = share_at(x, width);
    MediaTime::new((share * length.get() as f64) as u64)
}

/// Where on a bar this wide a place in a film of this length lies.
fn x_at(at: MediaTime, width: f64, length: Micros) -> f64 {
    x_of(at.get() as f64, length.get() as f64, width)
}

impl SeekBar {
    fn usable(app: &App) -> Option<Micros> {
        let length = app.duration().filter(|length| *length > Micros::ZERO)?;
        app.controllable(Action::Seek).then_some(length)
    }

    fn shown(&self, app: &App, now: LocalTime) -> MediaTime {
        match self.asked {
            Some((to, since, then))
                if then == app.anchor().generation && now - since < PATIENCE =>
            {
                to
            }
            _ => app.position(now),
        }
    }

    fn ask(&mut self, ctx: &mut EventCtx, app: &App, to: MediaTime, via: Via) {
        self.asked = Some((to, local_now(), app.anchor().generation));
        ctx.submit_command(cmd::REQUEST.with(App::ask(Intent::Seek { to }, via)));
        ctx.request_paint();
        // So that an unanswered knob goes home.
        self.timer.get_or_insert_with(|| ctx.request_timer(TICK));
    }
}

impl Widget<App> for SeekBar {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if let Event::Timer(token) = event
            && Some(*token) == self.timer
        {
            ctx.request_paint();
            let busy = app.playing()
                || self
                    .asked
                    .is_some_and(|(_, since, _)| local_now() - since < PATIENCE);
            self.timer = busy.then(|| ctx.request_timer(TICK));
            return;
        }
        let Some(length) = Self::usable(app) else {
            if let Event::MouseUp(_) = event {
                ctx.set_active(false);
            }
            return;
        };
        let width = ctx.size().width;
        match event {
            Event::MouseDown(mouse) if mouse.button.is_left() => {
                self.pointer = Some(mouse.pos.x);
                track::hold(ctx);
            }
            Event::MouseMove(mouse) if track::is_pointed(ctx, event) => {
                self.pointer = Some(mouse.pos.x);
                ctx.set_cursor(&Cursor::Pointer);
                ctx.request_paint();
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                track::release(ctx, &mut self.pointer);
                self.ask(ctx, app, at_x(mouse.pos.x, width, length), Via::Gui);
            }
            Event::KeyDown(key) if ctx.is_focused() => {
                let by = |secs: f64| Micros::new((secs * 1e6) as i64);
                let here = self.shown(app, local_now());
                let to = match &key.key {
                    KbKey::ArrowLeft => Some(here - by(ARROW_SECS)),
                    KbKey::ArrowRight => Some(here + by(ARROW_SECS)),
                    KbKey::Home => Some(MediaTime::ZERO),
                    KbKey::End => Some(MediaTime::ZERO + length),
                    _ => {
                        track::tab(ctx, key);
                        None
                    }
                };
                if let Some(to) = to {
                    self.ask(ctx, app, app.inside(to), Via::Key);
                    ctx.set_handled();
                }
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        track::lifecycle(ctx, event, &mut self.pointer);
        if matches!(event, LifeCycle::WidgetAdded) && app.playing() {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        if !Arc::ptr_eq(&was.screen, &app.screen) || ctx.env_changed() {
            ctx.request_paint();
        }
        if app.playing() && self.timer.is_none() {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, _: &App, _: &Env) -> Size {
        ctx.set_paint_insets((RING, BUBBLE, RING, RING));
        bc.constrain((bc.max().width, HEIGHT))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let colors = palette(env);
        let width = ctx.size().width;
        let middle = HEIGHT / 2.0;
        let track = Track { middle };
        track.line(ctx, width, &colors.line.color());
        track.ring(ctx, colors);
        let Some(length) = app.duration().filter(|length| *length > Micros::ZERO) else {
            return;
        };
        let usable = Self::usable(app).is_some();
        let end = Some(MediaTime::ZERO + length);
        let dragged = self
            .pointer
            .filter(|_| ctx.is_active())
            .map(|x| at_x(x, width, length));
        let x = x_at(
            dragged.unwrap_or_else(|| self.shown(app, local_now())),
            width,
            length,
        );
        let lit = if usable { colors.accent } else { colors.muted }.color();
        track.line(ctx, x, &lit);
        track.knob(ctx, x, &lit);

        let Some(pointer) = self.pointer.filter(|_| usable) else {
            return;
        };
        let words = clock_face(at_x(pointer, width, length), end);
        let face = Face {
            size: size::SMALL,
            bold: false,
        };
        let laid = set(
            ctx.text(),
            &words,
            face,
            colors.text,
            f64::INFINITY,
            Default::default(),
        );
        track::bubble(ctx, &laid, pointer, 2.0 - BUBBLE, colors);
    }
}

#[cfg(test)]
mod tests {
    use super::super::track::KNOB;
    use super::*;

    use std::cell::RefCell;
    use std::rc::Rc;

    use druid::tests::harness::Harness;
    use druid::tests::move_mouse;
    use druid::widget::Controller;
    use druid::{MouseButton, MouseEvent, WidgetExt};

    use super::super::super::{Remembered, Request, Room, Screen};
    use crate::engine::event::{Body, Client, Event as Fact, Header, Role};
    use crate::engine::fold::RoomState;
    use crate::engine::id::{Epoch, ItemId, MemberId, Stamp};
    use crate::engine::media::{Media, Provider};
    use crate::engine::text::Name;
    use crate::engine::unit::SessionTime;
    use crate::projection::view::{Link, View, Wish};

    /// Keeps what the bar under it asks for.
    struct Ear(Rc<RefCell<Vec<Request>>>);

    impl<W: Widget<App>> Controller<App, W> for Ear {
        fn event(
            &mut self,
            child: &mut W,
            ctx: &mut EventCtx,
            event: &Event,
            app: &mut App,
            env: &Env,
        ) {
            if let Event::Command(command) = event
                && let Some(request) = command.get(cmd::REQUEST)
            {
                self.0.borrow_mut().push(request.clone());
            }
            child.event(ctx, event, app, env);
        }
    }

    fn app(link: Link, length_secs: i64) -> App {
        app_of(Role::Guest, link, length_secs)
    }

    fn app_of(role: Role, link: Link, length_secs: i64) -> App {
        let mut state = RoomState::default();
        let me = MemberId::new(1);
        let bodies = [
            Body::Joined {
                member: me,
                name: Name::new("Bo").unwrap(),
                role,
                client: Client::Window,
            },
            Body::MediaSet {
                item: ItemId::new(1),
                media: Media {
                    provider: Provider::File,
                    id: "https://films.example/a.mp4".to_owned(),
                },
                title: None,
                start: MediaTime::ZERO,
            },
            Body::Measured {
                item: ItemId::new(1),
                duration: Micros::from_secs(length_secs),
            },
        ];
        for body in bodies {
            let header = Header {
                seq: state.tail(),
                epoch: Epoch::new(1),
                stamp: Stamp::new(1),
                at: SessionTime::ZERO,
                wall: 0,
                by: None,
                via: Via::Auto,
                cause: None,
                intent: None,
            };
            state.apply(&Fact { header, body });
        }
        let view = View {
            state: Arc::new(state),
            me: Some(me),
            link,
            ..View::default()
        };
        let room = Room {
            view,
            ..Room::default()
        };
        App::new(Screen::Room(room), Remembered::default())
    }

    fn left(event: MouseEvent) -> MouseEvent {
        MouseEvent {
            button: MouseButton::Left,
            ..event
        }
    }

    /// Runs a bar of 600 px over `app` and answers where it asked to go.
    fn dragged(app: App, path: &[f64]) -> Vec<MediaTime> {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let bar = SeekBar::default()
            .fix_size(600.0, HEIGHT)
            .controller(Ear(Rc::clone(&asked)));
        Harness::create_with_render(
            app,
            bar,
            Size::new(600.0, HEIGHT),
            |harness| {
                harness.send_initial_events();
                harness.just_layout();
                let at = |x: f64| (x, HEIGHT / 2.0);
                harness.event(Event::MouseMove(move_mouse(at(path[0]))));
                harness.event(Event::MouseDown(left(move_mouse(at(path[0])))));
                for x in path {
                    harness.event(Event::MouseMove(move_mouse(at(*x))));
                    harness.paint();
                }
                let last = path[path.len() - 1];
                harness.event(Event::MouseUp(left(move_mouse(at(last)))));
                harness.paint();
            },
            |_| {},
        );
        asked
            .borrow()
            .iter()
            .map(|request| match request {
                Request::Wish(Wish::Ask(Intent::Seek { to }, Via::Gui)) => *to,
                other => panic!("not a seek: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_click_asks_for_the_time_under_it() {
        let asked = dragged(app(Link::Live, 7_200), &[300.0]);
        assert_eq!(asked, [MediaTime::from_secs(3_600)]);
    }

    #[test]
    fn a_drag_asks_once_on_release_and_never_past_the_end() {
        let asked = dragged(app(Link::Live, 7_200), &[100.0, 200.0, 400.0, 900.0]);
        assert_eq!(asked, [MediaTime::from_secs(7_200)]);
    }

    #[test]
    fn a_bar_nobody_would_hear_asks_nothing() {
        assert!(dragged(app(Link::Lost(String::new()), 7_200), &[300.0]).is_empty());
        assert!(dragged(app(Link::Live, 0), &[300.0]).is_empty());
        let viewer = app_of(Role::Viewer, Link::Live, 7_200);
        assert!(dragged(viewer, &[300.0]).is_empty());
    }

    #[test]
    fn the_ends_of_the_bar_are_the_ends_of_the_film() {
        let length = Micros::from_secs(7_200);
        assert_eq!(at_x(-50.0, 600.0, length), MediaTime::ZERO);
        assert_eq!(at_x(KNOB, 600.0, length), MediaTime::ZERO);
        assert_eq!(at_x(300.0, 600.0, length), MediaTime::from_secs(3_600));
        assert_eq!(at_x(9_000.0, 600.0, length), MediaTime::from_secs(7_200));
    }

    #[test]
    fn a_place_and_its_point_agree() {
        let length = Micros::from_secs(9_663);
        for secs in [0, 1, 430, 5_000, 9_663] {
            let at = MediaTime::from_secs(secs);
            let back = at_x(x_at(at, 612.0, length), 612.0, length);
            assert!(
                (back - at).abs() < Micros::from_millis(2),
                "{at:?} {back:?}"
            );
        }
    }

    #[test]
    fn a_bar_without_room_does_not_divide_by_zero() {
        assert_eq!(x_at(MediaTime::from_secs(1), 0.0, Micros::ZERO), KNOB + 1.0);
        assert_eq!(at_x(0.0, 0.0, Micros::from_secs(10)), MediaTime::ZERO);
    }
}
