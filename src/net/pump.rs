//! One connection: moves frames between a socket and a room, by the room end's orders.
//!
//! The pump owns the socket and decides nothing: [`RoomEnd`] does. It is one
//! task, so a member who does not read blocks only their own; every write has a
//! deadline, and whoever misses it is closed with a hint to come back with their
//! cursor. There is one way out of it: say why, drain, drop.
//!
//! The WebSocket library reads, and answers pings and closings. What we say goes
//! past it, straight to the socket: bytes that were framed once for everybody
//! ([`wire`]), and all that is there to say in one write. Its own words go first
//! each time, so that no frame stands inside another.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::{FutureExt as _, SinkExt, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::broadcast::feed::{Bulletin, Run, Subscription};
use crate::broadcast::hub::Hub;
use crate::broadcast::room::{Admission, ConnectionId, Entry, Replies, Reply, RoomHandle};
use crate::broadcast::wire;
use crate::engine::event::Departure;
use crate::engine::frame::{self, Closing, Form, FrameError, Hello, Refused, ToMember, ToRoom};
use crate::engine::id::MemberId;
use crate::engine::intent::Refusal;
use crate::engine::session::room_end::{Action, RoomEnd};
use crate::engine::text::Passcode;
use crate::engine::unit::SessionTime;
use crate::net::Alarm;
use crate::os;

/// How long a member may take to read what is sent, before they count as too slow.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the other end may take to answer our goodbye.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Answers that may wait for one member: as many as they may ask at once, and then some.
const REPLIES_MAX: usize = 64;
/// What one connection may have written and unread in our memory.
const WRITE_BUFFER_MAX: usize = 1024 * 1024;
/// What a connection keeps of its memory for what only it is told: most of that is pongs and answers.
const LOOSE_KEPT: usize = 256;
/// Stretches of bytes handed to the system in one call; the rest goes with the next.
const STRETCHES_MAX: usize = 32;

/// The limits of every WebSocket of ours: a reader's small buffer (the default costs
/// 134 KiB a connection and three times the CPU, measured), bounded frames and writes.
pub fn config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max))
}

/// What is set aside to read a member's frames: most have thirty bytes, and a party has many members.
const READ_BUFFER: usize = 512;

/// Serves one upgraded connection until it ends; `behind` was read from it already.
pub async fn run(stream: TcpStream, behind: Bytes, form: Form, hub: Hub) {
    let limits = config(frame::FROM_MEMBER_BYTES_MAX).read_buffer_size(READ_BUFFER);
    // Copied, because it mostly is nothing, and keeps HTTP's eight kilobytes for as long as it lives.
    let (behind, all) = (behind.to_vec(), behind);
    drop(all);
    let socket =
        WebSocketStream::from_partially_read(stream, behind, Role::Server, Some(limits)).await;
    let (replies_in, replies) = mpsc::channel(REPLIES_MAX);
    // In a box, because a task has a place of its own for everything that is ever moved in it.
    let mut pump = Box::new(Pump {
        socket,
        form,
        hub,
        end: RoomEnd::new(os::local_now()),
        alarm: Alarm::new(),
        outbox: Outbox::default(),
        replies_in: Some(replies_in),
        replies,
        entering: None,
        inside: None,
    });
    pump.run().await;
}

/// What a connection has once it is in a room.
struct Inside {
    room: RoomHandle,
    member: MemberId,
    connection: ConnectionId,
    feed: Subscription,
    presence: watch::Receiver<Arc<Bulletin>>,
    /// The version of the presence that this member heard.
    heard: u64,
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
    Reply(Box<Reply>),
    Events(Vec<Run>),
    Presence(Arc<Bulletin>),
    Moved(String),
    Ended(Closing),
    /// The room answers here no longer.
    Forgotten,
    Entry(Option<Box<Entry>>),
    Deadline,
}

