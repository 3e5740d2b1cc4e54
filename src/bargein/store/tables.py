"""The tables as SQLAlchemy sees them; `migrations/` creates them.

A row holds Vapi's JSON document without `id`, `orgId`, `createdAt` and `updatedAt`, which are columns (or, `orgId`,
the same for all), and beside it the fields of the document that lists are filtered by.
"""

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table, Text

metadata = MetaData()

# on Postgres json, not jsonb: that keeps the order of fields, and refuses no letter that JSON can hold
_DOCUMENT = JSON()

assistants = Table(
    "assistants",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    # no foreign key: a call outlives its assistant
    Column("assistant_id", Text, nullable=True, index=True),
    Column("phone_number_id", Text, nullable=True, index=True),
    Column("status", String(32), nullable=True, index=True),
    Column("duration_ms", BigInteger, nullable=True, index=True),
    # when a call that waits has to be looked at again (`bargein.wire.schedule.due_ms`)
    Column("due_at", BigInteger, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

phone_numbers = Table(
    "phone_numbers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    # not unique: one number may be kept twice, for example under two providers while it is ported
    Column("number", Text, nullable=True, index=True),
    Column("sip_uri", Text, nullable=True, index=True),
    Column("name", Text, nullable=True),
    # no foreign key: a number outlives its assistant
    Column("assistant_id", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

tools = Table(
    "tools",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("provider", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

squads = Table(
    "squads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("purpose", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("name", Text, nullable=True, index=True),
    Column("assistant_id", Text, nullable=True, index=True),
    Column("squad_id", Text, nullable=True, index=True),
    Column("workflow_id", Text, nullable=True, index=True),
    Column("phone_number_id", Text, nullable=True, index=True),
    Column("customer_number", Text, nullable=True, index=True),
    Column("customer_sip_uri", Text, nullable=True, index=True),
    Column("customer_name", Text, nullable=True, index=True),
    Column("customer_email", Text, nullable=True, index=True),
    Column("customer_external_id", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

chats = Table(
    "chats",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("assistant_id", Text, nullable=True, index=True),
    Column("squad_id", Text, nullable=True, index=True),
    Column("session_id", Text, nullable=True, index=True),
    Column("previous_chat_id", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)


def _documents(name: str, *columns: str) -> Table:
    """Return a table of documents with further columns that lists are filtered by."""
    return Table(
        name,
        metadata,
        Column("id", String(36), primary_key=True),
        Column("created_at", BigInteger, nullable=False, index=True),
        Column("updated_at", BigInteger, nullable=False, index=True),
        *(Column(column, Text, nullable=True, index=True) for column in columns),
        Column("document", _DOCUMENT, nullable=False),
    )


evals = _documents("evals")
eval_runs = _documents("eval_runs")
personalities = _documents("personalities")
scenarios = _documents("scenarios", "name")
simulations = _documents("simulations")
simulation_suites = _documents("simulation_suites", "name")
simulation_runs = _documents("simulation_runs", "status", "target_type", "target_id")
simulation_items = _documents("simulation_items", "run_id", "simulation_id", "status")

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

# SQLite gives numbers of its own to a column of this very type only
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

structured_outputs = Table(
    "structured_outputs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("updated_at", BigInteger, nullable=False, index=True),
    Column("name", Text, nullable=True, index=True),
    Column("document", _DOCUMENT, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    # those of one lane are done one after the other
    Column("lane", Text, nullable=False, index=True),
    Column("kind", String(64), nullable=False),
    Column("payload", _DOCUMENT, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("leased_by", String(36), nullable=True, index=True),
    Column("leased_until", BigInteger, nullable=True),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)

live_calls = Table(
    "live_calls",
    metadata,
    Column("call_id", String(36), primary_key=True),
    # no foreign key: a server may take a call before its first sign of life is written
    Column("node_id", String(36), nullable=False, index=True),
)
