"""What every kind of remote issuer must do, whatever it is: the protocol of `app/issuers/protocol.py` as tests.

A kind is held against it by a subclass of `RemoteIssuerContract` in its own folder, whose fixture `place` gives a
`Place`: the issuer, and what a test does to it behind our back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.effects import (
    AddPoints,
    ChangeTier,
    Effect,
    Issue,
    Redeem,
    Reinstate,
    Revoke,
    SetExpiry,
    SetPoints,
    UpdateHolder,
)
from app.errors import OutcomeUnknown, PassrailError, UpstreamCredentialsRefused
from app.issuers.protocol import Basis, Done, Exists, NotDone, Outcome, Refused, Step, Unclear
from app.issuers.remote import Access, Notification, RemoteIssuer, RemoteKind, Target
from app.model import EndsCardsBy, IdKind, Kind, Mode, Pass, Program, Status, new_id, new_link_token
from app.operations.steps import perform
from tests.world import FakeClock

SECONDS = 30.0
# Until then an issuer that did not answer may still be at work.
A_WHILE = timedelta(minutes=5)
HOLDER = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"}
IN_A_YEAR = datetime(2027, 11, 20, 9, 30, tzinfo=UTC)


@dataclass
class Place(ABC):
    """A remote issuer, and what a test does to it behind our back.

    Attributes:
        kind: what is held against the contract.
        target: leads to the issuer.
        wrong_target: the same with credentials that it does not take.
        programs: the issuer's ID of one program of each kind; the membership's has two tiers or more.
        custom_field: name of a custom field of that membership.
    """

    kind: RemoteKind
    target: Target
    wrong_target: Target
    programs: dict[Kind, str]
    custom_field: str
    clock: FakeClock
    ends_cards_by: EndsCardsBy = EndsCardsBy.EXPIRY
    _steps: int = field(default=0, init=False)

    @abstractmethod
    def lose_answer(self, *, has_effect: bool) -> None:
        """Have no answer come to the next request that changes something."""

    @abstractmethod
    def go_away(self) -> None:
        """Be out of reach from now on."""

    @abstractmethod
    def break_coupons(self) -> None:
        """Have the programs of coupons fail to be read from now on."""

    @abstractmethod
    def delete(self, upstream_id: str) -> None:
        """Delete a record, as somebody does in the issuer's portal."""

    @abstractmethod
    def install(self, upstream_id: str) -> None:
        """Put a card into a wallet, as its holder does."""

    @abstractmethod
    def webhooks(self) -> list[str]:
        """Return the bodies of the webhooks that were sent since the last look."""

    def open(self, target: Target | None = None) -> RemoteIssuer:
        """Return the issuer as an account sees it."""
        complete = self.kind.complete(target or self.target)
        access = Access(name="acct_1/test", target=complete, ends_cards_by=self.ends_cards_by)
        return self.kind.open(access, self.clock(), SECONDS)

    def program(self, kind: Kind) -> Program:
        """Return a program as it would be on record here."""
        found = next(one for one in self.open().catalogue().programs if one.upstream_id == self.programs[kind])
        return Program(
            id=f"prog_{kind.value}",
            account_id="acct_1",
            mode=Mode.TEST,
            issuer=self.kind.name,
            kind=kind,
            name=found.name,
            tiers=found.tiers,
            fields=found.fields,
            created_at=self.clock(),
            updated_at=self.clock(),
            upstream_id=found.upstream_id,
            upstream=found.upstream,
        )

    def step(self, program: Program, subject: Pass) -> Step:
        """Return an effect's way to the issuer, before it was tried."""
        self._steps += 1
        return Step(
            program=program,
            subject=subject,
            id=f"{self._steps:032}-0",
            basis=Basis(points=subject.points, tier_id=subject.tier_id, expires_at=subject.expires_at),
            began_at=self.clock(),
            now=self.clock(),
            default_country="GB",
        )

    def issue(
        self, kind: Kind = Kind.MEMBERSHIP, external_id: str | None = "c-1", **values: Any
    ) -> tuple[Program, Pass]:
        """Have a pass issued; return it as it would be on record here."""
        program = self.program(kind)
        effect = issue_from(program, external_id, **values)
        outcome = self.do(effect, self.step(program, effect.make(program, self.clock())))
        assert isinstance(outcome, Done), outcome
        known = self.open().read(program, outcome.after)
        assert known is not None
        return program, known

    def do(self, effect: Effect, step: Step) -> Outcome:
        """Have an effect made true, and an answer that is not clear looked into at once, as the runner does."""
        outcome = perform(self.open(), effect, step)
        if not isinstance(outcome, Unclear):
            return outcome
        found = self.open().settled(effect, replace(step, tried_at=step.now, is_answered=outcome.is_answered))
        if not isinstance(found, NotDone):
            return found
        return Refused(outcome.error, was_sent=True) if outcome.is_answered else outcome


