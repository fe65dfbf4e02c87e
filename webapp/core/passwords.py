"""Passwords: argon2id (RFC 9106 §4, by argon2-cffi's defaults), and which ones are too easy to guess."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webapp.errors import Fault, Invalid
from webapp.lib.secret import Secret

SHORTEST, LONGEST = 12, 256

#: What guessers try first among passwords this long; a short list, since length does most of the work.
_COMMON = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789012345 1234567890123456 123123123123 121212121212
    password1234 password12345 password123456 passwordpassword passw0rdpassw0rd mypassword123 password2024
    password2025 password2026 qwertyuiop12 qwertyuiop123 qwertyuiopasdf qwertyqwerty qwerty123456
    1qaz2wsx3edc 1q2w3e4r5t6y 1q2w3e4r5t6y7u abcdefghijkl abcdefghijklm abcd12345678 abc123abc123
    iloveyou1234 iloveyouiloveyou letmeinletmein letmein12345 welcome12345 welcomewelcome adminadminadmin
    administrator administrator1 administrator123 changeme1234 changemechangeme secretsecret topsecret123
    monkeymonkey dragondragon footballfootball baseballbaseball superman1234 batmanbatman sunshine1234
    princess1234 trustno1trustno1 correcthorsebatterystaple hitchposthitchpost hitchpost123 hitchpost1234
    """.split()  # noqa: SIM905 - a table, easier to read than sixty quoted words
)

_hasher = PasswordHasher()


def hash_password(password: Secret) -> str:
    """The argon2id hash to keep."""
    return _hasher.hash(password.reveal())


def matches(password: Secret, password_hash: str | None) -> bool:
    """Whether it is the password of that hash. Without a hash the answer is no, and takes as long."""
    try:
        _hasher.verify(password_hash or _nobody(), password.reveal())
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def check(password: Secret, *, email: str) -> None:
    """Refuse, by Invalid at the field `password`, what is short, endless or guessed first (ASVS V6.2)."""
    fault = _fault(password.reveal(), email)
    if fault:
        raise Invalid([Fault("password", fault)])


def make() -> Secret:
    """A random password that a person can type: five groups of four, 99 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))
    return Secret("-".join(groups))


def _fault(text: str, email: str) -> str | None:
    plain = text.casefold()
    if len(text) < SHORTEST:
        return f"is {len(text)} characters long; take at least {SHORTEST}, a few words do well"
    if len(text) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if plain in _COMMON or len(set(plain)) < 5:
        return "is one of those that are guessed first; take another"
    if plain == email or plain == email.partition("@")[0]:
        return "is the e-mail address; take another"
    return None


@cache
def _nobody() -> str:
    """A hash that nothing matches: checking for nobody takes the time of checking for somebody."""
    return _hasher.hash(secrets.token_urlsafe(32))
