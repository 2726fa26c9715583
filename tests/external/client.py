#!/usr/bin/env python3
"""A guest of a Séance party, written from docs/protocol.md alone.

Standard library only: a TCP socket, the few lines of WebSocket (RFC 6455) a client needs, and JSON.

    client.py LINK            joins, acts, is refused; prints one JSON object a line of what it saw
"""
import base64
import json
import os
import socket
import struct
import sys
from urllib.parse import urlsplit


class Party:
    """One connection, from a link."""

    def __init__(self, link):
        url = urlsplit(link)
        self.session, self.secret = url.fragment.split(".")
        self.socket = socket.create_connection((url.hostname, url.port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: seance.v1.json\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.exactly(1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(head.split(b"\r\n")[0].decode())
        self.counter = 0
        self.events = []

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def send(self, frame):
        payload = json.dumps(frame).encode()
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))

    def receive(self):
        """The next frame as (name, body); None once the room closed."""
        first, second = self.exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        payload = self.exactly(size)
        if first & 0x0F == 8:
            return None
        if first & 0x0F != 1:
            return "control", None
        ((name, body),) = json.loads(payload).items()
        if name == "event":
            assert body["seq"] == (self.events[-1]["seq"] + 1 if self.events else 1), "seq has no gaps"
            self.events.append(body)
        return name, body

    def until(self, *names):
        while True:
            frame = self.receive()
            if frame is None or frame[0] in names:
                return frame

    def hello(self, name, resume=None, secret=None):
        self.send({"hello": {
            "version": 1, "session": self.session, "secret": self.secret if secret is None else secret,
            "name": name, "client": "script", "resume": resume, "cursor": 1,
        }})
        return self.until("welcome", "refused", "waiting")

    def ask(self, intent):
        """The answer under this ask's counter: ("accepted", …) or ("refused", …)."""
        self.counter += 1
        self.send({"ask": {"counter": self.counter, "via": "script", "intent": intent}})
        while True:
            name, body = self.until("accepted", "refused")
            if body["counter"] == self.counter:
                return name, body


def tell(what, value):
    print(json.dumps({what: value}), flush=True)


def main(link):
    stranger = Party(link)
    name, body = stranger.hello("Eve", secret="0" * 26)
    tell("stranger", [name, body["refusal"]])

    party = Party(link)
    name, welcome = party.hello("Kim")
    tell("hello", [name, welcome["member"]])
    while not party.events or party.events[-1]["seq"] < welcome["tail"] - 1:
        party.receive()
    tell("caught_up", len(party.events) == welcome["tail"] - 1)

    party.send({"ping": {"t0": 1_000_000}})
    _, pong = party.until("pong")
    tell("pong", pong["t0"] == 1_000_000 and pong["t1"] <= pong["t2"])

    tell("say", party.ask({"say": {"text": "Hello from the documentation"}})[0])
    tell("play", party.ask({"play": {}}))
    tell("load", party.ask({"load": {"url": "https://youtu.be/YE7VzlLtp-4"}})[0])
    tell("kick", party.ask({"kick": {"member": 1}})[1]["refusal"])
    tell("fly", unknown(party))
    counter = party.counter = party.counter + 1
    for _ in range(2):  # the same counter is the same intent
        party.send({"ask": {"counter": counter, "intent": {"say": {"text": "once"}}}})
    answers = [party.until("accepted")[1]["seq"] for _ in range(2)]
    tell("once", answers[0] == answers[1])

    name, link_made = party.ask({"invite": {"role": "viewer", "uses": 1}})
    secret = party.until("secret")[1]
    tell("secret", [name, secret["invite"] == link_made["seq"]])
    viewer = Party(link)
    name, _ = viewer.hello("Vi", secret=secret["secret"])
    tell("viewer", [name, viewer.ask({"seek": {"to": 1}})[1]["refusal"]])
    tell("used_up", Party(link).hello("Late", secret=secret["secret"])[1]["refusal"])

    token = {"member": welcome["member"], "token": welcome["token"]}
    again = Party(link)
    name, back = again.hello("Kim", resume=token, secret="")
    tell("back", [name, back["member"] == welcome["member"]])
    tell("replaced", closing(party))
    again.send({"hello": {}})
    name, body = again.until("refused", "closing")
    tell("nonsense", name)
    again.send({"bye": {}})
    viewer.send({"bye": {}})


def unknown(party):
    """An intent no room knows is answered without a counter."""
    party.send({"ask": {"counter": party.counter + 1, "intent": {"fly": {}}}})
    _, body = party.until("refused")
    party.counter += 1
    return list(body["refusal"])[0]


def closing(party):
    frame = party.until("closing")
    return frame and frame[1]


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1] != "-" else sys.stdin.readline().strip())
