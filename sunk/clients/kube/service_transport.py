"""HTTP to a Service inside a cluster, through the API server's proxy: a transport for httpx.

Reaches slurmrestd on any cluster with nothing but a kubeconfig. The API server sees method, path
and query (they are in its audit log), so secrets belong in headers or bodies.
"""

from __future__ import annotations

import httpx

from sunk.clients.kube.protocol import Kube
from sunk.errors import RemoteError

_DROPPED = {"host", "connection", "accept-encoding", "content-length", "user-agent"}


class ServiceTransport(httpx.BaseTransport):
    """Sends requests to one port of one Service.

    Args:
        kube: a client of the cluster.
        namespace: the Service's namespace.
        service: its name.
        port: its port, by number.
    """

    def __init__(self, kube: Kube, namespace: str, service: str, port: int) -> None:
        self._kube = kube
        self._root = f"/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.ConnectError: the API server does not answer or cannot reach the Service.
        """
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _DROPPED}
        path = self._root + request.url.raw_path.decode("ascii")
        timeouts = request.extensions.get("timeout", {})
        try:
            answer = self._kube.request(
                request.method,
                path,
                headers=headers,
                body=request.read() or None,
                within_seconds=timeouts.get("read") or 30.0,
            )
        except RemoteError as exc:
            raise httpx.ConnectError(exc.message, request=request) from exc
        if answer.status in {502, 503, 504} and b'"kind":"Status"' in answer.body:
            # The API server's own word, not the Service's: nothing answers behind it.
            raise httpx.ConnectError(f"HTTP {answer.status} from the proxy", request=request)
        kept = [
            (name, value)
            for name, value in answer.headers.items()
            if name.lower() not in {"content-encoding", "transfer-encoding", "content-length"}
        ]
        return httpx.Response(answer.status, headers=kept, content=answer.body, request=request)
