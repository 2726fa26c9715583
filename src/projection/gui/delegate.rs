//! The window's life and its desk: where requests leave and keys without a taker end up.
//!
//! [`Life`] starts the bridge when there is a window to wake and stops it with
//! the window. [`root`] wraps all panes in the [`Desk`], the one place that
//! turns commands into [`Request`]s and the one that writes [`App::screen`]:
//! being a widget, it can be tested without a display.

use std::sync::Arc;
use std::time::Duration;

use druid::widget::{Controller, EnvScope, ViewSwitcher};
use druid::{
    AppDelegate, Application, Command, DelegateCtx, Env, Event, EventCtx, Handled, KbKey, KeyEvent,
    Target, TimerToken, Widget, WidgetExt, WidgetId, WindowHandle, WindowId,
};
use tokio::sync::{mpsc, watch};

use super::bridge::Bridge;
use super::data::{App, DEAF, LINK_MISSING, NAME_MISSING, NOTHING_TO_PASTE, Note, PLACE_MISSING};
use super::leaving::Leaving;
use super::{Request, Root, Screen, cmd, pane, replay, theme};
use crate::engine::event::Via;
use crate::engine::id::Seq;
use crate::engine::intent::Intent;
use crate::os::local_now;
use crate::projection::view::{self, Link, Wish};

/// How long "Link copied" stands.
const COPIED_FOR: Duration = Duration::from_secs(2);
/// How long a sentence of trouble stands: time to read its longest twice.
const TROUBLE_FOR: Duration = Duration::from_secs(8);
/// How long what was done is offered to be taken back.
const OFFER_FOR: Duration = Duration::from_secs(6);
/// How often the seconds of a wait are looked at, so that none is shown much too long.
const SECOND_SEEN: Duration = Duration::from_millis(200);
/// What the arrow keys move by, in seconds.
const ARROW_SECS: f64 = 5.0;
/// What `j`, `l` and the two buttons move by, in seconds.
pub(super) const LEAP_SECS: f64 = 10.0;

/// Everything in the window, from the desk inwards; what it asks for goes to `requests`.
pub fn root(requests: mpsc::Sender<Request>) -> Root {
    let panes = ViewSwitcher::new(
        |app: &App, _: &Env| std::mem::discriminant(&*app.screen),
        |_, app: &App, _| match &*app.screen {
            Screen::Start(_) => pane::start::start().boxed(),
            Screen::Room(_) => pane::room::room().boxed(),
            Screen::Replay(_) => pane::replay::replay().boxed(),
        },
    );
    let desk = panes
        .background(druid::widget::Painter::new(|ctx, _: &App, env| {
            use druid::RenderContext;
            let bounds = ctx.size().to_rect();
            ctx.fill(bounds, &theme::palette(env).room.color());
        }))
        .controller(Desk {
            requests,
            note_timer: TimerToken::INVALID,
            trouble_timer: TimerToken::INVALID,
            offer_timer: TimerToken::INVALID,
            waiting_timer: TimerToken::INVALID,
            sure: false,
        })
        .with_id(cmd::DESK);
    EnvScope::new(|env, app: &App| theme::dress(env, app.draft.theme), desk).boxed()
}

/// See the module.
struct Desk {
    requests: mpsc::Sender<Request>,
    note_timer: TimerToken,
    trouble_timer: TimerToken,
    offer_timer: TimerToken,
    waiting_timer: TimerToken,
    /// Whether the window may close on a party that others are in.
    sure: bool,
}

impl Desk {
    fn send(&mut self, ctx: &mut EventCtx, app: &mut App, request: Request) {
        if self.requests.try_send(request).is_err() {
            self.problem(ctx, app, DEAF);
        } else if let Some(Note::Problem(_) | Note::Film(_)) = app.note {
            app.note = None;
        }
    }

    fn problem(&mut self, ctx: &mut EventCtx, app: &mut App, sentence: &'static str) {
        app.note = Some(Note::Problem(sentence));
        self.note_timer = ctx.request_timer(TROUBLE_FOR);
    }

    /// Says so if what was typed there is no film, and leads back to it.
    fn is_no_film(
        &mut self,
        ctx: &mut EventCtx,
        app: &mut App,
        typed: &str,
        field: WidgetId,
    ) -> bool {
        let typed = Some(typed.trim()).filter(|typed| !typed.is_empty());
        let Some(sentence) = typed.and_then(|typed| app.not_a_film(typed)) else {
            return false;
        };
        app.note = Some(Note::Film(sentence));
        self.note_timer = ctx.request_timer(TROUBLE_FOR);
        ctx.set_focus(field);
        true
    }

