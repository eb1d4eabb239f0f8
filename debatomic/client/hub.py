"""The hub over HTTP: reads are tried again while the network or the hub is away, errors become one sentence."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from debatomic.client.account import Account
from debatomic.tools.errors import InfrastructureError, InputError, ToolError

AWAY = (502, 503, 504)  # a proxy says the hub is away, or the hub that something it needs is
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between tries
USUAL_PATIENCE = 10.0  # seconds a read is tried for


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


class Hub:
    """One hub. `patience` is how many seconds reads are tried for; `say` tells a person that it takes longer."""

    def __init__(
        self, account: Account, *, patience: float = USUAL_PATIENCE, say: Callable[[str], object] = _say
    ) -> None:
        self.account = account
        self.patience = patience
        self.say = say
        headers = {"Authorization": f"Bearer {account.key}"} if account.key else {}
        self._http = httpx.Client(
            base_url=f"{account.address}/api/v1/", headers=headers, timeout=httpx.Timeout(30, connect=10)
        )

    def close(self) -> None:
        self._http.close()

    # Reading

    def get(self, path: str, **params: Any) -> Any:
        """What the address answers, as Python has it. Raises ToolError."""
        return self.fetch(path, params=params).json()

    def fetch(self, path: str, *, params: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """A whole answer, tried again for `patience` seconds. Raises ToolError."""
        return self._patiently(lambda: self._http.get(path, params=_given(params), headers=headers))

    def content(self, path: str, *, headers: dict[str, str]) -> bytes:
        """Some of a kept file, which may lie elsewhere: the key does not go there. Raises ToolError."""

        def ask() -> httpx.Response:
            answer = self._http.get(path, headers=headers)
            if answer.status_code != httpx.codes.FOUND:
                return answer
            return httpx.get(
                answer.headers["Location"], headers={"Range": headers["Range"]}, timeout=self._http.timeout
            )

        return self._patiently(ask).content

    def listing(self, path: str, *, limit: int, **params: Any) -> Iterator[Any]:
        """Things of a list, newest first, at most `limit`; further pages are fetched as they are needed."""
        page = self.get(path, **params, page_size=min(limit, 200))
        while True:
            for one in page["results"][:limit]:
                limit -= 1
                yield one
            if limit <= 0 or not page["next"]:
                return
            params["cursor"] = httpx.URL(page["next"]).params["cursor"]
            page = self.get(path, **params, page_size=min(limit, 200))

    # Acting

    def submit(self, path: str, **body: Any) -> Any:
        """Make one thing, also where the network makes it necessary to ask twice. Raises ToolError."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}

        def ask() -> httpx.Response:
            for file in body.get("files", ()):
                file[1][1].seek(0)
            return self._http.post(path, headers=headers, timeout=httpx.Timeout(600, connect=10), **body)

        return self._patiently(ask, again_on=(502, 504)).json()

    def act(self, path: str, told: Any = None) -> Any:
        """Do something to one thing, or to many, once. Raises ToolError."""
        return self._answered(self._reached(lambda: self._http.post(path, json=told))).json()

    def change(self, path: str, told: Any) -> Any:
        """Change what is told of one thing. Raises ToolError."""
        return self._answered(self._reached(lambda: self._http.patch(path, json=told))).json()

    def remove(self, path: str) -> None:
        """Delete one thing, once. Raises ToolError."""
        self._answered(self._reached(lambda: self._http.delete(path)))

    def key_for(self, user: str, password: str, *, name: str, days: int) -> str:
        """A new API key, for a password. Raises ToolError."""
        body = {"name": name, "days": days}
        sent = self._reached(lambda: self._http.post("keys/", auth=(user, password), json=body))
        return str(self._answered(sent).json()["key"])

    # How

    def _patiently(self, ask: Callable[[], httpx.Response], *, again_on: tuple[int, ...] = AWAY) -> httpx.Response:
        began, pause, told = time.monotonic(), FIRST_PAUSE, False
        while True:
            try:
                response = self._reached(ask)
                if response.status_code not in (*again_on, 429):
                    return self._answered(response)
                trouble: ToolError = self._refusal(response)
            except InfrastructureError as error:
                trouble = error
            if time.monotonic() - began + pause > self.patience:
                raise trouble
            if not told and time.monotonic() - began + pause > 2:
                told = True
                self.say(f"{trouble} Trying again …")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _reached(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            return ask()
        except httpx.TransportError as error:
            why = str(error).strip().rstrip(".") or type(error).__name__
            raise InfrastructureError(
                f"The hub at {self.account.address} does not answer ({why}).",
                hint="Is it running, and is the address right? `debatomic login ADDRESS` sets another.",
            ) from None

    def _answered(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> ToolError:
        status, sentence = response.status_code, _sentence(response)
        if status == 401:
            return InputError(sentence or "The hub does not know you.", hint="Run `debatomic login`.")
        if status == 404:
            return InputError(
                "The hub has no such thing, or you may not see it.", hint="`debatomic list` shows what there is."
            )
        if status in AWAY and not sentence:
            return InfrastructureError(f"The hub at {self.account.address} is not ready ({status}).")
        if status >= 500 and not sentence:
            return ToolError(
                f"The hub had an error of its own ({status}).", hint="Its operator finds the cause in its log."
            )
        if response.is_redirect:
            return InputError(
                f"{self.account.address} sends us elsewhere.", hint="Give `debatomic login` the right address."
            )
        return InputError(sentence or f"The hub refused this ({status}).")


def _given(params: Any) -> Any:
    return {name: value for name, value in (params or {}).items() if value not in (None, "")}


def _sentence(response: httpx.Response) -> str:
    """DRF's error shape as one text: a detail, or fields with what is wrong about each."""
    try:
        told = response.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    if "detail" in told:
        return str(told["detail"])
    return " ".join(_of_field(name, value) for name, value in told.items())


def _of_field(name: str, value: Any) -> str:
    text = " ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return text if name == "non_field_errors" else f"{name}: {text}"
