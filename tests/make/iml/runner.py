"""Runs the app as Make does: connects, fills in forms, calls RPCs, runs modules, keeps webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.make.iml.communication import inherit, known, perform
from tests.make.iml.evaluation import render
from tests.make.iml.forms import fill_in
from tests.make.iml.project import Project
from tests.make.iml.values import is_true
from tests.make.iml.wire import Wire

WEBHOOK_DIRECTIVES = frozenset(("verification", "output"))
VERIFICATION_DIRECTIVES = frozenset(("condition", "respond"))
RESPOND_DIRECTIVES = frozenset(("type", "status", "body"))


@dataclass(frozen=True)
class Received:
    """What came of a request to a webhook: the answer to its sender, and the bundle if a scenario starts."""

    status: int
    bundle: Any = None


@dataclass
class Webhook:
    """A webhook of a user: `kept` is what expressions see as `webhook`."""

    id: str
    kept: dict[str, Any]
    parameters: dict[str, Any]


@dataclass
class Runner:
    """A user of the app in Make with one connection."""

    wire: Wire
    project: Project = field(default_factory=Project)
    connection: dict[str, Any] = field(default_factory=dict)

    def connect(self, given: Mapping[str, Any], connection_id: str = "passrail") -> str:
        """Make the connection and return the name it is shown by.

        Raises:
            ModuleError: the service is not there or refuses.
            Refused: the form refuses.
        """
        component = self.project.component("connection", connection_id)
        parameters = fill_in(component.code["params"], given, self.rpc, may_erase=False)
        outcome = perform(component.code["communication"], {"parameters": parameters}, self.wire)
        self.connection = {**parameters, **outcome.data}
        return str(outcome.metadata["value"])

    def rpc(self, rpc_id: str, given: Mapping[str, Any]) -> list[Any]:
        """Call an RPC with what the form holds so far."""
        code = self.project.component("rpc", rpc_id).code
        scope = {"parameters": dict(given), "connection": self.connection}
        return perform(inherit(self.project.base, code["communication"]), scope, self.wire).bundles

    def run(self, module_id: str, given: Mapping[str, Any] | None = None) -> list[Any]:
        """Run a module with what a user put into its form; return the bundles.

        Raises:
            ModuleError: it ends with an error.
            Refused: the form refuses.
        """
        module = self.project.component("module", module_id)
        may_erase = module.about.get("actionCrud") == "update" or module.about["moduleType"] == "universal"
        form = module.code["staticParams"] + module.code["mappableParams"]
        parameters = fill_in(form, given or {}, self.rpc, may_erase=may_erase)
        scope = {"parameters": parameters, "connection": self.connection}
        return perform(inherit(self.project.base, module.code["communication"]), scope, self.wire).bundles

    def one(self, module_id: str, given: Mapping[str, Any] | None = None) -> Any:
        """Run a module that gives one bundle."""
        (bundle,) = self.run(module_id, given)
        return bundle

    def attach(self, webhook_id: str, given: Mapping[str, Any], url: str) -> Webhook:
        """Make a webhook, as when a user adds one to an instant trigger."""
        component = self.project.component("webhook", webhook_id)
        webhook = Webhook(webhook_id, {"url": url}, fill_in(component.code["params"], given, self.rpc, may_erase=False))
        webhook.kept |= perform(component.code["attach"], self._scope(webhook), self.wire).data
        return webhook

    def detach(self, webhook: Webhook) -> None:
        """Delete a webhook."""
        perform(self.project.component("webhook", webhook.id).code["detach"], self._scope(webhook), self.wire)

    def receive(self, webhook: Webhook, headers: Mapping[str, str], body: Any) -> Received:
        """Take a request that came to the webhook's address, and run the instant trigger on it."""
        communication = self.project.component("webhook", webhook.id).code["communication"]
        known(communication, WEBHOOK_DIRECTIVES, "a webhook's communication")
        named = {name.lower(): value for name, value in headers.items()}
        scope = {**self._scope(webhook), "headers": named, "body": body}
        if "verification" in communication:
            verification = communication["verification"]
            known(verification, VERIFICATION_DIRECTIVES, "verification")
            known(verification["respond"], RESPOND_DIRECTIVES, "respond")
            if is_true(render(verification["condition"], scope)):
                return Received(int(verification["respond"]["status"]))
        return Received(200, render(communication["output"], scope))

    def _scope(self, webhook: Webhook) -> dict[str, Any]:
        return {"parameters": webhook.parameters, "connection": self.connection, "webhook": webhook.kept}
