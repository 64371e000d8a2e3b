"""Result links that look like S3's signed ones, and expire like them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode

_DATE = "%Y%m%dT%H%M%SZ"
_SIGNATURE = "X-Amz-Signature"


class Links:
    """Signs links and judges them; no two links are alike, even within one second."""

    def __init__(self, secret: str, seconds: float, clock: Callable[[], float]) -> None:
        self._secret = secret.encode()
        self._seconds = seconds
        self._clock = clock
        self._serials = count(1)

    def sign(self, storage_url: str, task_id: str) -> str:
        now = datetime.fromtimestamp(self._clock(), UTC)
        path = f"/externalcheck/{task_id}/{task_id}.zip"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOX/{now:%Y%m%d}/ap-southeast-1/s3/aws4_request",
            "X-Amz-Date": f"{now:{_DATE}}",
            "X-Amz-Expires": f"{self._seconds:g}",
            "X-Amz-Security-Token": f"token-{next(self._serials)}",
            "X-Amz-SignedHeaders": "host",
        }
        return f"{storage_url}{path}?{urlencode(query | {_SIGNATURE: self._signature(path, query)})}"

    def objection(self, path: str, query: Mapping[str, str]) -> str | None:
        """None for a good link, else S3's words for what is wrong with it."""
        signed = {name: value for name, value in query.items() if name != _SIGNATURE}
        if not hmac.compare_digest(self._signature(path, signed), query.get(_SIGNATURE, "")):
            return "The request signature we calculated does not match the signature you provided."
        signed_at = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC).timestamp()
        return "Request has expired" if self._clock() >= signed_at + float(query["X-Amz-Expires"]) else None

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = f"{path}?{urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()
