"""The vendor's next release, as a live service: it lists calls, starts and deletes them, and has their transcripts.

`uvicorn service:app` serves it. FastAPI writes the document at /openapi.json. One of the 1,000 calls does not match it.
"""

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated
from uuid import UUID, uuid5

from fastapi import Body, Depends, FastAPI, Path, Query, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field

TOKEN = "live-token"
CALLS = 1000
BAD = 499
NAMESPACE = UUID("3c90c3cc-0d44-4b50-8888-8dd25736052a")
EPOCH = datetime(2023, 11, 7, 5, 31, 56, tzinfo=UTC)


class CallStatus(str, Enum):
    dialing = "dialing"
    in_progress = "in_progress"
    completed = "completed"
    failed = "failed"
    transferred = "transferred"
    no_answer = "no_answer"
    voicemail = "voicemail"


class CallType(str, Enum):
    inbound = "inbound"
    outbound = "outbound"


class ContactTypeEnum(str, Enum):
    call = "call"
    message = "message"


class ContactResponse(BaseModel):
    id: UUID
    created_date: datetime
    identifier: str
    contact_type: ContactTypeEnum


Metadata = dict[str, str | int | float | bool]

EXAMPLE = {
    "id": str(NAMESPACE),
    "agent_id": str(NAMESPACE),
    "status": "dialing",
    "type": "inbound",
    "contact": {
        "id": str(NAMESPACE),
        "created_date": "2023-11-07T05:31:56Z",
        "identifier": "<string>",
        "contact_type": "call",
    },
    "phone_id": str(NAMESPACE),
    "created_date": "2023-11-07T05:31:56Z",
    "recording_url": "<string>",
    "start_time": "2023-11-07T05:31:56Z",
    "end_time": "2023-11-07T05:31:56Z",
    "duration": 123,
    "ended_reason": "<string>",
    # FastAPI drops nulls from examples.
    "direction_detail": None,
}


class CallResponse(BaseModel):
    id: UUID = Field(description="The unique identifier for the call")
    agent_id: UUID | None = Field(description="The unique identifier for the agent that handled the call")
    status: CallStatus = Field(description="The current status of the call")
    type: CallType = Field(description="The direction of the phone call")
    contact: ContactResponse = Field(description="Details of the contact that initiated or received the call")
    phone_id: UUID | None = Field(description="The ID of the phone that was used to make or receive the call")
    created_date: datetime = Field(description="The date and time when the call was created")
    recording_url: str | None = Field(None, description="The call recording URL.")
    start_time: datetime | None = Field(None, description="The start time of the call")
    end_time: datetime | None = Field(None, description="The end time of the call, if ended")
    duration: int | None = Field(None, description="The call duration in seconds. null if the call has not ended")
    ended_reason: str | None = Field(None, description="The reason for call termination, if the call has ended")
    direction_detail: str | None = Field(description="How the call was routed")
    metadata: Metadata = {}


class CallListResponse(BaseModel):
    data: list[CallResponse]
    has_more: bool
    first_id: UUID | None
    last_id: UUID | None


class Speaker(str, Enum):
    agent = "agent"
    contact = "contact"


class TranscriptEntryResponse(BaseModel):
    id: UUID
    speaker: Speaker
    text: str
    offset_ms: int = Field(ge=0)


class TranscriptListResponse(BaseModel):
    data: list[TranscriptEntryResponse]
    has_more: bool
    first_id: UUID | None
    last_id: UUID | None


class CreateCallRequest(BaseModel):
    agent_id: UUID
    phone_id: UUID
    to: str = Field(description="The number to call, in E.164")
    metadata: Metadata = {}


class ErrorResponse(BaseModel):
    detail: str


class QuotaErrorResponse(BaseModel):
    detail: str
    retry_after: int


def identifier(kind: str, number: int) -> str:
    return str(uuid5(NAMESPACE, f"{kind} {number}"))


def call(number: int) -> dict:
    created = EPOCH + timedelta(minutes=number)
    return {
        **EXAMPLE,
        "id": identifier("call", number),
        "status": list(CallStatus)[number % len(CallStatus)].value,
        "created_date": created.isoformat(),
        "metadata": {"number": number, "priority": number / 2, "campaign": "spring", "again": number % 2 == 0},
        "duration": "two minutes" if number == BAD else number,
    }


calls = {made["id"]: made for made in map(call, range(CALLS))}


def page(items: list[dict], after: UUID | None, limit: int) -> Response:
    start = next((i + 1 for i, item in enumerate(items) if item["id"] == str(after)), 0)
    shown = items[start : start + limit]
    body = {
        "data": shown,
        "has_more": start + limit < len(items),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
    # Not validated, since one call does not match the document.
    return JSONResponse(body)


def not_found() -> Response:
    return JSONResponse({"detail": "Call not found"}, 404)


bearer = HTTPBearer(description="Bearer authentication header of the form Bearer <token>, where <token> is your auth token.")
app = FastAPI(
    title="Call API",
    version="1.1.0",
    description="Phone calls handled by agents: who called, which agent answered, on which phone, when, and how it ended.",
    dependencies=[Depends(bearer)],
    generate_unique_id_function=lambda route: route.name,
)
NOT_FOUND = {404: {"model": ErrorResponse}}
Id = Annotated[UUID, Path(description="The unique identifier for the call")]


@app.get("/v1/call/{id}", responses={**NOT_FOUND, 200: {"content": {"application/json": {"example": EXAMPLE}}}})
def get_call(id: Id) -> CallResponse:
    return calls.get(str(id)) or not_found()


@app.delete("/v1/call/{id}", status_code=204, responses=NOT_FOUND)
def delete_call(id: Id) -> None:
    if calls.pop(str(id), None) is None:
        return not_found()


@app.get("/v1/calls")
def list_calls(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: UUID | None = None,
    before: UUID | None = None,
    status: CallStatus | None = None,
    agent_id: UUID | None = None,
    created_after: datetime | None = None,
) -> CallListResponse:
    chosen = [made for made in calls.values() if status in (None, made["status"])]
    return page(chosen, after, limit)


@app.post("/v1/calls", status_code=201, responses={**NOT_FOUND, 429: {"model": QuotaErrorResponse}})
def create_call(wanted: Annotated[CreateCallRequest, Body()]) -> CallResponse:
    if wanted.agent_id != NAMESPACE:
        return JSONResponse({"detail": "Agent not found"}, 404)
    if wanted.to == "+0":
        return JSONResponse({"detail": "Too many calls", "retry_after": 7}, 429)
    made = {**call(len(calls)), "id": identifier("made", len(calls)), "status": "dialing", "metadata": wanted.metadata}
    made["contact"] = {**made["contact"], "identifier": wanted.to}
    calls[made["id"]] = made
    return made


@app.get("/v1/call/{id}/transcript", responses=NOT_FOUND)
def list_transcript(id: Id, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID | None = None) -> TranscriptListResponse:
    if str(id) not in calls:
        return not_found()
    said = [
        {"id": identifier("entry", i), "speaker": list(Speaker)[i % 2].value, "text": f"sentence {i}", "offset_ms": 1000 * i}
        for i in range(25)
    ]
    return page(said, after, limit)
