"""The statements of tokens, sessions, tickets and the audit. This module runs nothing."""

from __future__ import annotations

from typing import Final

_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60

_TOKEN: Final = (
    "tokens.id, tokens.name, tokens.secret_hash, tokens.role, tokens.workflows, tokens.made_at,"
    " tokens.expires_at, tokens.used_at, tokens.revoked_at"
)
_VALID: Final = (
    "tokens.revoked_at IS NULL AND (tokens.expires_at IS NULL OR tokens.expires_at > fanwise_now())"
)

ADD_TOKEN: Final = (
    "INSERT INTO tokens (id, name, secret_hash, role, workflows, made_at, expires_at)"
    " VALUES (:id, :name, :secret_hash, :role, :workflows, fanwise_now(),"
    " fanwise_now() + CAST(:lasts_s AS DOUBLE PRECISION)) ON CONFLICT (id) DO NOTHING"
)
TOKENS: Final = f"SELECT {_TOKEN} FROM tokens ORDER BY made_at, id"
VALID_TOKEN: Final = f"SELECT {_TOKEN} FROM tokens WHERE id = :token_id AND {_VALID}"
NOTE_USE: Final = (
    "UPDATE tokens SET used_at = fanwise_now() WHERE id = :token_id"
    f" AND coalesce(used_at, 0) < fanwise_now() - {_HOUR_S}"
)
REVOKE: Final = f"UPDATE tokens SET revoked_at = fanwise_now() WHERE id = :token_id AND {_VALID}"
END_SESSIONS: Final = "DELETE FROM sessions WHERE token_id = :token_id"
END_TICKETS: Final = "DELETE FROM tickets WHERE token_id = :token_id"

_SESSION: Final = (
    "sessions.cookie_hash, sessions.key_hash, sessions.token_id, sessions.expires_at,"
    " sessions.made_at, sessions.used_at"
)
ADD_SESSION: Final = (
    "INSERT INTO sessions (cookie_hash, key_hash, token_id, expires_at, made_at, used_at)"
    " VALUES (:cookie_hash, :key_hash, :token_id,"
    " fanwise_now() + CAST(:lasts_s AS DOUBLE PRECISION), fanwise_now(), fanwise_now())"
    " ON CONFLICT (cookie_hash) DO UPDATE SET used_at = excluded.used_at"
    f" RETURNING {_SESSION.replace('sessions.', '')}"
)
_SESSIONS: Final = (
    f"SELECT {_SESSION}, {_TOKEN}, sessions.used_at < fanwise_now() - {_MINUTE_S} FROM sessions"
    " JOIN tokens ON tokens.id = sessions.token_id"
    " WHERE sessions.expires_at > fanwise_now()"
    f" AND sessions.used_at > fanwise_now() - CAST(:idle_s AS DOUBLE PRECISION) AND {_VALID}"
)
SESSION: Final = f"{_SESSIONS} AND sessions.cookie_hash = :cookie_hash"
SESSIONS: Final = f"{_SESSIONS} ORDER BY sessions.used_at DESC, sessions.made_at DESC LIMIT :limit"
USE_SESSION: Final = "UPDATE sessions SET used_at = fanwise_now() WHERE cookie_hash = :cookie_hash"
END_SESSION: Final = "DELETE FROM sessions WHERE cookie_hash = :cookie_hash"

ADD_TICKET: Final = (
    "INSERT INTO tickets (secret_hash, token_id, target, expires_at)"
    " VALUES (:secret_hash, :token_id, :target,"
    " fanwise_now() + CAST(:lasts_s AS DOUBLE PRECISION)) ON CONFLICT (secret_hash) DO NOTHING"
)
TAKE_TICKET: Final = (
    "DELETE FROM tickets WHERE secret_hash = :secret_hash AND expires_at > fanwise_now()"
    " RETURNING secret_hash, token_id, target, expires_at"
)

_AUDIT: Final = "audit_no, at, action, token_id, name, address, target, status, fields, request_id"
NOTE_AUDIT: Final = (
    "INSERT INTO audit (at, action, token_id, name, address, target, status, fields, request_id)"
    " VALUES (fanwise_now(), :action, :token_id, :name, :address, :target, :status, :fields,"
    " :request_id)"
)
AUDIT: Final = (
    f"SELECT {_AUDIT} FROM audit WHERE audit_no < :before ORDER BY audit_no DESC LIMIT :limit"
)
FORGET_AUDIT: Final = (
    "DELETE FROM audit WHERE at < fanwise_now() - CAST(:older_than_s AS DOUBLE PRECISION)"
)
FORGET_SESSIONS: Final = "DELETE FROM sessions WHERE expires_at < fanwise_now()"
FORGET_TICKETS: Final = "DELETE FROM tickets WHERE expires_at < fanwise_now()"