def issue_from(program: Program, external_id: str | None, **values: Any) -> Issue:
    """Return the effect of issuing a pass."""
    return Issue(
        pass_id=new_id(IdKind.PASS),
        link_token=new_link_token(),
        tier_id=values.pop("tier_id", program.tiers[0].id),
        external_id=external_id,
        holder=values.pop("holder", HOLDER),
        **values,
    )


# What can be done to a membership after it was issued.
EFFECTS: Mapping[str, Callable[[Place], Effect]] = {
    "update_holder": lambda place: UpdateHolder(holder={"first_name": "Grace"}, fields={place.custom_field: "blue"}),
    "add_points": lambda place: AddPoints(points=Decimal(5)),
    "subtract_points": lambda place: AddPoints(points=Decimal(-3), floor=Decimal(0)),
    "set_points": lambda place: SetPoints(points=Decimal(70)),
    "change_tier": lambda place: ChangeTier(tier_id=place.program(Kind.MEMBERSHIP).tiers[1].id),
    "set_expiry": lambda place: SetExpiry(expires_at=IN_A_YEAR),
    "revoke": lambda place: Revoke(at=place.clock()),
    "revoke_for_good": lambda place: Revoke(at=place.clock(), permanent=True),
}
every_effect = pytest.mark.parametrize("name", EFFECTS)


def same(one: Pass | None, other: Pass) -> bool:
    """Tell whether two passes are alike, but for when they were written and what an issuer tells when it is asked."""
    assert one is not None
    return replace(one, updated_at=other.updated_at, tier_points=other.tier_points, ticket=other.ticket) == other