struct Pump {
    socket: WebSocketStream<TcpStream>,
    form: Form,
    hub: Hub,
    end: RoomEnd,
    /// Rings at the end's deadline.
    alarm: Alarm,
    outbox: Outbox,
    /// Until they ask to come in: from then on the room alone holds it, and what becomes of the
    /// room shows in `replies`.
    replies_in: Option<Replies>,
    replies: mpsc::Receiver<Box<Reply>>,
    /// Where they want in, and what becomes of it.
    entering: Option<(RoomHandle, mpsc::Receiver<Box<Entry>>)>,
    inside: Option<Inside>,
}

/// What is to be written, in order.
#[derive(Debug, Default)]
struct Outbox {
    shared: Vec<Bytes>,
    /// Behind those, what only this member is told.
    loose: Vec<u8>,
}

impl Outbox {
    fn put(&mut self, form: Form, frame: &ToMember) {
        wire::put(&mut self.loose, form, frame);
    }

    fn share(&mut self, bytes: Bytes) {
        self.part();
        self.shared.push(bytes);
    }

    /// Closes what was put so far, so that something else can follow it.
    fn part(&mut self) {
        if !self.loose.is_empty() {
            self.shared.push(std::mem::take(&mut self.loose).into());
        }
    }

    fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.loose.is_empty()
    }

    /// Writes all of it, in as few calls as the system allows.
    ///
    /// Given up half way, it goes on there: the goodbye to somebody too slow must not begin inside
    /// a frame.
    async fn write<W: AsyncWrite + Unpin>(&mut self, stream: &mut W) -> io::Result<()> {
        if self.shared.is_empty() {
            while !self.loose.is_empty() {
                let written = progress(stream.write(&self.loose).await?)?;
                self.loose.drain(..written);
            }
            self.loose.shrink_to(LOOSE_KEPT);
            return Ok(());
        }
        self.part();
        if let [only] = self.shared.as_mut_slice() {
            stream.write_all_buf(only).await?;
        } else {
            write_all(stream, &mut self.shared).await?;
        }
        self.shared.clear();
        self.shared.shrink_to(1);
        Ok(())
    }
}

async fn write_all<W: AsyncWrite + Unpin>(
    stream: &mut W,
    stretches: &mut [Bytes],
) -> io::Result<()> {
    let mut rest = stretches;
    loop {
        while rest.first().is_some_and(Bytes::is_empty) {
            rest = &mut rest[1..];
        }
        if rest.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); STRETCHES_MAX];
        for (slice, stretch) in slices.iter_mut().zip(rest.iter()) {
            *slice = IoSlice::new(stretch);
        }
        let count = rest.len().min(STRETCHES_MAX);
        let mut written = progress(stream.write_vectored(&slices[..count]).await?)?;
        for stretch in rest.iter_mut() {
            let taken = written.min(stretch.len());
            stretch.advance(taken);
            written -= taken;
            if written == 0 {
                break;
            }
        }
    }
}

/// A writer that takes nothing never will.
fn progress(written: usize) -> io::Result<usize> {
    match written {
        0 => Err(io::ErrorKind::WriteZero.into()),
        some => Ok(some),
    }
}

