"""What mitmproxy does between the console and a server: run by `plugs --mitmproxy`, by mitmdump.

A file in BETWEEN, named by the port on which the console came in, holds the word for what goes wrong there; without
one all goes well.
"""

import asyncio
import os
import pathlib
import random

from mitmproxy import http

FOLDER = pathlib.Path(os.environ["BETWEEN"])
PORTAL = b"<!DOCTYPE html><html><title>Sign in</title><body>\x1b[31m<a href='http://10.0.0.1/'>Sign in</a></body></html>"
HTML, JSON = {"content-type": "text/html"}, {"content-type": "application/json"}

# In place of an answer.
ANSWERS = {
    "portal": (200, PORTAL, HTML),
    "portal in json": (200, b'{"login": "required"}', JSON),
    "nothing": (200, b"", JSON),
    "redirect": (302, b"", {"location": "http://10.0.0.1/login"}),
    "unauthorized": (401, PORTAL, HTML),
    "too many": (429, b"slow down", {"content-type": "text/plain"}),
    "bad gateway": (502, PORTAL, HTML),
    "no upstream": (503, b"upstream connect error", {"content-type": "text/plain"}),
}
# In place of the name of a format.
LABELS = {"mislabelled": "text/plain", "unlabelled": None, "said to be json": "application/json"}


def wrong(flow):
    try:
        return (FOLDER / str(flow.client_conn.sockname[1])).read_text()
    except OSError:
        return ""


class Between:
    def __init__(self):
        self.old = {}

    async def request(self, flow):
        what = wrong(flow)
        if what in ANSWERS:
            flow.response = http.Response.make(*ANSWERS[what])
        elif what == "nothing, well labelled":
            label = flow.request.headers.get("accept", "application/json").split(",")[0]
            flow.response = http.Response.make(200, b"", {"content-type": label})
        elif what == "late answers":
            await asyncio.sleep(random.uniform(1, 6))
        elif what == "no answers":
            await asyncio.sleep(3600)
        elif what == "old lists" and self.key(flow) in self.old:
            flow.response = self.old[self.key(flow)].copy()

    @staticmethod
    def key(flow):
        return (flow.client_conn.sockname[1], flow.request.path.split("&continue=")[0])

    def responseheaders(self, flow):
        what, watches = wrong(flow), "watch=" in flow.request.path
        if what in LABELS:
            flow.response.headers.pop("content-type", None)
            if LABELS[what]:
                flow.response.headers["content-type"] = LABELS[what]
        # Lists are kept when all is well, to be given again as old ones; everything else passes as it comes.
        if watches or what:
            flow.response.stream = self.carried(flow, watches)

    def response(self, flow):
        if flow.response.status_code == 200 and not flow.response.stream and not wrong(flow):
            self.old.setdefault(self.key(flow), flow.response.copy())

    @staticmethod
    def carried(flow, watches):
        carried, enough = 0, random.randint(1, 20_000)

        def carry(data):
            nonlocal carried
            what, carried = wrong(flow), carried + len(data)
            if what == "ended" and carried > enough:
                # A second call for the same request would end mitmproxy's own work on that connection.
                if flow.killable:
                    flow.kill()
                return b""
            if what == "shortened" and carried > enough:
                return b""
            if what == "events lost" and watches and random.random() < 0.3:
                return b""
            if what == "events twice" and watches and random.random() < 0.3:
                return data + data
            if what == "bits turned" and data and random.random() < 0.5:
                turned = bytearray(data)
                turned[random.randrange(len(turned))] ^= 1 << random.randrange(8)
                return bytes(turned)
            return data

        return carry


addons = [Between()]