    /// Asks for the film in the room's field, which stays as typed while it is none.
    fn film(&mut self, ctx: &mut EventCtx, app: &mut App, intent: impl Fn(String) -> Intent) {
        let typed = app.draft.address.clone();
        if !self.is_no_film(ctx, app, &typed, cmd::ADDRESS) {
            self.ask_typed(ctx, app, |app| &mut app.draft.address, intent);
            ctx.set_focus(cmd::DESK);
        }
    }

    fn attempt(
        &mut self,
        ctx: &mut EventCtx,
        app: &mut App,
        request: Result<Request, &'static str>,
    ) {
        match request {
            _ if app.busy() => {}
            Ok(request) => {
                if app.draft.has_mpv {
                    self.send(ctx, app, Request::Mpv(app.draft.mpv));
                }
                self.send(ctx, app, request);
            }
            Err(missing) => {
                match missing {
                    NAME_MISSING => ctx.set_focus(cmd::NAME),
                    LINK_MISSING => ctx.set_focus(cmd::LINK),
                    PLACE_MISSING => ctx.set_focus(cmd::PLACE),
                    _ => {}
                }
                self.problem(ctx, app, missing);
            }
        }
    }

    fn ask(&mut self, ctx: &mut EventCtx, app: &mut App, intent: Option<Intent>, via: Via) {
        if let Some(intent) = intent {
            self.send(ctx, app, App::ask(intent, via));
        }
    }

    /// Sends what `text` holds as `intent` and clears it; leaves it where it is while nobody would hear.
    fn ask_typed(
        &mut self,
        ctx: &mut EventCtx,
        app: &mut App,
        text: impl Fn(&mut App) -> &mut String,
        intent: impl Fn(String) -> Intent,
    ) {
        let typed = text(app).trim().to_owned();
        if typed.is_empty() || !app.connected() {
            return;
        }
        self.send(ctx, app, App::ask(intent(typed), Via::Gui));
        if app.note != Some(Note::Problem(DEAF)) {
            text(app).clear();
        }
    }