impl Pump {
    async fn run(&mut self) {
        let going = loop {
            let woken = self.wait().await;
            let mut handled = match woken {
                // In a box: it is the longest way, and most of an evening nobody is on it.
                Woken::Read(read) => Box::pin(self.read(read)).await,
                Woken::Reply(reply) => self.reply(*reply),
                Woken::Events(runs) => self.forward(&runs),
                Woken::Presence(bulletin) => self.tell(&bulletin),
                Woken::Moved(to) => self.send(&ToMember::Moved { to }),
                Woken::Ended(why) => Err(Going::Closing(why)),
                Woken::Forgotten => Err(Going::Closing(self.why_forgotten())),
                Woken::Entry(entry) => self.entered(entry.map(|entry| *entry)).await,
                Woken::Deadline => {
                    let action = self.end.tick(os::local_now());
                    self.act(action).await
                }
            };
            // What else there is to say goes with it; nothing before they were welcomed.
            while handled.is_ok()
                && self.inside.is_some()
                && let Ok(reply) = self.replies.try_recv()
            {
                handled = self.reply(*reply);
            }
            if handled.is_ok() {
                handled = self.write().await;
            }
            if let Err(going) = handled {
                break going;
            }
        };
        if let Some((room, mut entries)) = self.entering.take() {
            entries.close();
            // Let in at the very moment they went: the room must hear that, too.
            while let Ok(entry) = entries.try_recv() {
                if let Entry::In(admission) = *entry {
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
        Box::pin(self.say_goodbye(going)).await;
    }

    /// Waits for the next thing to do. Cancelling any of its branches loses nothing.
    async fn wait(&mut self) -> Woken {
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
                    // A room that broke says nothing more: to those inside the same as one that was closed.
                    why = inside.ended.wait_for(Option::is_some) => {
                        Woken::Ended(why.ok().and_then(|why| *why).unwrap_or(Closing::HostLeft))
                    }
                },
            }
        };
        tokio::select! {
            read = self.socket.next() => Woken::Read(read),
            // Nothing is said to a member before they were welcomed.
            reply = self.replies.recv(), if is_inside => match reply {
                Some(reply) => Woken::Reply(reply),
                // The room is gone, or gave up on a mailbox that nobody empties.
                None => Woken::Forgotten,
            },
            woken = room_side => woken,
            () = self.alarm.until(deadline) => Woken::Deadline,
        }
    }