class RemoteIssuerContract:
    """The tests; `place` is what a subclass gives."""

    # --- who and what ---

    def test_credentials_are_proven(self, place: Place) -> None:
        assert place.open().profile().company
        with pytest.raises(UpstreamCredentialsRefused):
            place.open(place.wrong_target).profile()

    def test_every_kind_of_program_is_found_with_its_tiers(self, place: Place) -> None:
        found = {one.upstream_id: one for one in place.open().catalogue().programs}
        for kind, upstream_id in place.programs.items():
            assert found[upstream_id].kind is kind
            assert found[upstream_id].name
            assert found[upstream_id].tiers
        membership = found[place.programs[Kind.MEMBERSHIP]]
        assert len(membership.tiers) >= 2
        assert place.custom_field in {one.name for one in membership.fields}

    def test_a_kind_that_cannot_be_read_is_left_out_and_named(self, place: Place) -> None:
        assert place.open().catalogue().notes == ()
        place.break_coupons()
        catalogue = place.open().catalogue()
        assert {one.kind for one in catalogue.programs} == set(Kind) - {Kind.COUPON}
        assert catalogue.unread == {Kind.COUPON}
        assert catalogue.notes
        assert all(catalogue.notes)

    def test_an_issuer_that_cannot_be_reached_is_told_as_such(self, place: Place) -> None:
        program, subject = place.issue()
        place.go_away()
        for ask in (
            lambda: place.open().profile(),
            lambda: place.open().catalogue(),
            lambda: place.open().find(program, "c-1"),
            lambda: place.open().read(program, subject),
            lambda: place.open().passes(program, 0, 10, lambda _: None),
            lambda: place.open().subscribe(program, "https://pass.example.com/in/x/y"),
        ):
            with pytest.raises(PassrailError) as failure:
                ask()
            assert failure.value.retryable
        outcome = place.do(SetPoints(points=Decimal(5)), place.step(program, subject))
        assert isinstance(outcome, Refused | Unclear)
        assert outcome.error.retryable

    # --- effects ---

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("external_id", ["c-1", None])
    def test_an_issued_pass_is_there(self, place: Place, kind: Kind, external_id: str | None) -> None:
        program = place.program(kind)
        effect = issue_from(program, external_id)
        outcome = place.do(effect, place.step(program, effect.make(program, place.clock())))
        assert isinstance(outcome, Done)
        made = outcome.after
        assert (made.external_id, made.first_name, made.email) == (external_id, "Ada", "ada@example.com")
        assert made.status(place.clock()) is Status.ACTIVE
        assert made.upstream_id is not None
        assert (made.id, made.link_token) == (effect.pass_id, effect.link_token)
        assert same(place.open().read(program, made), made)
        new = place.open().read_new(program, made.upstream_id)
        assert new is not None
        assert (new.upstream_id, new.first_name) == (made.upstream_id, "Ada")
        assert new.id != made.id
        if external_id is not None:
            found = place.open().find(program, external_id)
            assert found is not None
            assert found.upstream_id == made.upstream_id

    def test_a_second_pass_of_an_external_id_is_not_made(self, place: Place) -> None:
        program, made = place.issue()
        effect = issue_from(program, "c-1", holder={"first_name": "Grace", "last_name": "Hopper"})
        outcome = place.do(effect, place.step(program, effect.make(program, place.clock())))
        assert isinstance(outcome, Exists)
        assert outcome.found.upstream_id == made.upstream_id
        assert outcome.found.first_name == "Ada"
        assert self._all(place, program) == {made.upstream_id}

    @every_effect
    def test_an_effect_that_is_done_is_seen_and_told(self, place: Place, name: str) -> None:
        effect = EFFECTS[name](place)
        program, subject = place.issue(points=Decimal(10))
        place.clock.advance(seconds=1)
        outcome = place.do(effect, place.step(program, subject))
        self._check_done(place, program, subject, effect, outcome)

    @pytest.mark.parametrize("way", list(EndsCardsBy))
    def test_a_revoked_card_is_not_valid(self, place: Place, way: EndsCardsBy) -> None:
        place.ends_cards_by = way
        program, subject = place.issue()
        place.clock.advance(seconds=1)
        outcome = place.do(Revoke(at=place.clock()), place.step(program, subject))
        assert isinstance(outcome, Done)
        assert outcome.after.revoked_at is not None
        assert outcome.after.deleted_at is None
        assert outcome.after.first_name == "Ada"
        assert subject.upstream_id is not None
        place.clock.advance(seconds=1)
        there = place.open().read_new(program, subject.upstream_id)
        assert there is None or there.status(place.clock()) is not Status.ACTIVE
        assert (there is None) == (way is EndsCardsBy.DELETE)

    def test_a_revoked_card_is_made_valid_again(self, place: Place) -> None:
        program, subject = place.issue()
        place.clock.advance(seconds=1)
        revoked = place.do(Revoke(at=place.clock()), place.step(program, subject))
        assert isinstance(revoked, Done)
        place.clock.advance(seconds=1)
        again = place.do(Reinstate(expires_at=IN_A_YEAR), place.step(program, revoked.after))
        assert isinstance(again, Done)
        assert (again.after.revoked_at, again.after.expires_at) == (None, IN_A_YEAR)
        assert again.after.status(place.clock()) is Status.ACTIVE
        assert same(place.open().read(program, again.after), again.after)

    def test_a_card_whose_record_was_deleted_comes_back_with_another_record(self, place: Place) -> None:
        place.ends_cards_by = EndsCardsBy.DELETE
        program, subject = place.issue(points=Decimal(10))
        place.clock.advance(seconds=1)
        revoked = place.do(Revoke(at=place.clock()), place.step(program, subject))
        assert isinstance(revoked, Done)
        assert revoked.after.upstream_id is None
        assert place.open().read(program, revoked.after) == revoked.after
        again = place.do(Reinstate(expires_at=IN_A_YEAR), place.step(program, revoked.after))
        assert isinstance(again, Done)
        assert again.after.upstream_id not in (None, subject.upstream_id)
        assert (again.after.points, again.after.external_id, again.after.id) == (Decimal(10), "c-1", subject.id)
        assert again.after.status(place.clock()) is Status.ACTIVE
        assert same(place.open().read(program, again.after), again.after)

    @pytest.mark.parametrize("kind", [Kind.COUPON, Kind.EVENT_TICKET])
    def test_a_pass_is_redeemed_once(self, place: Place, kind: Kind) -> None:
        program, subject = place.issue(kind)
        first = place.do(Redeem(at=place.clock()), place.step(program, subject))
        assert isinstance(first, Done)
        assert first.after.status(place.clock()) is Status.REDEEMED
        assert same(place.open().read(program, first.after), first.after)
        second = place.do(Redeem(at=place.clock()), place.step(program, first.after))
        assert isinstance(second, Refused)
        assert second.error.code == "already-redeemed"

    def test_points_below_the_floor_are_refused(self, place: Place) -> None:
        program, subject = place.issue(points=Decimal(2))
        effect = AddPoints(points=Decimal(-5), floor=Decimal(0))
        outcome = place.do(effect, place.step(program, subject))
        assert isinstance(outcome, Refused)
        assert place.open().read(program, subject) == subject

    # --- finding out what became of an effect ---

    @every_effect
    def test_a_lost_answer_is_found_out(self, place: Place, name: str) -> None:
        effect = EFFECTS[name](place)
        program, subject = place.issue(points=Decimal(10))
        place.clock.advance(seconds=1)
        step = place.step(program, subject)
        place.lose_answer(has_effect=True)
        outcome = place.do(effect, step)
        if isinstance(outcome, Unclear):
            outcome = self._settled(place, effect, step)
        self._check_done(place, program, subject, effect, outcome)

    @every_effect
    def test_a_lost_request_is_found_out(self, place: Place, name: str) -> None:
        effect = EFFECTS[name](place)
        program, subject = place.issue(points=Decimal(10))
        place.clock.advance(seconds=1)
        step = place.step(program, subject)
        place.lose_answer(has_effect=False)
        outcome = place.do(effect, step)
        if isinstance(outcome, Done):  # it was safe to send it again at once
            self._check_done(place, program, subject, effect, outcome)
            return
        assert isinstance(outcome, Unclear)
        assert isinstance(self._settled(place, effect, step), NotDone)
        assert place.open().read(program, subject) == subject

    @pytest.mark.parametrize("external_id", ["c-1", None])
    @pytest.mark.parametrize("has_effect", [True, False])
    def test_a_lost_answer_about_a_new_pass_is_found_out(
        self, place: Place, has_effect: bool, external_id: str | None
    ) -> None:
        program = place.program(Kind.MEMBERSHIP)
        effect = issue_from(program, external_id)
        step = place.step(program, effect.make(program, place.clock()))
        place.lose_answer(has_effect=has_effect)
        outcome: Outcome | NotDone = place.do(effect, step)
        if isinstance(outcome, Unclear):
            outcome = self._settled(place, effect, step)
        if isinstance(outcome, Done):
            assert outcome.after.id == effect.pass_id
            assert same(place.open().read(program, outcome.after), outcome.after)
        else:
            assert isinstance(outcome, NotDone)
            assert not has_effect
        assert len(self._all(place, program)) == isinstance(outcome, Done)

    def test_a_pass_that_somebody_else_made_is_not_taken_for_ours(self, place: Place) -> None:
        program, other = place.issue()
        place.clock.advance(days=1)
        effect = issue_from(program, "c-1")
        step = place.step(program, effect.make(program, place.clock()))
        found = self._settled(place, effect, step)
        assert isinstance(found, Exists)
        assert found.found.upstream_id == other.upstream_id

    # --- what is gone ---

    @every_effect
    def test_a_record_that_is_gone_is_told_as_gone(self, place: Place, name: str) -> None:
        effect = EFFECTS[name](place)
        program, subject = place.issue(points=Decimal(10))
        assert subject.upstream_id is not None
        place.delete(subject.upstream_id)
        assert place.open().read(program, subject) is None
        assert place.open().read_new(program, subject.upstream_id) is None
        assert place.open().find(program, "c-1") is None
        step = place.step(program, subject)
        for outcome in (place.do(effect, step), self._settled(place, effect, step)):
            if isinstance(effect, Revoke) and isinstance(outcome, Done):
                assert outcome.after.revoked_at is not None
            else:
                assert isinstance(outcome, Refused)
                assert outcome.is_gone

    def test_what_was_never_there_is_not_found(self, place: Place) -> None:
        _, coupon = place.issue(Kind.COUPON)
        program = place.program(Kind.MEMBERSHIP)
        assert place.open().find(program, "nobody") is None
        assert place.open().read_new(program, "nobody") is None
        assert coupon.upstream_id is not None
        assert place.open().read_new(program, coupon.upstream_id) is None

    # --- lists ---

    @pytest.mark.parametrize("kind", list(Kind))
    def test_pages_hold_every_pass_once_those_made_first_first(self, place: Place, kind: Kind) -> None:
        made = []
        for number in range(5):
            program, one = place.issue(kind, f"c-{number}")
            made.append(one.upstream_id)
            place.clock.advance(minutes=1)
        pages = [place.open().passes(program, offset, 2, lambda _: None) for offset in (0, 2, 4, 5)]
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        assert [one.upstream_id for page in pages for one in page] == made
        assert [one.external_id for page in pages for one in page] == [f"c-{number}" for number in range(5)]
        assert all(one.first_name == "Ada" for page in pages for one in page)

    def test_a_pass_on_record_is_brought_up_to_date_in_a_page(self, place: Place) -> None:
        program, first = place.issue(external_id="c-1")
        place.clock.advance(minutes=1)
        _, second = place.issue(external_id="c-2")
        assert second.upstream_id is not None
        place.install(second.upstream_id)
        known = {one.upstream_id: one for one in (first, second)}
        page = place.open().passes(program, 0, 10, known.get)
        assert page[0] == first
        assert page[1].id == second.id
        assert same(page[1], replace(second, install_state=page[1].install_state))
        assert page[1].install_state != second.install_state

    # --- webhooks ---

    def test_a_subscription_is_found_by_its_address_and_ended(self, place: Place) -> None:
        program = place.program(Kind.MEMBERSHIP)
        url, other = "https://pass.example.com/in/x/one", "https://pass.example.com/in/x/two"
        subscription_id = place.open().subscribe(program, url)
        assert place.open().find_subscription(program, url) == subscription_id
        assert place.open().find_subscription(program, other) is None
        assert place.open().find_subscription(place.program(Kind.COUPON), url) is None
        for _ in range(2):
            place.open().unsubscribe(program, subscription_id)
            assert place.open().find_subscription(program, url) is None

    @pytest.mark.parametrize("has_effect", [True, False])
    def test_a_subscription_whose_answer_was_lost_is_found_out(self, place: Place, has_effect: bool) -> None:
        program, url = place.program(Kind.MEMBERSHIP), "https://pass.example.com/in/x/one"
        place.lose_answer(has_effect=has_effect)
        with pytest.raises(OutcomeUnknown):
            place.open().subscribe(program, url)
        assert (place.open().find_subscription(program, url) is not None) == has_effect

    def test_webhooks_name_the_pass_and_whether_it_is_gone(self, place: Place) -> None:
        program, subject = place.issue()
        assert subject.upstream_id is not None
        place.open().subscribe(program, "https://pass.example.com/in/x/one")
        place.webhooks()
        place.install(subject.upstream_id)
        assert self._told(place) == {Notification(subject.upstream_id, is_deleted=False)}
        place.delete(subject.upstream_id)
        assert Notification(subject.upstream_id, is_deleted=True) in self._told(place)

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", "5", '"x"', "{}", '{"pass": null}', "[" * 5000])
    def test_junk_is_not_understood(self, place: Place, body: str) -> None:
        assert place.kind.notification(body) is None

    # --- helpers ---

    def _settled(self, place: Place, effect: Effect, step: Step) -> Any:
        """Find out a while after the effect was tried."""
        tried_at = place.clock()
        place.clock.advance(seconds=A_WHILE.total_seconds())
        return place.open().settled(effect, replace(step, tried_at=tried_at, now=place.clock()))

    def _check_done(self, place: Place, program: Program, subject: Pass, effect: Effect, outcome: object) -> None:
        assert isinstance(outcome, Done), outcome
        assert same(outcome.before, subject)
        wanted = effect.on(subject, outcome.after.updated_at)
        if not isinstance(effect, Revoke):
            assert same(outcome.after, wanted)
            assert same(place.open().read(program, outcome.after), outcome.after)
            return
        assert outcome.after.revoked_at is not None
        assert (outcome.after.deleted_at is not None) == effect.permanent
        if effect.permanent:
            assert subject.upstream_id is not None
            assert place.open().read_new(program, subject.upstream_id) is None

    def _all(self, place: Place, program: Program) -> set[str]:
        return {str(one.upstream_id) for one in place.open().passes(program, 0, 100, lambda _: None)}

    def _told(self, place: Place) -> set[Notification | None]:
        return {place.kind.notification(body) for body in place.webhooks()}