    fn show(&mut self, ctx: &mut EventCtx, app: &mut App, screen: &Arc<Screen>) {
        if Arc::ptr_eq(screen, &app.screen) {
            return;
        }
        let was_on = std::mem::discriminant(&*app.screen);
        let had = app.trouble().cloned();
        let undoable = newest_deed(app);
        app.screen = Arc::clone(screen);
        // Only of what happened on this screen: what was caught up with is old.
        match (undoable, newest_deed(app)) {
            (Some(was), Some(is)) if is > was => {
                app.offer = is;
                self.offer_timer = ctx.request_timer(OFFER_FOR);
            }
            (Some(_), Some(_)) => {}
            _ => app.offer = None,
        }
        self.count_down(ctx, app);
        app.chosen = app.chosen.filter(|member| app.has_menu(*member));
        app.sheet = app.sheet.filter(|sheet| app.offers(*sheet));
        app.leaving = app.leaving.filter(|_| app.ends_it_for_others());
        if was_on != std::mem::discriminant(&*app.screen) {
            // The focused control is gone with its pane, and keys would go nowhere.
            ctx.set_focus(cmd::DESK);
            app.note = None;
            app.sheet = None;
        }
        let is_new = match (&had, app.trouble()) {
            (Some(had), Some(has)) => !Arc::ptr_eq(had, has),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_new {
            self.trouble_timer = ctx.request_timer(TROUBLE_FOR);
        }
    }

    /// Keeps the seconds of the room's wait, and of its countdown.
    fn count_down(&mut self, ctx: &mut EventCtx, app: &mut App) {
        let now = local_now();
        app.waiting_secs = app.view().and_then(|view| view.waiting_secs(now));
        app.starting_secs = app.counting_down(now);
        if app.waiting_secs.is_some() || app.starting_secs.is_some() {
            self.waiting_timer = ctx.request_timer(SECOND_SEEN);
        }
    }

    /// Goes, unless that would end the party for others: then it is asked first.
    fn go(&mut self, ctx: &mut EventCtx, app: &mut App, how: Leaving) {
        if app.ends_it_for_others() {
            app.leaving = Some(how);
        } else {
            self.leave(ctx, app);
        }
    }

    fn leave(&mut self, ctx: &mut EventCtx, app: &mut App) {
        app.draft.message.clear();
        app.draft.address.clear();
        self.send(ctx, app, Request::Wish(Wish::Leave));
    }

    fn undo(&mut self, ctx: &mut EventCtx, app: &mut App, via: Via) {
        self.ask(ctx, app, app.undo(), via);
        app.offer = None;
    }

    fn command(&mut self, ctx: &mut EventCtx, app: &mut App, command: &Command) {
        let now = local_now();
        if let Some(asked) = replay::command(ctx, app, command) {
            if let Some(request) = asked {
                self.send(ctx, app, request);
            }
        } else if let Some(screen) = command.get(cmd::SHOW) {
            self.show(ctx, app, screen);
        } else if let Some(request) = command.get(cmd::REQUEST) {
            self.send(ctx, app, request.clone());
        } else if command.is(cmd::HOST) {
            let film = app.draft.film.clone();
            let ready = app.host().is_ok() && !app.busy();
            if !(ready && self.is_no_film(ctx, app, &film, cmd::FILM)) {
                self.attempt(ctx, app, app.host());
            }
        } else if command.is(cmd::JOIN) {
            self.attempt(ctx, app, app.join());
        } else if let Some(session) = command.get(cmd::REOPEN) {
            self.attempt(ctx, app, app.reopen(session));
        } else if command.is(cmd::SEND) {
            let say = |text| Intent::Say { text };
            self.ask_typed(ctx, app, |app| &mut app.draft.message, say);
            ctx.set_focus(cmd::MESSAGE);
        } else if command.is(cmd::LOAD) {
            let load = |url| Intent::Load { url };
            self.film(ctx, app, load);
        } else if command.is(cmd::QUEUE) {
            let add = |url| Intent::QueueAdd { url, front: false };
            self.film(ctx, app, add);
        } else if command.is(cmd::NEXT) {
            self.ask(ctx, app, app.next(), Via::Gui);
        } else if command.is(cmd::UNDO) {
            self.undo(ctx, app, Via::Gui);
            // The button that asked for it goes with the offer.
            ctx.set_focus(cmd::DESK);
        } else if let Some(sheet) = command.get(cmd::SHEET) {
            app.sheet = sheet.filter(|sheet| app.offers(*sheet));
            ctx.set_focus(cmd::DESK);
        } else if command.is(cmd::OPEN_POLL) {
            match app.new_poll() {
                Ok(poll) => {
                    self.ask(ctx, app, Some(poll), Via::Gui);
                    app.draft.question.clear();
                    app.draft.choices = Default::default();
                    ctx.set_focus(cmd::DESK);
                }
                Err(missing) => self.problem(ctx, app, missing),
            }
        } else if command.is(cmd::NOT_YET) {
            app.not_yet = app
                .view()
                .and_then(|view| Some(view.state.hold.as_ref()?.seq));
            ctx.set_focus(cmd::DESK);
        } else if let Some(member) = command.get(cmd::CHOOSE) {
            let again = app.chosen == Some(*member) || !app.has_menu(*member);
            app.chosen = (!again).then_some(*member);
        } else if command.is(cmd::TOGGLE) {
            self.ask(ctx, app, app.toggle(now), Via::Gui);
        } else if let Some(seconds) = command.get(cmd::SKIP) {
            self.ask(ctx, app, app.skip(*seconds, now), Via::Gui);
        } else if command.is(cmd::COPY) {
            app.note = Some(Note::Copied);
            self.note_timer = ctx.request_timer(COPIED_FOR);
        } else if command.is(cmd::PASTE_TOKEN) {
            match Application::global().clipboard().get_string() {
                Some(text) if !text.trim().is_empty() => {
                    self.send(ctx, app, Request::KeepToken(text.into()));
                }
                _ => self.problem(ctx, app, NOTHING_TO_PASTE),
            }
        } else if command.is(cmd::FLIP_THEME) {
            app.draft.theme = app.draft.theme.other();
            self.send(ctx, app, Request::Theme(app.draft.theme));
        } else if command.is(cmd::LEAVE) {
            self.go(ctx, app, Leaving::ToStart);
        } else if let Some(sure) = command.get(cmd::LEAVE_SURELY) {
            let leaving = app.leaving.take();
            match leaving.filter(|_| *sure) {
                Some(Leaving::ToStart) => self.leave(ctx, app),
                Some(Leaving::CloseWindow) => {
                    self.sure = true;
                    ctx.submit_command(druid::commands::CLOSE_WINDOW);
                }
                None => {}
            }
            // The button that answered goes with the question.
            ctx.set_focus(cmd::DESK);
        } else if command.is(cmd::DISMISS) {
            app.note = None;
            app.dismissed = app.trouble().cloned();
            // The button that asked for it goes with the banner.
            ctx.set_focus(cmd::DESK);
        } else {
            return;
        }
        ctx.set_handled();
    }

    /// The keys of every video site, when no field is being typed in.
    fn shortcut(&mut self, ctx: &mut EventCtx, app: &mut App, key: &KeyEvent) {
        let now = local_now();
        let undo = KbKey::Character("z".to_owned());
        if (key.mods.ctrl() || key.mods.meta()) && key.key == undo && app.room().is_some() {
            self.undo(ctx, app, Via::Key);
            ctx.set_handled();
        }
        if key.mods.ctrl() || key.mods.alt() || key.mods.meta() {
            return;
        }
        match &key.key {
            KbKey::Escape if app.leaving.is_some() => app.leaving = None,
            KbKey::Tab if key.mods.shift() => ctx.focus_prev(),
            KbKey::Tab => ctx.focus_next(),
            _ if app.replay().is_some() => match replay::key(app, key) {
                Some(ask) => self.send(ctx, app, Request::Replay(ask)),
                None => return,
            },
            _ if app.room().is_none() => return,
            KbKey::Character(c) if (c == " " || c == "k") && !key.repeat => {
                self.ask(ctx, app, app.toggle(now), Via::Key);
            }
            KbKey::MediaPlayPause => self.ask(ctx, app, app.toggle(now), Via::MediaKey),
            KbKey::ArrowLeft => self.ask(ctx, app, app.skip(-ARROW_SECS, now), Via::Key),
            KbKey::ArrowRight => self.ask(ctx, app, app.skip(ARROW_SECS, now), Via::Key),
            KbKey::Character(c) if c == "j" => {
                self.ask(ctx, app, app.skip(-LEAP_SECS, now), Via::Key);
            }
            KbKey::Character(c) if c == "l" => {
                self.ask(ctx, app, app.skip(LEAP_SECS, now), Via::Key);
            }
            KbKey::Character(c) if c == "n" => self.ask(ctx, app, app.next(), Via::Key),
            KbKey::Character(c) if c == "u" => self.undo(ctx, app, Via::Key),
            _ => return,
        }
        ctx.set_handled();
    }
}

/// The newest thing that could be taken back, `Some(None)` for nothing yet; `None`
/// while the party is not followed live.
fn newest_deed(app: &App) -> Option<Option<Seq>> {
    let view = app.view().filter(|view| view.link == Link::Live)?;
    Some(view::undoable(&view.state).map(|deed| deed.seq))
}

impl<W: Widget<App>> Controller<App, W> for Desk {
    fn event(
        &mut self,
        child: &mut W,
        ctx: &mut EventCtx,
        event: &Event,
        app: &mut App,
        env: &Env,
    ) {
        match event {
            Event::WindowCloseRequested if !self.sure && app.ends_it_for_others() => {
                app.leaving = Some(Leaving::CloseWindow);
                // Handled: the window stays.
                ctx.set_handled();
            }
            Event::Command(command) => self.command(ctx, app, command),
            Event::Timer(token) if *token == self.note_timer => app.note = None,
            Event::Timer(token) if *token == self.trouble_timer => {
                app.dismissed = app.trouble().cloned();
            }
            Event::Timer(token) if *token == self.offer_timer => app.offer = None,
            Event::Timer(token) if *token == self.waiting_timer => self.count_down(ctx, app),
            _ => {}
        }
        child.event(ctx, event, app, env);
        match event {
            Event::KeyDown(key) => {
                if !app.typing && !ctx.is_handled() {
                    self.shortcut(ctx, app, key);
                }
                app.typing = false;
            }
            // Who is new types their name first.
            Event::WindowConnected if app.start().is_some() && app.draft.name.is_empty() => {
                ctx.set_focus(cmd::NAME);
            }
            Event::WindowConnected => ctx.request_focus(),
            // A click on nothing ends typing, as everywhere.
            Event::MouseDown(_) if !ctx.is_handled() => ctx.request_focus(),
            // A focused control went with its part of the screen; keys must not go nowhere.
            _ if !ctx.has_focus() => ctx.request_focus(),
            _ => {}
        }
    }
}

/// Starts and stops the bridge with the window, and owns the clipboard.
pub(super) struct Life {
    screen: watch::Receiver<Screen>,
    bridge: Option<Bridge>,
}

impl Life {
    /// Will carry `screen` once there is a window.
    pub(super) fn new(screen: watch::Receiver<Screen>) -> Self {
        Self {
            screen,
            bridge: None,
        }
    }
}

impl AppDelegate<App> for Life {
    fn command(
        &mut self,
        _: &mut DelegateCtx,
        _: Target,
        command: &Command,
        _: &mut App,
        _: &Env,
    ) -> Handled {
        if let Some(text) = command.get(cmd::COPY) {
            Application::global().clipboard().put_string(text);
        }
        // The desk says that it was copied.
        Handled::No
    }

    fn window_added(
        &mut self,
        _: WindowId,
        _: WindowHandle,
        _: &mut App,
        _: &Env,
        ctx: &mut DelegateCtx,
    ) {
        let sink = ctx.get_external_handle();
        self.bridge = Some(Bridge::start(sink, self.screen.clone()));
    }

    fn window_removed(&mut self, _: WindowId, _: &mut App, _: &Env, _: &mut DelegateCtx) {
        self.bridge = None;
    }
}