    fn why_forgotten(&self) -> Closing {
        let Some(inside) = &self.inside else {
            return Closing::HostLeft;
        };
        let (told, is_gone) = (*inside.ended.borrow(), inside.ended.has_changed().is_err());
        told.unwrap_or(if is_gone {
            Closing::HostLeft
        } else {
            Closing::Slow
        })
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
            // Answered by the library.
            (Message::Ping(_), _) => return Ok(()),
            (Message::Pong(_), _) => {
                self.end.answered(now);
                return Ok(());
            }
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
            (Action::Admit(hello, passcode), _) => Box::pin(self.admit(hello, passcode)).await,
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
            (Action::Trace(member, vitals), Some(inside)) => {
                inside
                    .room
                    .trace_of(inside.connection, member, vitals)
                    .await;
                Ok(())
            }
            (Action::Ask(..) | Action::Note(..) | Action::Trace(..) | Action::Follow(_), None) => {
                Ok(())
            }
            (Action::Send(frame), _) => self.send(&frame),
            (Action::Probe, _) => {
                self.outbox.share(Bytes::from_static(wire::PING));
                Ok(())
            }
            (Action::Close(why), _) => Err(Going::Closing(why)),
            (Action::Leave, _) => Err(Going::Left),
        }
    }

    async fn admit(&mut self, hello: Hello, passcode: Option<Passcode>) -> Result<(), Going> {
        // The end asks for it once: a connection is one try.
        match self.hub.room(hello.session).zip(self.replies_in.take()) {
            None => {
                let refused = self.end.refused(Refusal::UnknownSession);
                self.perform(refused).await
            }
            Some((room, replies)) => {
                let entries = room.knock(hello, passcode, replies).await;
                self.entering = Some((room, entries));
                Ok(())
            }
        }
    }

    /// They came a step further, or no further.
    async fn entered(&mut self, entry: Option<Entry>) -> Result<(), Going> {
        let admission = match entry {
            Some(Entry::Waiting) => return self.send(&ToMember::Waiting {}),
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
                    heard: 0,
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

    fn reply(&mut self, reply: Reply) -> Result<(), Going> {
        match reply {
            Reply::Accepted { counter, seq } => self.send(&ToMember::Accepted { counter, seq }),
            Reply::Refused { counter, refusal } => {
                self.send(&ToMember::Refused(Refused::new(Some(counter), refusal)))
            }
            Reply::Secret { invite, secret } => self.send(&ToMember::Secret { invite, secret }),
            Reply::Knocks(knocks) => self.send(&ToMember::Knocks(knocks.to_vec())),
            Reply::Close(why) => Err(Going::Closing(why)),
        }
    }

    /// Passes on events that were encoded when the first of their readers came.
    fn forward(&mut self, runs: &[Run]) -> Result<(), Going> {
        for run in runs {
            self.outbox.share(run.bytes(self.form));
        }
        Ok(())
    }

    /// Passes on what players do, behind the events that were there before it: who hears of a
    /// player has heard of its member.
    fn tell(&mut self, bulletin: &Bulletin) -> Result<(), Going> {
        let form = self.form;
        let Some(inside) = &mut self.inside else {
            return Ok(());
        };
        while let Some(next) = inside.feed.next().now_or_never() {
            match next {
                Ok(runs) if !runs.is_empty() => {
                    for run in runs {
                        self.outbox.share(run.bytes(form));
                    }
                }
                // The next wait finds the same and says so.
                _ => break,
            }
        }
        let bytes = bulletin.bytes(form, inside.heard);
        inside.heard = bulletin.version();
        if !bytes.is_empty() {
            self.outbox.share(bytes);
        }
        Ok(())
    }

    /// Says something to this member alone, with the next write.
    fn send(&mut self, frame: &ToMember) -> Result<(), Going> {
        self.outbox.put(self.form, frame);
        Ok(())
    }

    async fn write(&mut self) -> Result<(), Going> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let (socket, outbox) = (&mut self.socket, &mut self.outbox);
        let all = async {
            socket.flush().await?;
            outbox.write(socket.get_mut()).await.map_err(Error::Io)
        };
        written(timeout(WRITE_WAIT_MAX, all).await)
    }

    /// The one way out: say why, close, drain what still comes, drop.
    async fn say_goodbye(&mut self, going: Going) {
        let goodbye = async {
            match going {
                Going::Lost => return,
                Going::Left => {
                    let _ = self.write().await;
                    drop(self.socket.close(None).await);
                }
                Going::Closing(why) => {
                    // An error only means that they are gone already.
                    let _ = self.send(&ToMember::Closing(why));
                    let _ = self.write().await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_is_given_up_goes_on_where_it_stopped() {
        use tokio::io::AsyncReadExt as _;
        let frames: Vec<Bytes> = (0..100u8).map(|byte| vec![byte; 7].into()).collect();
        // What only one is told, one shared stretch, and many with something behind them.
        for shared in [0, 1, 100] {
            let mut outbox = Outbox::default();
            for frame in &frames[..shared] {
                outbox.share(frame.clone());
            }
            if shared != 1 {
                outbox.loose.extend_from_slice(b"and a word of its own");
            }
            let wanted = [frames[..shared].concat(), outbox.loose.clone()].concat();
            let (mut ours, mut theirs) = tokio::io::duplex(5);
            let mut heard = Vec::new();
            while heard.len() < wanted.len() {
                // It fills what there is room for, and is given up there.
                let _ = outbox.write(&mut ours).now_or_never();
                let mut some = [0; 5];
                match theirs.read(&mut some).now_or_never() {
                    Some(count) => heard.extend_from_slice(&some[..count.unwrap()]),
                    None => tokio::task::yield_now().await, // this task's turn is used up
                }
            }
            assert_eq!(heard, wanted, "{shared} shared");
            outbox.write(&mut ours).await.unwrap();
            assert!(outbox.is_empty());
        }
    }

    #[tokio::test]
    async fn a_connection_that_waits_is_small() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let stream = stream.await.unwrap();
        let connection = run(stream, Bytes::new(), Form::Json, Hub::default());
        let bytes = size_of_val(&connection);
        // A member is to cost 8 KiB in all (docs/performance.md): buffers, mailbox, state.
        assert!(
            bytes + size_of::<Pump>() <= 2_560,
            "{bytes} bytes and a pump"
        );
    }
}
