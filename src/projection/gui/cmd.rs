//! The commands that travel inside the window, and the ids by which tests and focus find widgets.
//!
//! Panes never write the screen: they submit [`REQUEST`], and the desk at the
//! root hands it to the caller.

use std::sync::Arc;

use druid::{Selector, WidgetId};

use super::together::Sheet;
use super::{Request, Screen};
use crate::engine::id::MemberId;

/// From the bridge: show this. The same `Arc` may come again; that is no change.
pub const SHOW: Selector<Arc<Screen>> = Selector::new("seance.show");
/// From a pane: ask the caller for this.
pub const REQUEST: Selector<Request> = Selector::new("seance.request");
/// From a pane: host a party with what the draft says.
pub const HOST: Selector = Selector::new("seance.host");
/// From a pane: join the party whose link the draft holds.
pub const JOIN: Selector = Selector::new("seance.join");
/// From a row: reopen the session of this id.
pub const REOPEN: Selector<String> = Selector::new("seance.reopen");
/// From a pane: say what the draft says.
pub const SEND: Selector = Selector::new("seance.send");
/// From a pane: load the address in the draft.
pub const LOAD: Selector = Selector::new("seance.load");
/// From a pane: put the address in the draft into the queue.
pub const QUEUE: Selector = Selector::new("seance.queue");
/// From a pane: go on to what comes next.
pub const NEXT: Selector = Selector::new("seance.next");
/// From a pane: take back what is offered to be, or whatever was done last.
pub const UNDO: Selector = Selector::new("seance.undo");
/// From a pane: lay this over the stage, or nothing.
pub const SHEET: Selector<Option<Sheet>> = Selector::new("seance.sheet");
/// From a pane: ask everybody what the draft asks.
pub const OPEN_POLL: Selector = Selector::new("seance.open-poll");
/// From a pane: this person is not ready yet.
pub const NOT_YET: Selector = Selector::new("seance.not-yet");
/// From a pane: show what can be done about this member, or no longer.
pub const CHOOSE: Selector<MemberId> = Selector::new("seance.choose");
/// From a pane: play if the film stands, pause if it runs.
pub const TOGGLE: Selector = Selector::new("seance.toggle");
/// From a pane: move the film by so many seconds.
pub const SKIP: Selector<f64> = Selector::new("seance.skip");
/// From a pane: put this on the clipboard and say so.
pub const COPY: Selector<Arc<str>> = Selector::new("seance.copy");
/// From a pane: take ngrok's token from the clipboard. It is shown nowhere on the way.
pub const PASTE_TOKEN: Selector = Selector::new("seance.paste-token");
/// From a pane: wear the other face.
pub const FLIP_THEME: Selector = Selector::new("seance.flip-theme");
/// From a pane: go back to the start.
pub const LEAVE: Selector = Selector::new("seance.leave");
/// From a pane: the answer to what is asked before one's own party is left.
pub const LEAVE_SURELY: Selector<bool> = Selector::new("seance.leave-surely");
/// From a pane: hide the trouble that is shown.
pub const DISMISS: Selector = Selector::new("seance.dismiss");

/// Takes the keys when no control does.
pub const DESK: WidgetId = WidgetId::reserved(1);
/// The field for one's name.
pub const NAME: WidgetId = WidgetId::reserved(2);
/// The field for a party's link.
pub const LINK: WidgetId = WidgetId::reserved(3);
/// The field for a chat message.
pub const MESSAGE: WidgetId = WidgetId::reserved(4);
/// The field for a film's address, in the room.
pub const ADDRESS: WidgetId = WidgetId::reserved(5);
/// The play or pause button.
pub const PLAY: WidgetId = WidgetId::reserved(6);
/// The seek bar.
pub const SEEK_BAR: WidgetId = WidgetId::reserved(7);
/// The button that opens a party.
pub const HOST_BUTTON: WidgetId = WidgetId::reserved(8);
/// The field for where to put a copy.
pub const EXPORT_FILE: WidgetId = WidgetId::reserved(10);
/// The chat's lines.
pub const STORY: WidgetId = WidgetId::reserved(9);
/// The field for an address of the host's own.
pub const PLACE: WidgetId = WidgetId::reserved(11);
/// The field for a film to begin with, on the first screen.
pub const FILM: WidgetId = WidgetId::reserved(13);
/// The field for a poll's question.
pub const QUESTION: WidgetId = WidgetId::reserved(12);
