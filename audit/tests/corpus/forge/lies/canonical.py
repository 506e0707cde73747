"""FORMATS.md 1: bytes that are not canonical JSON, in an entry and in a statement. What they would mean is true."""

from ..canonical import b64, encode, labelled, put, uuid
from ..cases import add, case
from ..people import registration
from ..requests import Vault
from ..stories import BEN, CARLA, EVE, founded, people

RULE = {
    "bytes": '"A reader re-encodes what it parsed and refuses bytes that differ"',
    "json": '"RFC 8785 with less: objects, arrays, strings, integers ..., `true`, `false`"',
    "number": '"No `null`, float, exponent, `-0`, leading zero"',
    "range": '"integers within \u00b1(2^53-1)"',
    "null": '"No `null`"',
    "twice": '"No ... duplicate member"',
    "name": '"Member names match `[a-z][a-z0-9_]*`"',
    "deep": '"At most 8 containers deep, the outermost being 1"',
    "nfc": '"Strings are Unicode NFC"',
    "control": '"without U+0000-001F, U+007F"',
    "bidi": '"without ... bidirectional controls (U+202A-202E, U+2066-2069), U+FEFF"',
    "surrogate": '"or lone surrogates"',
    "object": '"exactly these seven members, canonical"',
}


def token(text):
    """The entry's free string, as bytes."""
    return lambda line: line.replace(b"custody-1", text if isinstance(text, bytes) else text.encode())


def sub(old, new):
    """One replacement, which must happen."""
    def how(line):
        assert line.count(old) >= 1, (old, line)
        return line.replace(old, new, 1)
    return how


def nested(arrays):
    """An unknown member of `data` with so many arrays in each other."""
    return sub(b'"data":{', b'"data":{"a":' + b"[" * arrays + b"]" * arrays + b",")


def data_reversed(line):
    head, rest = line.split(b'"data":{', 1)
    inside, tail = rest.split(b"}", 1)
    return head + b'"data":{' + b",".join(reversed(inside.split(b","))) + b"}" + tail


def actor_last(line):
    return line.replace(b'"actor":"system",', b"")[:-1] + b',"actor":"system"}'


