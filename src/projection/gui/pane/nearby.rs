//! Parties on this network, by name. What opens one is its link, which its host gives.

use druid::widget::{CrossAxisAlignment, Flex, Painter};
use druid::{RenderContext, Widget, WidgetExt};

use crate::projection::gui::NearbyRow;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{Tone, palette, size, space};
use crate::projection::gui::widget::card::{card, heading};
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// Parties shown: more than a home has at once.
const SHOWN_MAX: usize = 5;

/// The card, while there is a party to show.
pub(super) fn nearby() -> impl Widget<App> {
    shown(
        |app: &App| row_of(app, 0).is_some(),
        0.0,
        || list().padding((0.0, 0.0, 0.0, space::L)),
    )
}

fn row_of(app: &App, index: usize) -> Option<&NearbyRow> {
    app.start()?.nearby.get(index)
}

fn list() -> impl Widget<App> {
    let mut column = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(heading("On this network"))
        .with_spacer(space::S);
    for index in 0..SHOWN_MAX {
        column.add_child(shown(
            move |app: &App| row_of(app, index).is_some(),
            0.0,
            move || row(index),
        ));
    }
    card(
        column.with_spacer(space::XS).with_child(
            Words::fixed("To join one, ask its host for the link and paste it above.")
                .size(size::SMALL)
                .tone(Tone::Muted)
                .lines(2),
        ),
    )
}

fn row(index: usize) -> impl Widget<App> {
    let dot = Painter::new(|ctx, _: &App, env| {
        let center = ctx.size().to_rect().center();
        let color = palette(env).tone(Tone::Accent).color();
        ctx.fill(druid::kurbo::Circle::new(center, 4.0), &color);
    })
    .fix_size(8.0, 20.0);
    let says = move |app: &App| match row_of(app, index) {
        Some(row) => format!("{} · {}", row.title, row.host),
        None => String::new(),
    };
    let place =
        move |app: &App| row_of(app, index).map_or_else(String::new, |row| row.place.clone());
    Flex::row()
        .with_child(dot)
        .with_spacer(space::S)
        .with_flex_child(Words::new(says).expand_width(), 1.0)
        .with_spacer(space::M)
        .with_child(
            Words::new(place)
                .size(size::SMALL)
                .tone(Tone::Muted)
                .fix_width(200.0),
        )
        .padding((0.0, space::XS))
}
