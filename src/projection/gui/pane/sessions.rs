//! The evenings that were: one row each, and a way back in.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, List, ListIter, Painter};
use druid::{Data, EventCtx, RenderContext, Widget, WidgetExt};

use crate::os::wall_millis;
use crate::projection::gui::Request;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, session_films, session_line};
use crate::projection::gui::replay::WATCH;
use crate::projection::gui::theme::{Tone, palette, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{card, heading};
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::words::Words;
use crate::projection::view::SessionRow;

/// One row's data: the list it is in, and which one it is. Cheap to compare.
#[derive(Clone, Data)]
struct Row {
    rows: Arc<Vec<SessionRow>>,
    index: usize,
    busy: bool,
}

impl Row {
    fn session(&self) -> &SessionRow {
        &self.rows[self.index]
    }
}

impl ListIter<Row> for App {
    fn for_each(&self, mut each: impl FnMut(&Row, usize)) {
        let Some(start) = self.start() else { return };
        for index in 0..start.sessions.len() {
            let row = Row {
                rows: Arc::clone(&start.sessions),
                index,
                busy: self.busy(),
            };
            each(&row, index);
        }
    }

    fn for_each_mut(&mut self, mut each: impl FnMut(&mut Row, usize)) {
        // Rows change nothing: what they want, they submit.
        self.for_each(|row, index| each(&mut row.clone(), index));
    }

    fn data_len(&self) -> usize {
        self.start().map_or(0, |start| start.sessions.len())
    }
}

/// The whole card.
pub(super) fn sessions() -> impl Widget<App> {
    let head = Flex::row()
        .with_flex_child(heading("Past sessions").expand_width(), 1.0)
        .with_child(
            Button::new(
                Kind::Quiet,
                |_| String::new(),
                |ctx: &mut EventCtx, _: &App| {
                    ctx.submit_command(cmd::REQUEST.with(Request::RefreshSessions));
                },
            )
            .icon(|_| Some(Icon::Refresh))
            .enabled(|app: &App| !app.busy()),
        );
    let empty = Words::new(|app: &App| {
        if app.data_len() == 0 {
            "No session yet. Every party you host is kept here, to watch again and to reopen."
                .to_owned()
        } else {
            String::new()
        }
    })
    .tone(Tone::Muted)
    .lines(3);
    card(
        Flex::column()
            .cross_axis_alignment(CrossAxisAlignment::Fill)
            .with_child(head)
            .with_child(empty)
            .with_child(List::new(row)),
    )
}

fn row() -> impl Widget<Row> {
    let words = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Start)
        .with_child(Words::new(|row: &Row| row.session().title.clone()).bold())
        .with_spacer(2.0)
        .with_child(
            Words::new(|row: &Row| session_films(row.session())).toned(|row| {
                if row.session().trouble.is_some() {
                    Tone::Bad
                } else {
                    Tone::Text
                }
            }),
        )
        .with_spacer(2.0)
        .with_child(
            Words::new(|row: &Row| {
                session_line(row.session(), wall_millis(), &jiff::tz::TimeZone::system())
            })
            .size(size::SMALL)
            .tone(Tone::Muted),
        );
    let watch = Button::new(
        Kind::Plain,
        |_| "Watch again".to_owned(),
        |ctx: &mut EventCtx, row: &Row| {
            ctx.submit_command(WATCH.with(row.session().id.clone()));
        },
    )
    .enabled(|row| !row.busy && row.session().trouble.is_none());
    let reopen = Button::new(
        Kind::Quiet,
        |_| "Reopen".to_owned(),
        |ctx: &mut EventCtx, row: &Row| {
            ctx.submit_command(cmd::REOPEN.with(row.session().id.clone()));
        },
    )
    .enabled(|row| !row.busy && row.session().trouble.is_none());
    Flex::row()
        .with_flex_child(words.expand_width(), 1.0)
        .with_spacer(space::L)
        .with_child(watch)
        .with_spacer(space::S)
        .with_child(reopen)
        .padding((0.0, space::M))
        .background(Painter::new(|ctx, _: &Row, env| {
            let bounds = ctx.size().to_rect();
            let line = druid::Rect::new(0.0, 0.0, bounds.width(), 1.0);
            ctx.fill(line, &palette(env).line.color());
        }))
}
