"""Made-up requests to the help desk of a shop, for a start without a file: sentences put together from pieces.

What they are about can be told from them more easily than from what people write.
"""

import re

import numpy as np

from workers.training.text_data import LabelledText

_CHOICE = re.compile(r"\{([^{}]*)\}")

_OPENINGS = ("", "", "", "Hi, ", "Hello, ", "Good morning, ", "Sorry to bother you, ", "One question: ", "Help! ")
_CLOSINGS = ("", "", "", " Thank you.", " Please help.", " Can you tell me?", " It is urgent.", " Thanks in advance!")
_THINGS = "{lamp|chair|jacket|kettle|pair of shoes|phone|backpack|book|pair of headphones|desk|blanket|camera}"
_TIMES = "{yesterday|last week|two days ago|on Monday|this morning|a month ago|on the 3rd}"

# What may be asked, and how. `{a|b}` is either a or b.
_REQUESTS: dict[str, tuple[str, ...]] = {
    "cancel_order": (
        "{I want|I would like|I need} to cancel {my order|the order I placed} {of|from} " + _TIMES + ".",
        "please {cancel|stop} {my order|the order of the " + _THINGS + "}, {I changed my mind|it was a mistake}.",
        "{can I still|is it too late to|how do I} cancel {an order|my order|the " + _THINGS + " I ordered}?",
    ),
    "change_address": (
        "{I have moved|we are moving|I am moving house}, {how do I|where can I} {change|update} my address?",
        "my {delivery |postal |}address is {wrong|out of date|no longer right}, {please correct it|can I change it}?",
        "{can you|please} {send|deliver} the " + _THINGS + " to {another address|my office|my neighbour} instead?",
    ),
    "damaged_item": (
        "the " + _THINGS + " {arrived|came} {broken|damaged|with a scratch|in pieces}.",
        "my new " + _THINGS + " {does not work|stopped working|is faulty|has a crack} {already|since " + _TIMES + "}.",
        "{I got|you sent me|I received} a {broken|damaged|defective} " + _THINGS + ", {what now|what can be done}?",
    ),
    "delivery_time": (
        "{where is|what happened to} my {parcel|package|" + _THINGS + "}? I ordered it " + _TIMES + ".",
        "{when will|on which day will} {my order|my parcel|the " + _THINGS + "} {arrive|be delivered|get here}?",
        "my {order|parcel|delivery} {has not arrived|is late|still is not here}, {can I track it|where is it}?",
    ),
    "forgotten_password": (
        "{I forgot|I have lost|I can't remember} my {password|login}, {how do I|can I} {reset|recover} it?",
        "{I can't|I am not able to} {log in|get into my account}, {the password is refused|it says wrong password}.",
        "the {link|mail} to {reset|change} my password {never came|does not work|has expired}.",
    ),
    "gift_card": (
        "{how do I|where can I} {use|redeem|enter} {a gift card|my gift card|the voucher I got}?",
        "{how much is left|what is the balance} on my {gift card|voucher}?",
        "my {gift card|voucher|coupon} {code |}{is not accepted|has expired|was refused at the checkout}.",
    ),
    "opening_hours": (
        "{when|until when|on which days} {are you open|is your shop open} {on Sundays|at Easter|today|}?",
        "{what are|please tell me} {your|the shop's} opening hours {on Saturday|during the holidays|}?",
        "{do you close|are you closed} {at noon|on Sundays|for the holidays|early today}?",
    ),
    "payment_failed": (
        "my {payment|card|credit card} was {declined|refused|rejected} {at the checkout|twice|" + _TIMES + "}.",
        "I {can't pay|could not pay} {by card|with my card|by bank transfer} for the " + _THINGS + ", {why|why not}?",
        "the payment {failed|did not go through} but {the money is gone|my account was charged}.",
    ),
    "refund": (
        "{when do I get|where is} my {money back|refund} for the " + _THINGS + " I returned " + _TIMES + "?",
        "{I want|I would like|I am asking for} a refund {for|of} the " + _THINGS + ".",
        "{you still owe me|I am waiting for} {my refund|my money back|the money} {since|from} " + _TIMES + ".",
    ),
    "return_item": (
        "{how do I|where do I|can I} {return|send back} {a|the} " + _THINGS + " {that does not fit|I do not like|}?",
        "{I need|please send me|where is} a {return label|label for a return} for the " + _THINGS + ".",
        "{how long|for how many days} can I {return|send back|exchange} {something|an item|a " + _THINGS + "}?",
    ),
    "speak_to_person": (
        "{I want to|can I|let me} {speak|talk} to {a person|a human|somebody|an agent|the manager}.",
        "{is there|do you have} a {phone number|hotline} {to call|where I can reach somebody|for customers}?",
        "{please|could somebody} call me {back|today|this afternoon}, {I have written twice|it is complicated}.",
    ),
    "warranty": (
        "{how long is|what is} the {warranty|guarantee} {on|of} {a|the} " + _THINGS + "?",
        "is {my|the} " + _THINGS + " {still |}{under warranty|covered by the guarantee} {after a year|if it breaks|}?",
        "{where do I find|I have lost} the {warranty|guarantee} {card|papers} {of|for} my " + _THINGS + ".",
    ),
}  # fmt: skip


def make_requests(*, per_label: int = 100, seed: int = 0) -> list[LabelledText]:
    """Return that many requests of each label, or as many as differ of so many drawn three times over."""
    rng = np.random.default_rng(seed)
    requests: list[LabelledText] = []
    for label, patterns in _REQUESTS.items():
        drawn = dict.fromkeys(_request(rng, patterns) for _ in range(3 * per_label))
        requests += [LabelledText(text, label) for text in list(drawn)[:per_label]]
    return requests


def _request(rng: np.random.Generator, patterns: tuple[str, ...]) -> str:
    sentence = _fill(rng, _pick(rng, patterns))
    opening = _pick(rng, _OPENINGS)
    body = sentence if opening else sentence[0].upper() + sentence[1:]
    return f"{opening}{body}{_pick(rng, _CLOSINGS)}"


def _fill(rng: np.random.Generator, pattern: str) -> str:
    """Replace the innermost choices until none is left."""
    while _CHOICE.search(pattern):
        pattern = _CHOICE.sub(lambda choice: _pick(rng, choice[1].split("|")), pattern)
    return " ".join(pattern.split()).replace(" ?", "?").replace(" .", ".")


def _pick(rng: np.random.Generator, choices: list[str] | tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
