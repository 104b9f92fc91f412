"""A baseline of `compare.sh`: the same service in FastAPI, over the same SQLite file.

    CALLS=calls.sqlite uvicorn service:app --workers 1
"""

import json
import os
import sqlite3
from secrets import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

app = FastAPI()
calls = sqlite3.connect(os.environ["CALLS"], check_same_thread=False)


async def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]):
    if not compare_digest(credentials.credentials, "sandbox-token"):
        detail = "Invalid authentication credentials"
        raise HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})


# `async`, because FastAPI runs other handlers in a thread, which takes longer than the query.
@app.get("/v1/call/{id}", dependencies=[Depends(caller)])
async def get_call(id: UUID):
    row = calls.execute("SELECT json FROM call WHERE tenant = 1 AND id = ?", (id.bytes,)).fetchone()
    if row is None:
        raise HTTPException(404, "Call not found")
    return json.loads(row[0])
