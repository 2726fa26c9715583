//! One connection: moves frames between a socket and a room, by the room end's orders.
//!
//! The pump owns the socket and decides nothing: [`RoomEnd`] does. It is one
//! task, so a member who does not read blocks only their own; every write has a
//! deadline, and whoever misses it is closed with a hint to come back with their
//! cursor. There is one way out of it: say why, drain, drop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::broadcast::feed::{Published, Subscription};
use crate::broadcast::hub::Hub;
use crate::broadcast::room::{Admission, ConnectionId, Entry, Reply, RoomHandle};
use crate::engine::event::Departure;
use crate::engine::frame::{self, Closing, Form, FrameError, Hello, Refused, ToMember, ToRoom};
use crate::engine::id::MemberId;
use crate::engine::intent::Refusal;
use crate::engine::presence::Presence;
use crate::engine::session::room_end::{Action, RoomEnd};
use crate::engine::text::Passcode;
use crate::engine::unit::SessionTime;
use crate::net;
use crate::os;

/// How long a member may take to read what is sent, before they count as too slow.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the other end may take to answer our goodbye.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Answers that may wait for one member: as many as they may ask at once, and then some.
const REPLIES_MAX: usize = 64;
/// What one connection may have written and unread in our memory.
const WRITE_BUFFER_MAX: usize = 1024 * 1024;

/// The limits of every WebSocket of ours: a reader's small buffer (the default costs
/// 134 KiB a connection and three times the CPU, measured), bounded frames and writes.
pub fn config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// Serves one upgraded connection until it ends; `behind` was read from it already.
pub async fn run(stream: TcpStream, behind: Bytes, form: Form, hub: Hub) {
    let limits = config(frame::FROM_MEMBER_BYTES_MAX);
    let socket =
        WebSocketStream::from_partially_read(stream, behind.into(), Role::Server, Some(limits))
            .await;
    let (replies_in, replies) = mpsc::channel(REPLIES_MAX);
    let pump = Pump {
        socket,
        form,
        hub,
        end: RoomEnd::new(os::local_now()),
        replies_in,
        entering: None,
        inside: None,
    };
    pump.run(replies).await;
}

/// What a connection has once it is in a room.
struct Inside {
    room: RoomHandle,
    member: MemberId,
    connection: ConnectionId,
    feed: Subscription,
    presence: watch::Receiver<Arc<Vec<Presence>>>,
    place: watch::Receiver<Option<Arc<str>>>,
    ended: watch::Receiver<Option<Closing>>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    /// We say why and close.
    Closing(Closing),
    /// They said goodbye.
    Left,
    /// The socket is gone.
    Lost,
}

/// What woke a pump.
enum Woken {
    Read(Option<Result<Message, Error>>),
    Reply(Reply),
    Events(Vec<Arc<Published>>),
    Presence(Arc<Vec<Presence>>),
    Moved(String),
    Ended(Closing),
    Entry(Option<Entry>),
    Deadline,
}

struct Pump {
    socket: WebSocketStream<TcpStream>,
    form: Form,
    hub: Hub,
    end: RoomEnd,
    replies_in: mpsc::Sender<Reply>,
    /// Where they want in, and what becomes of it.
    entering: Option<(RoomHandle, mpsc::Receiver<Entry>)>,
    inside: Option<Inside>,
}

impl Pump {
    async fn run(mut self, mut replies: mpsc::Receiver<Reply>) {
        let going = loop {
            let handled = match self.wait(&mut replies).await {
                Woken::Read(read) => self.read(read).await,
                Woken::Reply(reply) => self.reply(reply).await,
                Woken::Events(events) => self.forward(&events).await,
                Woken::Presence(presence) => self.send(ToMember::Presence(presence.to_vec())).await,
                Woken::Moved(to) => self.send(ToMember::Moved { to }).await,
                Woken::Ended(why) => Err(Going::Closing(why)),
                Woken::Entry(entry) => self.entered(entry).await,
                Woken::Deadline => {
                    let action = self.end.tick(os::local_now());
                    self.act(action).await
                }
            };
            if let Err(going) = handled {
                break going;
            }
        };
        if let Some((room, mut entries)) = self.entering.take() {
            entries.close();
            // Let in at the very moment they went: the room must hear that, too.
            while let Ok(entry) = entries.try_recv() {
                if let Entry::In(admission) = entry {
                    let (connection, member) = (admission.connection, admission.welcome.member);
                    room.leave(connection, member, departure(going)).await;
                }
            }
        }
        if let Some(inside) = self.inside.take() {
            inside
                .room
                .leave(inside.connection, inside.member, departure(going))
                .await;
        }
        self.say_goodbye(going).await;
    }