KEK = {  # on kek.rolled, whose `token` is any string
    "space-after-colon": ("a space after a colon", "bytes", sub(b'":', b'": ')),
    "space-after-comma": ("a space after a comma", "bytes", sub(b',"', b', "')),
    "space-before": ("a space before the entry", "bytes", lambda line: b" " + line),
    "space-after": ("a space after the entry", "bytes", lambda line: line + b" "),
    "tab-after": ("a tab after the entry", "bytes", lambda line: line + b"\t"),
    "cr-after": ("a carriage return after the entry", "bytes", lambda line: line + b"\r"),
    "bom": ("a byte order mark", "bytes", lambda line: b"\xef\xbb\xbf" + line),
    "nul-after": ("a zero byte after the entry", "bytes", lambda line: line + b"\0"),
    "order": ("`actor` comes last", "bytes", actor_last),
    "order-in-data": ("the members of `data` in reverse", "bytes", data_reversed),
    "escaped-letter": ("a letter written as an escape", "bytes", token(b"\\u0063ustody-1")),
    "escaped-slash": ("a slash written as an escape", "bytes", token(b"custody\\/1")),
    "escaped-quote": ("a quote written as \\u0022", "bytes", token(b"\\u0022")),
    "escaped-accent": ("\u00e9 written as an escape", "bytes", token(b"\\u00e9")),
    "escaped-accent-capitals": ("\u00e9 written as an escape in capitals", "bytes", token(b"\\u00E9")),
    "escaped-emoji": ("an emoji written as a pair of escapes", "bytes", token(b"\\ud83d\\udd11")),
    "escaped-name": ("a member's name written with an escape", "bytes", sub(b'"token"', b'"t\\u006fken"')),
    "lone-high": ("a lone high surrogate", "surrogate", token(b"\\ud83d")),
    "lone-low": ("a lone low surrogate", "surrogate", token(b"\\udd11")),
    "pair-reversed": ("surrogates in the wrong order", "surrogate", token(b"\\udd11\\ud83d")),
    "surrogate-as-utf8": ("a surrogate as three bytes", "surrogate", token(b"\xed\xa0\xbd")),
    "pair-as-utf8": ("an emoji as two surrogates of three bytes", "bytes", token(b"\xed\xa0\xbd\xed\xb4\x91")),
    "overlong": ("an overlong slash", "bytes", token(b"\xc0\xaf")),
    "latin-1": ("a byte that is no UTF-8", "bytes", token(b"custod\xfd")),
    "utf8-cut": ("a character cut in two", "bytes", token(b"\xf0\x9f\x94")),
    "beyond-unicode": ("U+110000", "bytes", token(b"\xf4\x90\x80\x80")),
    "raw-tab": ("a raw tab in a string", "control", token(b"custody\t1")),
    "raw-unit-separator": ("a raw U+001F in a string", "control", token(b"custody\x1f1")),
    "raw-nul": ("a raw U+0000 in a string", "control", token(b"custody\x001")),
    "escaped-lf": ("an escaped LF", "control", token(b"custody\\n1")),
    "escaped-tab": ("an escaped tab", "control", token(b"custody\\t1")),
    "escaped-backspace": ("an escaped backspace", "control", token(b"custody\\b1")),
    "escaped-nul": ("an escaped U+0000", "control", token(b"custody\\u00001")),
    "escaped-escape": ("an escaped U+001B", "control", token(b"custody\\u001b[31m")),
    "del": ("U+007F", "control", token(b"custody\x7f1")),
    "nfd-accent": ("e and a combining acute", "nfc", token("cafe\u0301")),
    "nfd-hangul": ("a Hangul syllable in jamo", "nfc", token("\u1112\u1161\u11ab")),
    "nfd-angstrom": ("the angstrom sign", "nfc", token("\u212b")),
    "nfd-kelvin": ("the kelvin sign", "nfc", token("\u212a")),
    "nfd-compatibility-ideograph": ("a compatibility ideograph", "nfc", token("\uf900")),
    "nfd-excluded": ("a character excluded from composition", "nfc", token("\u0958")),
    "nfd-order": ("combining marks in the wrong order", "nfc", token("a\u0301\u0323")),
    "nfd-in-name-of-event": ("an event's name not in NFC", "nfc", sub(b'"kek.rolled"', '"ke\u0301k"'.encode())),
    **{f"bidi-{code:04x}": (f"U+{code:04X}", "bidi", token("custody" + chr(code) + "1"))
       for code in (*range(0x202a, 0x202f), *range(0x2066, 0x206a), 0xfeff)},
    "bidi-escaped": ("U+202E as an escape", "bidi", token(b"custody\\u202e1")),
    "null-value": ("null", "null", sub(b'"custody-1"', b"null")),
    "null-member": ("an unknown member that is null", "null", sub(b'"data":{', b'"data":{"a":null,')),
    "true-capital": ("True", "json", sub(b'"data":{', b'"data":{"a":True,')),
    "nan": ("NaN", "json", sub(b'"data":{', b'"data":{"a":NaN,')),
    "infinity": ("Infinity", "json", sub(b'"data":{', b'"data":{"a":Infinity,')),
    "single-quotes": ("single quotes", "json", sub(b'"custody-1"', b"'custody-1'")),
    "name-without-quotes": ("a name without quotes", "json", sub(b'"token"', b"token")),
    "trailing-comma": ("a comma before the brace", "json", sub(b'"custody-1"}', b'"custody-1",}')),
    "comment": ("a comment", "json", sub(b'"custody-1"', b'"custody-1"/* */')),
    "unclosed": ("the last brace is missing", "json", lambda line: line[:-1]),
    "closed-twice": ("a brace too many", "json", lambda line: line + b"}"),
    "cut": ("half an entry", "json", lambda line: line[:len(line) // 2]),
    "two-objects": ("two objects in a line", "json", lambda line: line + line),
    "empty-line": ("an empty line", "json", lambda line: b""),
    "array": ("an array around the entry", "object", lambda line: b"[" + line + b"]"),
    "string": ("a string", "object", lambda line: b'"kek.rolled"'),
    "number": ("a number", "object", lambda line: b"4711"),
    "true": ("true", "object", lambda line: b"true"),
    "empty-object": ("an object without members", "object", lambda line: b"{}"),
    "v-twice": ("`v` twice, equal", "twice", lambda line: line[:-1] + b',"v":1}'),
    "token-twice": ("`token` twice, equal", "twice", sub(b'"token":', b'"token":"custody-1","token":')),
    "token-twice-other": ("`token` twice, different", "twice", sub(b'"token":', b'"token":"custody-0","token":')),
    "event-twice": ("`event` twice, the first an honest one", "twice",
                    sub(b'"event":', b'"event":"clock.ticked","event":')),
    "unknown-twice": ("an unknown member twice", "twice", sub(b'"data":{', b'"data":{"a":1,"a":1,')),
    "name-capital": ("an unknown member with a capital", "name", sub(b'"data":{', b'"data":{"Colour":1,')),
    "name-hyphen": ("an unknown member with a hyphen", "name", sub(b'"data":{', b'"data":{"a-b":1,')),
    "name-digit": ("an unknown member that begins with a digit", "name", sub(b'"data":{', b'"data":{"1a":1,')),
    "name-underscore": ("an unknown member that begins with _", "name", sub(b'"data":{', b'"data":{"_a":1,')),
    "name-empty": ("an unknown member without a name", "name", sub(b'"data":{', b'"data":{"":1,')),
    "name-accent": ("an unknown member with an accent", "name", sub(b'"data":{', '"data":{"\u00e9":1,'.encode())),
    "deep-9": ("nine containers", "deep", nested(7)),
    "deep-30000": ("thirty thousand containers", "deep", nested(30000)),
    "deep-unclosed": ("sixty thousand open brackets", "deep", lambda line: b"[" * 60000),
}

COUNTER = {  # on authenticator.distrusted, whose `counter` is 5
    "minus-zero": ("-0", "number", b"-0"),
    "float": ("5.0", "number", b"5.0"),
    "fraction": ("5.5", "number", b"5.5"),
    "exponent": ("5e0", "number", b"5e0"),
    "exponent-capital": ("5E0", "number", b"5E0"),
    "leading-zero": ("05", "number", b"05"),
    "plus": ("+5", "json", b"+5"),
    "hex": ("0x5", "json", b"0x5"),
    "point-first": (".5", "json", b".5"),
    "minus-alone": ("-", "json", b"-"),
    "zero-float": ("0.0", "number", b"0.0"),
    "2-53": ("2^53", "range", b"9007199254740992"),
    "2-53-and-one": ("2^53+1, which a double can't hold", "range", b"9007199254740993"),
    "minus-2-53": ("-2^53", "range", b"-9007199254740992"),
    "2-64-and-five": ("2^64+5, which is 5 in 64 bits", "range", b"18446744073709551621"),
    "2-128": ("2^128", "range", str(2**128).encode()),
    "thousand-digits": ("a thousand digits", "range", b"5" * 1000),
}


def _raw(how, begin=people):
    def build():
        vault = begin()
        vault.next(raw=how).roll_kek()
        return vault.false()
    return build


for _name, (_what, _rule, _how) in KEK.items():
    add(f"canonical-{_name}", f"An entry that is not canonical: {_what}. {RULE[_rule]}", _raw(_how))

for _name, (_what, _rule, _digits) in COUNTER.items():
    def _number(digits=_digits):
        vault = people()
        vault.next(raw=sub(b'"counter":5', b'"counter":' + digits)).distrust(BEN, counter=5)
        return vault.false()
    add(f"canonical-number-{_name}", f"A number that is not canonical: {_what}. {RULE[_rule]}", _number)


STATEMENT = {  # on the setting statement, whose `value` is "600"
    "space": ("a space after a colon", "bytes", sub(b'":', b'": ')),
    "space-before": ("a space before it", "bytes", lambda line: b" " + line),
    "space-after": ("a space after it", "bytes", lambda line: line + b" "),
    "order": ("`kind` comes last", "bytes", lambda line: line.replace(b'"kind":"setting",', b"")[:-1] + b',"kind":"setting"}'),
    "escape": ("a letter written as an escape", "bytes", sub(b"600", b"\\u0036\\u0030\\u0030")),
    "escaped-slash": ("a slash written as an escape", "bytes", sub(b"600", b"6\\/0")),
    "escaped-accent": ("\u00e9 written as an escape", "bytes", sub(b"600", b"\\u00e9")),
    "escaped-lf": ("an escaped LF", "control", sub(b"600", b"6\\n0")),
    "escaped-nul": ("an escaped U+0000", "control", sub(b"600", b"6\\u00000")),
    "escaped-del": ("an escaped U+007F", "control", sub(b"600", b"6\\u007f0")),
    "escaped-bidi": ("an escaped U+202E", "bidi", sub(b"600", b"6\\u202e0")),
    "escaped-bom": ("an escaped U+FEFF", "bidi", sub(b"600", b"6\\ufeff0")),
    "lone-surrogate": ("a lone surrogate", "surrogate", sub(b"600", b"6\\ud8000")),
    "escaped-nfd": ("a combining acute as an escape", "nfc", sub(b"600", b"e\\u0301")),
    "number-float": ("`v` 1.0", "number", sub(b'"v":1', b'"v":1.0')),
    "number-exponent": ("`v` 1e0", "number", sub(b'"v":1', b'"v":1e0')),
    "null": ("an unknown member that is null", "null", sub(b"{", b'{"a":null,')),
    "value-twice": ("`value` twice, equal", "twice", sub(b'"value":', b'"value":"600","value":')),
    "value-twice-other": ("`value` twice, different", "twice", sub(b'"value":', b'"value":"1","value":')),
    "name-capital": ("an unknown member with a capital", "name", sub(b"{", b'{"Colour":1,')),
    "deep-9": ("nine containers", "deep", sub(b"{", b'{"a":' + b"[" * 8 + b"]" * 8 + b",")),
    "deep-20000": ("twenty thousand containers", "deep", sub(b"{", b'{"a":' + b"[" * 20000 + b"]" * 20000 + b",")),
    "two": ("two statements", "json", lambda line: line + line),
    "array": ("an array around it", "object", lambda line: b"[" + line + b"]"),
    "words": ("words", "json", lambda line: b"I agree"),
    "empty": ("nothing", "json", lambda line: b""),
    "trailing-comma": ("a comma before the brace", "json", lambda line: line[:-1] + b",}"),
    "unknown-kind-too": ("an unknown kind, with a space in it: not read further", "bytes",
                         lambda line: line.replace(b'"kind":"setting"', b'"kind": "whim"')),
    "unknown-member-too": ("an unknown member, out of order: not read further", "bytes",
                           lambda line: line[:-1] + b',"a":1}'),
}

for _name, (_what, _rule, _how) in STATEMENT.items():
    def _statement(how=_how):
        vault = founded()
        vault.next(statement_bytes=how).setting(CARLA)
        return vault.false()
    add(f"canonical-statement-{_name}", f'A signed statement that is not canonical: {_what}. {RULE[_rule]} '
        '"a `statement` that is not canonical is false and not read further"', _statement)


@case
def deep_8():
    """Eight containers are canonical; the member is unknown. "At most 8 containers deep, the outermost being 1" """
    vault = people()
    vault.next(raw=nested(6)).roll_kek()
    return vault.unknown()


@case
def statement_deep_8():
    """Eight containers in a statement, in a member nobody knows. "At most 8 containers deep, the outermost being 1" """
    vault = founded()
    vault.next(statement_bytes=sub(b"{", b'{"a":' + b"[" * 7 + b"]" * 7 + b",")).setting(CARLA)
    return vault.unknown()


@case
def name_with_digits_and_underscore():
    """A name that is canonical, of a member nobody knows. "Member names match `[a-z][a-z0-9_]*`" """
    vault = people()
    vault.next(data=put("a_1_", True)).roll_kek()
    return vault.unknown()


@case
def founding_with_space():
    """Entry 0 is not canonical. "A reader re-encodes what it parsed and refuses bytes that differ" """
    vault = Vault()
    vault.next(raw=sub(b'":', b'": ')).found()
    vault.quiet = vault.unchecked = True
    return vault.false()


@case
def unknown_event_with_space():
    """An unknown event that is not canonical. "within one entry bytes that are not canonical first" """
    vault = people()
    vault.next(raw=lambda line: line + b" ").append("moon.risen", {"phase": "full"})
    return vault.false()


@case
def registration_reordered():
    """`registration_sha256` is over other bytes of the same object. "`H("registration", canonical bytes)`" """
    vault = founded()
    vault.invite(EVE, CARLA)
    made = encode({"kind": "register", "ledger": vault.founded, "nonce": b64(bytes(32)), "user": EVE.user, "v": 1})
    shown = registration(EVE.key(), labelled("statement", made), vault.rp_id, vault.origins[0])
    loose = encode(shown).replace(b'":"', b'": "')
    vault.next(statement=put("registration_sha256", labelled("registration", loose).hex()),
               data=put("registration", shown)).enrol(EVE)
    return vault.false()


# Binary: "base64url without padding and with zero trailing bits"

BINARY = '"Binary is base64url without padding and with zero trailing bits"'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def trailing_bit(text):
    """The same bytes, with a last bit that nobody reads."""
    assert len(text) % 4, "no bits trail"
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]


SPELLINGS = {
    "padded": ("padded", lambda text: text + "=" * (-len(text) % 4)),
    "trailing-bit": ("a trailing bit set", trailing_bit),
    "standard": ("with the characters of standard base64", lambda text: "+/" + text[2:]),
    "space": ("with a space", lambda text: text[:4] + " " + text[4:]),
    "impossible-length": ("one character too long", lambda text: text + "A" * ((1 - len(text)) % 4 or 4)),
}

for _name, (_what, _how) in SPELLINGS.items():
    def _nonce(how=_how):
        vault = founded()
        vault.next(statement=lambda statement: statement.update(nonce=how(statement["nonce"]))).setting(CARLA)
        return vault.false()
    add(f"canonical-nonce-{_name}", f"`nonce` {_what}. {BINARY}", _nonce)

    if _name == "standard":
        continue

    def _signature(how=_how):
        vault = founded()
        for value in range(600, 700):  # until the signature's length leaves bits over
            trial = vault.copy()
            trial.next(data=lambda data: data["assertion"].update(
                signature=how(data["assertion"]["signature"] if len(data["assertion"]["signature"]) % 4 else "AAA")))
            trial.setting(CARLA, value=str(value))
            if b'"signature":"AAA' not in trial.entries[-1]:
                return trial.false()
        raise ValueError("every signature is a multiple of three bytes")
    add(f"canonical-signature-{_name}", f"`signature` {_what}. {BINARY}", _signature)


@case
def id_in_capitals():
    """A kek's id in capitals. "Ids are lower-case UUID text" """
    vault = people()
    vault.next(data=put("key", uuid("a kek").upper())).roll_kek()
    return vault.false()
