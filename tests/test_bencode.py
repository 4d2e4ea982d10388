"""Both decoders: what is bencode, what is tolerated, what is refused, and where values end."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import values
from trio_torrent.bencode import (
    MAX_DIGITS,
    _decode,
    decode,
    decode_prefix,
    decode_with_span,
    encode,
)
from trio_torrent.errors import BencodeError

CANONICAL = [
    (b"i0e", 0),
    (b"i3e", 3),
    (b"i-3e", -3),
    (b"i9223372036854775808e", 1 << 63),
    (b"i" + b"9" * MAX_DIGITS + b"e", int("9" * MAX_DIGITS)),
    (b"0:", b""),
    (b"4:spam", b"spam"),
    (b"3:i1e", b"i1e"),
    (b"le", []),
    (b"l4:spami-1elee", [b"spam", -1, []]),
    (b"de", {}),
    (b"d0:0:e", {b"": b""}),
    (b"d3:cow3:moo4:spaml1:a1:bee", {b"cow": b"moo", b"spam": [b"a", b"b"]}),
    (b"d1:ad1:bd1:cleeee", {b"a": {b"b": {b"c": []}}}),
]

# What real torrents, trackers and peers send, and other clients take.
TOLERATED = [
    ("unordered_keys", b"d1:b0:1:a1:xe", {b"b": b"", b"a": b"x"}),
    ("duplicate_key", b"d1:a1:x1:b0:1:a1:ye", {b"a": b"y", b"b": b""}),
    ("int_leading_zero", b"i03e", 3),
    ("minus_zero", b"i-0e", 0),
    ("minus_leading_zero", b"i-007e", -7),
    ("length_leading_zero", b"03:abc", b"abc"),
    ("zero_length_leading_zero", b"00:", b""),
]

REFUSED = [
    ("empty", b"", "ends early, at byte 0"),
    ("unknown_type", b"x", "not a value, at byte 0"),
    ("end_alone", b"e", "not a value, at byte 0"),
    ("int_empty", b"ie", "not an integer, at byte 0"),
    ("int_open", b"i5", "not an integer, at byte 0"),
    ("minus_int", b"i-e", "not an integer, at byte 0"),
    ("interior_minus_int", b"i1-2e", "not an integer, at byte 0"),
    ("double_minus_int", b"i--2e", "not an integer, at byte 0"),
    ("plus_int", b"i+5e", "not an integer, at byte 0"),
    ("blank_int", b"i 5e", "not an integer, at byte 0"),
    ("underscore_int", b"i1_0e", "not an integer, at byte 0"),
    ("hex_int", b"i0x1e", "not an integer, at byte 0"),
    ("decimal_int", b"i1.5e", "not an integer, at byte 0"),
    ("arabic_int", "i٣e".encode(), "not an integer, at byte 0"),
    ("int_overflow", b"i" + b"1" * (MAX_DIGITS + 1) + b"e", "not an integer, at byte 0"),
    ("negative_int_overflow", b"i-" + b"1" * (MAX_DIGITS + 1) + b"e", "not an integer, at byte 0"),
    ("string_open", b"5", "not a value, at byte 0"),
    ("string_short", b"5:abcd", "a string longer than the input, at byte 0"),
    ("negative_length_prefix", b"-1:a", "not a value, at byte 0"),
    ("overflow_length_prefix", b"18446744073709551616:", "a string longer than the input, at byte 0"),
    ("close_overflow_length_prefix", b"9223372036854775807:", "a string longer than the input, at byte 0"),
    ("endless_length_prefix", b"9" * 30 + b":", "not a value, at byte 0"),
    ("length_without_colon", b"l4spame", "not a value, at byte 1"),
    ("list_open", b"l", "ends early, at byte 1"),
    ("list_open_item", b"li1e", "ends early, at byte 4"),
    ("dict_open", b"d", "ends early, at byte 1"),
    ("dict_open_key", b"d1:a", "ends early, at byte 4"),
    ("dict_key_alone", b"d1:ae", "a key without a value, at byte 4"),
    ("dict_int_key", b"di1e0:e", "a key that is not a string, in the dictionary that ends at byte 6"),
    ("dict_list_key", b"dle0:e", "a key that is not a string, in the dictionary that ends at byte 5"),
    ("dict_dict_key", b"dde0:e", "a key that is not a string, in the dictionary that ends at byte 5"),
    ("dict_negative_key_length", b"d-70:i1ee", "not a value, at byte 1"),
    ("inner", b"d1:al1:xi-eee", "not an integer, at byte 8"),
    ("two_values", b"i1ei2e", "3 bytes after the end, at byte 3"),
    ("trailing_newline", b"i1e\n", "1 bytes after the end, at byte 3"),
    ("runs_for_ever_elsewhere", b"lli-1ellel0:1::ed-70:i-3577849776337529713e1:Ei235e1:\x8d1:6eeee", "not a value"),
]


@pytest.mark.parametrize(("data", "value"), CANONICAL)
def test_canonical(data, value):
    assert decode(data, max_depth=9) == value
    assert _decode(data, 9, 99)[0] == value  # what stands behind the fast one agrees
    assert encode(value) == data


@pytest.mark.parametrize(("name", "data", "value"), TOLERATED)
def test_tolerated(name, data, value):
    assert decode(data, max_depth=9) == value


@pytest.mark.parametrize(("name", "data", "message"), REFUSED)
def test_refused(name, data, message):
    with pytest.raises(BencodeError) as caught:
        decode(data, max_depth=9)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer(buffer):
    assert decode(buffer(b"l1:ae"), max_depth=1) == [b"a"]
    assert decode_prefix(buffer(b"l1:aeX"), max_depth=1) == ([b"a"], 5)
    assert encode(decode(buffer(b"d1:b0:1:a0:e"), max_depth=1)) == b"d1:a0:1:b0:e"


@pytest.mark.parametrize("opening", [b"l", b"d1:a"])
@pytest.mark.parametrize("trailing", [b"", b"\n"])  # the fast decoder, and the other
def test_depth_is_what_is_open_at_once(opening, trailing):
    nested = opening * 5 + b"0:" + b"e" * 5 + trailing
    decode(nested, max_depth=5, allow_trailing=True)
    with pytest.raises(BencodeError, match="nested deeper than 4, at byte"):
        decode(nested, max_depth=4, allow_trailing=True)
    decode(b"l" + b"le" * 50 + b"e" + trailing, max_depth=2, allow_trailing=True)  # wide is not deep
    assert decode(b"0:", max_depth=0) == b""


def test_a_hundred_thousand_deep_is_only_an_error():
    with pytest.raises(BencodeError, match="nested deeper than 100"):
        decode(b"l" * 100_000 + b"e" * 100_000, max_depth=100)


def test_tokens_are_limited():
    data = b"d1:ali1ei2eee"  # the dictionary, its key, the list, two integers
    for trailing in (b"", b"\n"):
        assert decode(data + trailing, max_depth=2, max_tokens=5, allow_trailing=True) == {b"a": [1, 2]}
        with pytest.raises(BencodeError, match="more than 4 values"):
            decode(data + trailing, max_depth=2, max_tokens=4, allow_trailing=True)


def test_bytes_that_look_like_tokens_do_not_count():
    text = b"e:" * 100
    assert decode(b"200:" + text, max_depth=0, max_tokens=1) == text


def test_trailing_bytes_are_allowed_where_the_caller_says_so():
    assert decode(b"i1e\r\n", max_depth=1, allow_trailing=True) == 1


def test_prefix():
    message = b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"
    value, end = decode_prefix(message, max_depth=2)
    assert value == {b"msg_type": 1, b"piece": 0, b"total_size": 34256}
    assert message[end:] == b"xxxxxxxx"
    assert decode_prefix(b"0:", max_depth=0) == (b"", 2)


SPANNED = [
    (b"d4:infod1:ai1eee", b"d1:ai1ee"),
    (b"d8:announce3:url4:infod1:a4:infoe4:spam3:abce", b"d1:a4:infoe"),
    (b"d4:info0:4:zeroi0ee", b"0:"),
    (b"d4:infod1:b0:1:a0:ee", b"d1:b0:1:a0:e"),  # unordered within
    (b"d4:infoi1e8:announce3:urle", b"i1e"),  # unordered around
    (b"d8:announce1:x4:infoi01e4:infoi02ee", b"i02e"),  # the last counts, and so does its span
    (b"d4:infoi1ee\n", b"i1e"),
    (b"d04:infoi1ee", b"i1e"),
    (b"d4:infe0:e", None),
    (b"de", None),
    (b"l4:infoi1ee", None),
    (b"4:info", None),
]


@pytest.mark.parametrize(("data", "raw"), SPANNED)
def test_span(data, raw):
    value, span = decode_with_span(data, b"info", max_depth=3, allow_trailing=True)
    assert (data[span] if span else None) == raw
    assert value == decode(data, max_depth=3, allow_trailing=True)


@settings(max_examples=60)
@given(values())
def test_round_trip(value):
    data = encode(value)
    assert decode(data, max_depth=40) == value
    assert _decode(data, 40, 1000) == (value, _decode(data, 40, 1000)[1])
    assert decode_prefix(data + b"tail", max_depth=40) == (value, len(data))


@settings(max_examples=30)
@given(st.dictionaries(st.binary(max_size=8), values(5), max_size=5), st.data())
def test_span_of_any_key(values, data):
    encoded = encode(values)
    key = data.draw(st.sampled_from([*values, b"no such key"]))
    span = decode_with_span(encoded, key, max_depth=40)[1]
    assert (span is not None) == (key in values)
    if span:
        assert encoded[span] == encode(values[key])
        slow = decode_with_span(encoded + b"\n", key, max_depth=40, allow_trailing=True)[1]
        assert slow == span


@given(st.binary(max_size=60) | st.text("0123456789:-ilde", max_size=40).map(str.encode))
def test_garbage_gives_a_value_or_a_bencode_error(data):
    try:
        value, end = decode_prefix(data, max_depth=10)
    except BencodeError:
        with pytest.raises(BencodeError):
            decode(data, max_depth=10)
    else:
        assert decode(data[:end], max_depth=10) == value
        assert decode(encode(value), max_depth=10) == value


@pytest.mark.parametrize("value", ["text", None, 1.5, {"text": 1}, [None], {1: b""}, object()])
def test_what_has_no_form_is_not_encoded(value):
    with pytest.raises(BencodeError, match="cannot be encoded"):
        encode(value)


def test_without_the_compiled_module_there_is_no_start():
    """The package's Python fallback never returns from some inputs of 61 bytes."""
    program = (
        "import sys; sys.modules['fastbencode._bencode_rs'] = None\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "import trio_torrent.bencode"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "RuntimeError: fastbencode is installed without its compiled module" in ran.stderr


@pytest.mark.slow
def test_reading_is_linear():
    """Twice the input takes about twice the time, in the decoder behind the fast one too."""

    def seconds(count: int) -> float:
        data = b"d" + b"".join(b"6:%06dld1:ai%deee" % (n, n) for n in range(count)) + b"e\n"
        started = time.process_time()
        decode_with_span(data, b"000001", max_depth=4, allow_trailing=True)
        return time.process_time() - started

    small = min(seconds(10_000) for _ in range(3))
    assert min(seconds(80_000) for _ in range(2)) < 8 * 4 * small
