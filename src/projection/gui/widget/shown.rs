//! A part that is there only while there is reason for it.
//!
//! druid's `Either` keeps the hidden side in the tree. Such a side never hears
//! `BuildFocusChain`, so it asks for one for ever; when its request surfaces in
//! the middle of a change of focus (druid routes by a 64-bit Bloom filter, so
//! that depends on the numbers widgets happen to get), druid gives the focus
//! up half-way and the window is deaf to keys from then on. What is hidden here
//! does not exist.

use druid::widget::{SizedBox, ViewSwitcher};
use druid::{Data, Widget, WidgetExt};

/// What `make` makes, while `when` holds; otherwise as much empty height.
pub(in super::super) fn shown<T: Data, W: Widget<T> + 'static>(
    when: impl Fn(&T) -> bool + 'static,
    height_otherwise: f64,
    make: impl Fn() -> W + 'static,
) -> impl Widget<T> {
    ViewSwitcher::new(
        move |data: &T, _| when(data),
        move |there, _, _| {
            if *there {
                make().boxed()
            } else {
                SizedBox::empty().height(height_otherwise).boxed()
            }
        },
    )
}
