"""Records the responses of a FastAPI service that `tests/fastapi.rs` compares the sandbox with.

    pip install fastapi uvicorn
    python3 record.py > responses.jsonl
"""

import json
import pathlib
import socket
import threading
from typing import Annotated
from uuid import UUID

import fastapi
import pydantic
import pydantic_core
import starlette
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

TOKEN = "sandbox-token"
EXAMPLE = json.loads((pathlib.Path(__file__).parents[2] / "src/example.json").read_text())
ID = EXAMPLE["id"]

app = FastAPI()


def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]):
    if credentials.credentials != TOKEN:
        detail = "Invalid authentication credentials"
        raise HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})


@app.get("/v1/call/{id}", dependencies=[Depends(caller)])
def get_call(id: UUID):
    if str(id) != ID:
        raise HTTPException(404, "Call not found")
    return EXAMPLE


BEARER = [f"Bearer {TOKEN}"]
NO_TOKEN = []

AUTHORIZATIONS = [
    NO_TOKEN, BEARER, [""], ["Bearer"], ["Bearer "], ["Bearer wrong"], [TOKEN], [f"Basic {TOKEN}"],
    [f"bearer {TOKEN}"], [f"BEARER {TOKEN}"], [f"Bearer  {TOKEN}"], [f"Bearer {TOKEN} "], [f"Bearer {TOKEN} x"],
    [f"Bearer\t{TOKEN}"], [f"Bearer {TOKEN.upper()}"], [f"Bearer {TOKEN[:-1]}"], [f"Bearer {TOKEN}x"],
    BEARER + ["Bearer wrong"], ["Bearer wrong"] + BEARER,
]

PATHS = [
    "/", "/v1", "/v1/call", "/v1/call/", "/v1/call//", f"/v1/call/{ID}/", f"/v1/call/{ID}//", f"/v1/call/{ID}/?a=b",
    f"/v1/call/{ID}/x", f"/v1/call/{ID}/x/", f"/V1/call/{ID}", f"//v1/call/{ID}", f"/v1//call/{ID}",
    f"/v1/call/../call/{ID}", f"/v1/c%61ll/{ID}", f"/v1%2Fcall/{ID}", "/v1/call/a%2Fb", f"/v1/call/{ID}%2F",
    f"/v1/call/{ID}?a=b", f"/v1/call/{ID}?", f"/v1/call/%3{ID}", "/v1/call/x/", "/v1/call/%C3%A9/", "/v1/call/a%20b/",
    "/v1/call/a%3Fb/", "/v1/call/a%22b/",
]

METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "QUERY", "get"]