    /// Waits for the next thing to do. Cancelling any of its branches loses nothing.
    async fn wait(&mut self, replies: &mut mpsc::Receiver<Reply>) -> Woken {
        let deadline = self.end.deadline();
        let is_inside = self.inside.is_some();
        let room_side = async {
            match &mut self.inside {
                None => match &mut self.entering {
                    Some((_, entries)) => Woken::Entry(entries.recv().await),
                    None => std::future::pending().await,
                },
                Some(inside) => tokio::select! {
                    events = inside.feed.next() => match events {
                        Ok(events) if events.is_empty() => Woken::Ended(Closing::HostLeft),
                        Ok(events) => Woken::Events(events),
                        Err(error) => {
                            tracing::error!(session = %inside.room.session(), %error, "the log could not be read");
                            Woken::Ended(Closing::LogFailed)
                        }
                    },
                    Ok(()) = inside.presence.changed() => Woken::Presence(inside.presence.borrow_and_update().clone()),
                    Ok(()) = inside.place.changed() => {
                        let place = inside.place.borrow_and_update().as_deref().unwrap_or_default().to_owned();
                        Woken::Moved(place)
                    }
                    Ok(why) = inside.ended.wait_for(Option::is_some) => Woken::Ended(why.unwrap_or(Closing::HostLeft)),
                },
            }
        };
        tokio::select! {
            read = self.socket.next() => Woken::Read(read),
            // Nothing is said to a member before they were welcomed.
            Some(reply) = replies.recv(), if is_inside => Woken::Reply(reply),
            woken = room_side => woken,
            () = net::sleep_until(deadline) => Woken::Deadline,
        }
    }

