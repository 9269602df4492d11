"""`/in/<issuer>/<token>`: where the webhooks of remote issuers arrive. Kept as they are, answered at once, read later.

An issuer may not sign them in a way that is known, so nothing in them is believed: the token in the address lets them
in, and the pass they name is read again. Different events come by different methods.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from app.errors import NotFound, PayloadTooLarge
from app.service import current_service
from app.store import issuer_webhooks
from app.store.engine import post_after_commit
from app.sync.subscriptions import WEBHOOK_PATH

MAX_BYTES = 256 * 1024
METHODS = ("POST", "PUT", "DELETE")


def init_app(app: Flask) -> None:
    """Add the route. It is not part of the described API: nobody but the issuer calls it."""
    blueprint = Blueprint("issuer_webhooks", __name__)
    blueprint.add_url_rule(f"{WEBHOOK_PATH}<issuer>/<token>", view_func=receive, methods=METHODS)
    app.register_blueprint(blueprint)


def receive(issuer: str, token: str) -> Response:
    """Keep what came and answer 204.

    Raises:
        NotFound: the token is nobody's.
        PayloadTooLarge: it is larger than 256 kB.
    """
    service = current_service()
    request.max_content_length = MAX_BYTES
    if (request.content_length or 0) > MAX_BYTES:
        raise PayloadTooLarge("A webhook may have 256 kB.")
    with service.store.read() as connection:
        subscription = issuer_webhooks.find_subscription(connection, token)
    if subscription is None:
        raise NotFound("There is nothing at this address.")
    body = request.get_data().decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    with service.store.write() as connection:
        webhook_id = issuer_webhooks.put(connection, subscription, request.method, body, service.clock())
        if webhook_id is not None:
            post_after_commit(connection, "read_webhook", webhook_id)
    return Response(status=204)
