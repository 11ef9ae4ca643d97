"""Follows a quote by a WebSocket client that nobody here wrote, beside a system that runs (with-system.sh).

It signs in as the pages do, connects with a ticket, hears of a quote, and tries the limits that AWS documents.
"""

import asyncio
import http.cookiejar
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

import websockets

API, AWS, TOKEN = os.environ["MILEPOST_API"], os.environ["MILEPOST_AWS"], os.environ["MILEPOST_TOKEN"]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def sign_in(person):
    page = browser.open(API + "/app/sign-in?to=/app/quotes").read().decode()
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)) | {"person": person}
    request = urllib.request.Request(AWS + "/issuer/oauth2/authorize", urllib.parse.urlencode(form).encode())
    answer = browser.open(request)
    assert answer.url == API + "/app/quotes", answer.url


def address():
    request = urllib.request.Request(API + "/app/live/ticket", b"", {"Sec-Fetch-Site": "same-origin"})
    return json.load(browser.open(request))["url"]


def call(method, path, body=None, headers=None):
    request = urllib.request.Request(path, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def connections(method, connection, body=None):
    """Calls @connections as an SDK does. The local endpoint looks at who signs, and not at the signature."""
    signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
    path = AWS + "/live/@connections/" + urllib.parse.quote(connection, safe="")
    return call(method, path, body, {"Authorization": signed})


async def refused(url):
    try:
        async with websockets.connect(url):
            return 101
    except websockets.exceptions.InvalidStatus as error:
        return error.response.status_code


async def main():
    sign_in("ada")
    url = address()
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"action": "follow", "topics": ["customer", "desk"]}))
        answer = json.loads(await socket.recv())
        assert answer["following"] == ["customer"] and "desk" in answer["refused"], answer
        print("follows:", answer)

        with open(os.path.join(os.path.dirname(__file__), "..", "system", "example.json"), encoding="utf-8") as example:
            request = json.load(example)
        day = os.environ["MILEPOST_DAY"]
        request["effectiveDate"] = request["policy"]["priorInsurance"]["expirationDate"] = day
        headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}
        status, body = call("POST", API + "/quotes", json.dumps(request).encode(), headers)
        assert status == 202, body
        bell = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert bell["topic"] == "customer" and bell["quoteId"] == json.loads(body)["quoteId"], bell
        print("hears:", bell)

        await socket.send('{"action":"nothing"}')
        while "connectionId" not in (frame := json.loads(await socket.recv())):
            pass
        assert frame["message"] == "Forbidden", frame
        connection = frame["connectionId"]
        print("a route that is not there:", frame["message"])
        assert connections("GET", connection)[0] == 200
        assert connections("POST", connection, b"x" * (128 * 1024 + 1))[0] == 413
        assert connections("POST", connection, b"ding")[0] == 200
        while await socket.recv() != "ding":
            pass
        assert connections("DELETE", connection)[0] == 204
        try:
            while True:
                await socket.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            print("deleted:", closed.rcvd.code)
        statuses = [connections(method, connection, b"ding" if method == "POST" else None)[0] for method in ("POST", "GET", "DELETE")]
        assert statuses == [410, 410, 410], statuses
        print("a connection that is gone:", statuses)

    for why, other in {"a ticket that was used": url, "no ticket": url.split("?")[0], "one that was made up": url[:-3] + "AAA"}.items():
        status = await refused(other)
        assert status == 401, (why, status)
        print(why + ":", status)

    async with websockets.connect(address()) as socket:
        await socket.send("x" * (129 * 1024))
        try:
            await asyncio.wait_for(socket.recv(), 10)
            raise AssertionError("a message of 129 KB is taken")
        except websockets.exceptions.ConnectionClosed as closed:
            code = (closed.rcvd or closed.sent).code
            assert code == 1009, code
            print("a message of 129 KB:", code)

    many = []
    statuses = []
    for _ in range(40):
        try:
            many.append(await websockets.connect(address()))
            statuses.append(101)
        except websockets.exceptions.InvalidStatus as error:
            statuses.append(error.response.status_code)
    print("40 connections of one customer:", {s: statuses.count(s) for s in set(statuses)})
    assert statuses.count(101) == 20 and statuses.count(429) == 20, statuses
    for socket in many:
        await socket.close()


asyncio.run(main())