    async fn read(&mut self, read: Option<Result<Message, Error>>) -> Result<(), Going> {
        let now = os::local_now();
        let message = match read {
            Some(Ok(message)) => message,
            // A cable was pulled; the library calls that a breach of protocol.
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                return Err(Going::Lost);
            }
            Some(Err(Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_))) => {
                return Err(Going::Closing(Closing::Unruly));
            }
            Some(Err(_)) | None => return Err(Going::Lost),
        };
        let bytes_max = frame::FROM_MEMBER_BYTES_MAX;
        let frame: Result<ToRoom, FrameError> = match (&message, self.form) {
            (Message::Text(text), Form::Json) => frame::from_json(text, bytes_max),
            (Message::Binary(bytes), Form::Postcard) => frame::from_postcard(bytes, bytes_max),
            // Answered by the library; it only counts as a sign of life by being read.
            (Message::Ping(_) | Message::Pong(_), _) => return Ok(()),
            (Message::Close(_), _) => return Err(Going::Lost),
            (_, _) => return Err(Going::Closing(Closing::Unruly)),
        };
        match frame {
            Ok(frame) => {
                let session = self
                    .inside
                    .as_ref()
                    .map_or(SessionTime::ZERO, |inside| inside.room.clock().at(now));
                for action in self.end.frame(now, session, frame) {
                    self.act(Some(action)).await?;
                }
                Ok(())
            }
            Err(error) => {
                let action = self.end.unreadable(now, error.to_string());
                self.act(action).await
            }
        }
    }

    async fn act(&mut self, action: Option<Action>) -> Result<(), Going> {
        let Some(action) = action else { return Ok(()) };
        match (action, &mut self.inside) {
            (Action::Admit(hello, passcode), _) => self.admit(hello, passcode).await,
            (Action::Follow(from), Some(inside)) => {
                inside.feed = inside.room.subscribe(from);
                Ok(())
            }
            (Action::Ask(member, ask), Some(inside)) => {
                inside.room.ask(inside.connection, member, ask).await;
                Ok(())
            }
            (Action::Note(member, report), Some(inside)) => {
                inside.room.note(inside.connection, member, report).await;
                Ok(())
            }
            (Action::Ask(..) | Action::Note(..) | Action::Follow(_), None) => Ok(()),
            (Action::Send(frame), _) => self.send(frame).await,
            (Action::Close(why), _) => Err(Going::Closing(why)),
            (Action::Leave, _) => Err(Going::Left),
        }
    }

    async fn admit(&mut self, hello: Hello, passcode: Option<Passcode>) -> Result<(), Going> {
        match self.hub.room(hello.session) {
            None => {
                let refused = self.end.refused(Refusal::UnknownSession);
                self.perform(refused).await
            }
            Some(room) => {
                let entries = room.knock(hello, passcode, self.replies_in.clone()).await;
                self.entering = Some((room, entries));
                Ok(())
            }
        }
    }

    /// They came a step further, or no further.
    async fn entered(&mut self, entry: Option<Entry>) -> Result<(), Going> {
        let admission = match entry {
            Some(Entry::Waiting) => return self.send(ToMember::Waiting {}).await,
            Some(Entry::In(admission)) => Ok(admission),
            Some(Entry::Refused(refusal)) => Err(refusal),
            // The room ended while they waited. Not a refusal, after which nobody comes back: the host
            // may be on again in a moment.
            None => return Err(Going::Closing(Closing::HostLeft)),
        };
        let Some((room, _)) = self.entering.take() else {
            return Ok(());
        };
        let actions = match admission {
            Err(refusal) => self.end.refused(refusal),
            Ok(Admission {
                welcome,
                connection,
            }) => {
                self.inside = Some(Inside {
                    member: welcome.member,
                    connection,
                    feed: room.subscribe(welcome.tail),
                    presence: room.presence(),
                    place: room.place(),
                    ended: room.ended(),
                    room,
                });
                self.end.admitted(welcome)
            }
        };
        self.perform(actions).await
    }

    async fn perform(&mut self, actions: Vec<Action>) -> Result<(), Going> {
        for action in actions {
            // Boxed, because admitting never calls for admitting again, which types cannot tell.
            Box::pin(self.act(Some(action))).await?;
        }
        Ok(())
    }

    async fn reply(&mut self, reply: Reply) -> Result<(), Going> {
        match reply {
            Reply::Accepted { counter, seq } => {
                self.send(ToMember::Accepted { counter, seq }).await
            }
            Reply::Refused { counter, refusal } => {
                self.send(ToMember::Refused(Refused::new(Some(counter), refusal)))
                    .await
            }
            Reply::Secret { invite, secret } => {
                self.send(ToMember::Secret { invite, secret }).await
            }
            Reply::Knocks(knocks) => self.send(ToMember::Knocks(knocks.to_vec())).await,
            Reply::Close(why) => Err(Going::Closing(why)),
        }
    }

    /// Sends events that were encoded when they were published: all of them, then one flush.
    async fn forward(&mut self, events: &[Arc<Published>]) -> Result<(), Going> {
        let form = self.form;
        let socket = &mut self.socket;
        let all = async {
            for event in events {
                let message = match form {
                    Form::Postcard => Message::Binary(event.postcard.clone()),
                    Form::Json => Message::Text(event.json.clone()),
                };
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        written(timeout(WRITE_WAIT_MAX, all).await)
    }

    async fn send(&mut self, frame: ToMember) -> Result<(), Going> {
        let message = match self.form {
            Form::Postcard => Message::Binary(frame::to_postcard(&frame).into()),
            Form::Json => Message::Text(frame::to_json(&frame).into()),
        };
        written(timeout(WRITE_WAIT_MAX, self.socket.send(message)).await)
    }

    /// The one way out: say why, close, drain what still comes, drop.
    async fn say_goodbye(mut self, going: Going) {
        let goodbye = async {
            match going {
                Going::Lost => return,
                Going::Left => drop(self.socket.close(None).await),
                Going::Closing(why) => {
                    // An error only means that they are gone already.
                    let _ = self.send(ToMember::Closing(why)).await;
                    let close = CloseFrame {
                        code: close_code(why),
                        reason: why.to_string().into(),
                    };
                    drop(self.socket.close(Some(close)).await);
                }
            }
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        // Whoever does not answer the goodbye is dropped without one.
        let _ = timeout(CLOSE_WAIT_MAX, goodbye).await;
    }
}

fn departure(going: Going) -> Departure {
    match going {
        Going::Left => Departure::Quit,
        Going::Lost | Going::Closing(Closing::Slow) => Departure::Lost,
        Going::Closing(Closing::HostLeft | Closing::LogFailed) => Departure::Quit,
        Going::Closing(
            Closing::Replaced | Closing::Unruly | Closing::NotAdmitted | Closing::Kicked,
        ) => Departure::Dropped,
    }
}

fn close_code(why: Closing) -> CloseCode {
    match why {
        Closing::HostLeft => CloseCode::Away,
        Closing::Slow | Closing::LogFailed => CloseCode::Again,
        Closing::Replaced | Closing::Unruly | Closing::NotAdmitted | Closing::Kicked => {
            CloseCode::Policy
        }
    }
}

fn written(outcome: Result<Result<(), Error>, tokio::time::error::Elapsed>) -> Result<(), Going> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Going::Lost),
        Err(_) => Err(Going::Closing(Closing::Slow)),
    }
}