IDS = [
    # Valid forms.
    ID, ID.upper(), "3C90c3cc-0d44-4B50-8888-8dd25736052a", ID.replace("-", ""), ID.replace("-", "").upper(),
    f"{{{ID}}}", f"%7B{ID}%7D", f"urn:uuid:{ID}", f"urn%3Auuid%3A{ID}", f"{ID[:-1]}%61", f"%3{ID}",
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    # Other wrappings.
    f"URN:UUID:{ID}", f"urn:UUID:{ID}", f"uuid:{ID}", f"urn:uuid:{{{ID}}}", f"{{urn:uuid:{ID}}}", f"{{{ID}", f"{ID}}}",
    f"({ID})", f"%22{ID}%22", f"{{{{{ID}}}}}", f"{{{ID.replace('-', '')}}}", f"urn:uuid:{ID.replace('-', '')}",
    f"%20{ID}", f"{ID}%20", f"{ID}%0A", f"{ID}%00",
    # The length of a wrapped form, with other contents.
    f"{{{'3' * 34}}}", f"{{{'3' * 30}}}", f"{{{ID[:-2]}}}", f"urn:uuid:{'3' * 27}", f"urn:uuid:{ID[:-7]}",
    f"{{urn:uuid:{'3' * 27}}}", f"urn:uuid:{{{'3' * 34}}}", f"{{{{{'3' * 34}}}}}",
    # Groups of other lengths or counts.
    f"{ID}0", ID[:-1], f"{ID}-", f"-{ID}", ID[:23], "3c90c3cc-0d44-4b50-88888dd25736052a",
    "3c90c3cc-0d444-b50-8888-8dd25736052a", "3c90c3c-c0d44-4b50-8888-8dd25736052a",
    "3c90c3cc-0d44-4b5-08888-8dd25736052a", "3c90c3cc-0d44-4b50-888-88dd25736052a",
    "3c90c3cc0d44-4b50-8888-8dd25736052a", "3c90c3cc-0d44-4b50-8888-8dd2-5736052a", "a-b", "a-b-c-d-e", "1-2-3-4-5",
    "3-c90c3cc0d444b5088888dd25736052a", "-" * 32, "-" * 36, "----", "{----}", "urn:uuid:----",
    "{3c90c3cc-0d444-b50-8888-8dd25736052a}", "{3c90c3cc-0d44-4b50-8888-8dd257360}",
    "urn:uuid:3c90c3cc-0d444-b50-8888-8dd25736052a", "urn:uuid:3c90c3cc-0d44-4b50-8888-8dd257360",
    # Digits only, but not 32.
    "0", "123", "3" * 31, "3" * 33, "3" * 36, "3" * 38, "3" * 45, "3" * 46, "a" * 300, "{}", "{3}", "urn:uuid:",
    "urn:uuid:3", f"{{{'3' * 36}}}", f"urn:uuid:{'3' * 36}",
    # Other characters.
    "x", "{id}", "%7Bid%7D", "{x}", "urn:uuid:x", "urn:x", "z" * 32, "z" * 36, "z" * 45, "z" * 46,
    "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", f"{{{'g' * 36}}}", f"{{{'g' * 35}}}", f"urn:uuid:{'g' * 36}",
    f"urn:uuid:{'g' * 35}", f"{ID[:-1]}g", f"{{{ID[:-1]}g}}", f"urn:uuid:{ID[:-1]}g", f"{ID}g", "0x" + "3" * 30,
    "3c90_3cc-0d44-4b50-8888-8dd25736052a", "a.b", ".", "..", "+", "a%2Bb", "%20", "%22", "%5C", "%3Cscript%3E",
    "%00", "%08", "%09", "%0A", "%0C", "%0D", "%1B", "%1F", "%7F", "%C2%80", "%25", "%2525", "%3F", "%23", "a%3Fb%23c",
    "%C3%A9", "%C3%A93c90c3cc", "3c90c3cc-0d44-4b50-8888-8dd2573605%C3%A9", "3c90c3cc0d444b5088888dd2573605%C3%A9",
    f"%7B{'3' * 34}%C3%A9%7D", "%C3%A9" * 16, "%C3%A9" * 18, "%C3%A9" * 23, "%E2%80%A8", "%F0%9F%98%80",
    "%F0%9F%98%80" * 9, "%EF%BB%BF",
    # Characters whose low byte is a digit or a hyphen.
    "%D9%A3", "%D9%A3" * 16, "%D9%A3x", "{%D9%A3}", "a%C4%ADb", "%C4%AD" * 18, "%F0%90%80%AD",
    "3c90c3cc-0d44-4b50-8888-8dd2573605%D9%A3", "3c90c3cc%C4%AD0d44%C4%AD4b50-8888-8dd25736052",
    "3c90c3cc-0d44-4b50-8888%C4%AD8dd25736052a",
    # Invalid UTF-8 and invalid escapes.
    "%FF", "%C3", "%C3%28", "%E2%82", "%F0%9F%98", "%ED%A0%80", "%FF%FE" * 9, "%", "%4", "%zz", "a%", "%%33", "%u0041",
]

CASES = (
    [("GET", f"/v1/call/{id}", who) for id in (ID, "x") for who in AUTHORIZATIONS]
    + [("GET", path, who) for path in PATHS for who in (BEARER, NO_TOKEN)]
    + [(method, path, who) for method in METHODS for path in (f"/v1/call/{ID}", "/v1/call/x", f"/v1/call/{ID}/", "/x")
       for who in (BEARER, NO_TOKEN)]
    + [("GET", f"/v1/call/{id}", BEARER) for id in IDS]
)

HEADERS = ["allow", "content-length", "content-type", "location", "www-authenticate"]


def request(port, method, path, authorizations):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost:3000", "Connection: close"]
    lines += [f"Authorization: {value}" for value in authorizations]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    fields = dict(field.lower().split(": ", 1)[:1] + field.split(": ", 1)[1:] for field in fields)
    return {
        "method": method,
        "path": path,
        "authorizations": authorizations,
        "status": int(status.split()[1]),
        "headers": {name: fields[name] for name in HEADERS if name in fields},
        "body": body.decode(),
    }


def main():
    modules = [fastapi, starlette, pydantic, pydantic_core, uvicorn]
    print(json.dumps({module.__name__: module.__version__ for module in modules}))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    for case in CASES:
        print(json.dumps(request(listener.getsockname()[1], *case)))
    server.should_exit = True


if __name__ == "__main__":
    main()
