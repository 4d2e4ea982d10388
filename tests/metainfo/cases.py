"""Named torrents, each odd or bad in one way, with what is to become of it.

The names are those under which such torrents are known in the field, so that lists can be compared; the torrents are
made here.
"""

from __future__ import annotations

from hashlib import sha256

from tests.metainfo.making import BLOCK, Fields, entry, leaf, many_files, one_file, torrent, tree_info
from trio_torrent.bencode import encode
from trio_torrent.metainfo.geometry import MAX_PIECE_LENGTH, MAX_PIECES

NAMES = (b"x" * 32, b"y" * 32)
LAYER = b"".join(NAMES)
ROOT = sha256(LAYER).digest()  # of a file of two blocks, in pieces of one
PAD = entry(b".pad", b"16374", length=BLOCK - 10, attr=b"p")
TWO = {b"a": leaf(), b"b": leaf()}
TWO_PADDED = (entry(b"a"), PAD, entry(b"b"))


def nested(depth: int) -> Fields:
    """A v2 tree with one file below `depth` folders."""
    tree: Fields = {b"f": leaf()}
    for _ in range(depth):
        tree = {b"d": tree}
    return tree


def canonical_but_for(found: bytes, written: bytes) -> bytes:
    """A v2 torrent with some of its bytes changed."""
    data = torrent(tree_info({b"a": leaf()}))
    assert data.count(found) == 1
    return data.replace(found, written)


# name: (the torrent, what the message says)
# fmt: off
BAD: dict[str, tuple[bytes, str]] = {
    # not a torrent at all
    "empty": (b"", "not a torrent: ends early"),
    "text": (b"<!DOCTYPE html>", "not a torrent: not a value"),
    "string": (b"8:announce", "not a torrent: not a dictionary"),
    "list": (b"l4:infoe", "not a torrent: not a dictionary"),
    "truncated": (torrent(one_file())[:-30], "not a torrent: a string longer than the input"),
    "too_deep": (b"d1:a" + b"l" * 200 + b"e" * 201, "not a torrent: nested deeper than 100"),
    "no_info": (b"d8:announce3:urle", "info is missing"),
    "invalid_info": (torrent(b"info"), "info is not a dictionary"),
    # piece length
    "missing_piece_len": (torrent(one_file(piece_length=None)), "info.piece length is missing"),
    "invalid_piece_len": (torrent(one_file(piece_length=b"16384")), "info.piece length is not an integer"),
    "zero_piece_len": (torrent(one_file(piece_length=0)), "info.piece length is 0, not from 1"),
    "negative_piece_len": (torrent(one_file(piece_length=-BLOCK)), "info.piece length is -16384"),
    "huge_piece_len": (torrent(one_file(piece_length=MAX_PIECE_LENGTH + 1)), "info.piece length is 536854529, not"),
    # names and lengths
    "no_name": (torrent(one_file(name=None)), "info.name is missing"),
    "bad_name": (torrent(one_file(name=b"..")), "info.name is b'..', which"),
    "slash_name": (torrent(one_file(name=b"/")), "info.name is b'/', which"),
    "empty_name": (torrent(one_file(name=b"")), "info.name is b'', which"),
    "invalid_name": (torrent(one_file(name=5)), "info.name is not a string"),
    "no_length_no_files": (torrent(one_file(length=None)), "info.length is missing"),
    "negative_size": (torrent(one_file(length=-1)), "info.length is -1"),
    "huge_size": (torrent(one_file(length=1 << 48)), "info.length is 281474976710656, not from 0"),
    "endless_size": (torrent(one_file(length=10**4000)), "info.length is a huge number, not from 0"),
    "zero": (torrent(one_file(length=0, pieces=0)), "info has no bytes to share"),
    "zero2": (torrent(many_files(entry(b"a", length=0), entry(b"b", length=0), pieces=0)), "info has no bytes"),
    # lists of files
    "no_files": (torrent(many_files()), "info.files is not a list of files"),
    "files_no_list": (torrent(one_file(files=b"a")), "info.files is not a list of files"),
    "file_no_dict": (torrent(many_files(b"a")), "info.files[0] is not a dictionary"),
    "negative_file_size": (torrent(many_files(entry(b"a", length=-5))), "info.files[0].length is -5"),
    "invalid_file_size": (torrent(many_files({b"path": [b"a"], b"length": [45]})), "info.files[0].length is not an"),
    "missing_file_size": (torrent(many_files({b"path": [b"a"]})), "info.files[0].length is missing"),
    "total_size_overflow": (
        torrent(many_files(entry(b"a", length=(1 << 48) - 1), entry(b"b", length=1))),
        "info.files add up to 281474976710656",
    ),
    "invalid_path_list": (
        torrent(many_files(entry(b"a"), {b"path": [b"d", 5], b"length": 1})),
        "info.files[1].path has",
    ),
    "path_with_list": (torrent(many_files({b"path": [[b"a"]], b"length": 1})), "info.files[0].path has a component"),
    "missing_path_list": (torrent(many_files({b"length": 10})), "info.files[0].path is not a list of names"),
    "empty_path_list": (torrent(many_files(entry())), "info.files[0].path is not a list of names"),
    "path_no_list": (torrent(many_files({b"path": b"a", b"length": 1})), "info.files[0].path is not a list"),
    "invalid_symlink": (
        torrent(many_files(entry(b"a"), entry(b"b", length=0, attr=b"l", symlink_path=[5]))),
        "info.files[1].symlink path has a component that is not a string",
    ),
    "deep_path": (torrent(many_files(entry(*[b"d"] * 101))), "info.files[0].path has 101 components"),
    # pieces
    "missing_pieces": (torrent(one_file(pieces=0) | {b"pieces": 5}), "info.pieces is not a string"),
    "invalid_pieces": (torrent({**one_file(), b"pieces": [b"h" * 20]}), "info.pieces is not a string"),
    "unaligned_pieces": (torrent({**one_file(), b"pieces": b"h" * 19}), "info.pieces has 19 bytes; 1 pieces need 20"),
    "too_few_pieces": (torrent(one_file(length=BLOCK + 1)), "info.pieces has 20 bytes; 2 pieces need 40"),
    "too_many_hashes": (torrent(one_file(pieces=2)), "info.pieces has 40 bytes; 1 pieces need 20"),
    "many_pieces": (torrent(one_file(length=MAX_PIECES + 1, piece_length=1)), "info has 2097153 pieces, more than"),
    # v2
    "v2_unknown_version": (torrent(tree_info(TWO, meta_version=3)), "info.meta version is 3: only 1 and 2"),
    "v2_text_version": (torrent(tree_info(TWO, meta_version=b"2")), "info.meta version is b'2': only"),
    "v2_missing_version": (torrent(tree_info(TWO, meta_version=None)), "info.meta version is not 2, but there is"),
    "v2_no_tree": (torrent(tree_info(None)), "info.file tree is missing"),
    "v2_tree_no_dict": (torrent(tree_info([TWO])), "info.file tree is not a dictionary"),
    "v2_empty_tree": (torrent(tree_info({})), "info.file tree has no files"),
    "v2_only_folders": (torrent(tree_info({b"d": {b"e": {}}})), "info.file tree has no files"),
    "v2_only_empty_files": (torrent(tree_info({b"a": leaf(0, None)})), "info has no bytes to share"),
    "v2_no_power2_piece": (torrent(tree_info(TWO, piece_length=3 * BLOCK)), "info.piece length is 49152: v2 demands"),
    "v2_piece_size": (torrent(tree_info(TWO, piece_length=1 << 29)), "info.piece length is 536870912"),
    "v2_small_piece": (torrent(tree_info(TWO, piece_length=BLOCK // 2)), "info.piece length is 8192: v2 demands"),
    "v2_invalid_file": (torrent(tree_info({b"a": b"file"})), "info.file tree 'a' is not a dictionary"),
    "v2_invalid_properties": (torrent(tree_info({b"a": {b"": 5}})), "info.file tree 'a' is not a dictionary"),
    "v2_file_and_folder": (torrent(tree_info({b"a": {**leaf(), b"b": leaf()}})), "info.file tree 'a' is a file and a"),
    "v2_empty_filename": (
        torrent(tree_info({b"d": {b"": {b"": leaf()}}, b"e": leaf()})),
        "info.file tree 'd'.length is",
    ),
    "v2_root_is_file": (torrent(tree_info({b"": {b"length": 1}})), "info.file tree has an entry without a name"),
    "v2_deep_recursion": (torrent(tree_info(nested(98))), "not a torrent: nested deeper than 100"),
    "v2_missing_root": (torrent(tree_info({b"a": leaf(10, None)})), "info.file tree 'a'.pieces root is missing"),
    "v2_short_root": (torrent(tree_info({b"a": leaf(10, b"r" * 20)})), "info.file tree 'a'.pieces root is not a SHA"),
    "v2_zero_root": (torrent(tree_info({b"a": leaf(BLOCK + 1, bytes(32))})), "info.file tree 'a'.pieces root is not"),
    "v2_zero_root_small": (torrent(tree_info({b"a": leaf(10, bytes(32))})), "info.file tree 'a'.pieces root is not a"),
    "v2_negative_length": (torrent(tree_info({b"a": leaf(-1)})), "info.file tree 'a'.length is -1"),
    "v2_large_file": (torrent(tree_info({b"a": leaf(1 << 48)})), "info.file tree 'a'.length is 281474976710656"),
    "v2_large_offset": (
        torrent(tree_info({b"a": leaf(1 << 47), b"b": leaf()})),
        "info has 8589934593 pieces, more than",
    ),
    "v2_total_overflow": (
        torrent(tree_info({b"a": leaf((1 << 48) - 1), b"b": leaf((1 << 48) - 1)})),
        "info.file tree adds up to 562949953421312",
    ),
    "v2_invalid_pad_file": (torrent(tree_info({b"a": leaf(), b"p": leaf(5, attr=b"p")})), "info.file tree 'p' is pad"),
    "v2_invalid_symlink": (
        torrent(tree_info({b"a": leaf(), b"s": leaf(0, None, attr=b"l", symlink_path=[5])})),
        "info.file tree 's'.symlink path has a component",
    ),
    "v2_unordered_files": (
        b"d4:infod9:file treed1:b"
        + encode(leaf())
        + b"1:a"
        + encode(leaf())
        + b"e12:meta versioni2e4:name4:name12:piece lengthi16384eee",
        "info is not in canonical form",
    ),
    "v2_duplicate_files": (
        b"d4:infod9:file treed1:a"
        + encode(leaf())
        + b"1:a"
        + encode(leaf())
        + b"e12:meta versioni2e4:name4:name12:piece lengthi16384eee",
        "info is not in canonical form",
    ),
    "v2_overlong_integer": (canonical_but_for(b"i16384e", b"i016384e"), "info is not in canonical form"),
    # piece layers
    "v2_layers_no_dict": (torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers=[]), "piece layers is not a dict"),
    "v2_non_multiple_piece_layer": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: LAYER[:-1]}),
        "piece layers has not 2 digests for " + ROOT.hex()[:16],
    ),
    "v2_invalid_piece_layer_size": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: LAYER + NAMES[0]}),
        "piece layers has not 2 digests",
    ),
    "v2_invalid_piece_layer": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: 5}),
        "piece layers has not 2 digests",
    ),
    "v2_invalid_piece_layer_root": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT[:-1]: LAYER}),
        "piece layers has an entry for no file",
    ),
    "v2_piece_layer_invalid_file_hash": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: NAMES[1] + NAMES[0]}),
        "piece layers has digests that do not lead to " + ROOT.hex()[:16],
    ),
    "v2_unknown_piece_layer_entry": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: LAYER, NAMES[0]: LAYER}),
        "piece layers has an entry for no file, 7878",
    ),
    # hybrids
    "v2_mismatching_metadata": (
        torrent(tree_info({b"a": leaf(11), b"b": leaf()}, files=[*TWO_PADDED], pieces=b"h" * 40)),
        "info.files and info.file tree differ at 'name/a'",
    ),
    "hybrid_renamed": (
        torrent(tree_info({b"a": leaf()}, length=10, pieces=b"h" * 20)),
        "info.files and info.file tree differ at 'name'",
    ),
    "hybrid_fewer_files": (
        torrent(tree_info(TWO, files=[entry(b"a")], pieces=b"h" * 20)),
        "info.file tree has more files than info.files",
    ),
    "hybrid_more_files": (
        torrent(tree_info({b"a": leaf()}, files=[*TWO_PADDED], pieces=b"h" * 40)),
        "info.files and info.file tree differ at 'name/b'",
    ),
    "hybrid_unordered": (
        torrent(tree_info(TWO, files=[entry(b"b"), PAD, entry(b"a")], pieces=b"h" * 40)),
        "info.files and info.file tree differ at 'name/b'",
    ),
    "v2_bad_file_alignment": (
        torrent(tree_info(TWO, files=[entry(b"a"), entry(b"b")], pieces=b"h" * 20)),
        "info.files has 'name/b' not at the start of a piece",
    ),
    "hybrid_without_pieces": (torrent(tree_info({b"name": leaf()}, length=10)), "info.pieces is missing"),
}


# name: (the torrent, the paths of its files without padding, words of its warnings)
ODD: dict[str, tuple[bytes, list[str], str]] = {
    "base": (torrent(one_file()), ["name"], ""),
    "single_multi_file": (torrent(many_files(entry(b"a"))), ["name/a"], ""),
    "both_length_and_files": (torrent(many_files(entry(b"a")) | {b"length": 77}), ["name/a"], ""),
    "odd_piece_length": (torrent(one_file(length=1000, pieces=10, piece_length=100)), ["name"], ""),
    "largest_piece_length": (torrent(one_file(piece_length=MAX_PIECE_LENGTH)), ["name"], ""),
    "trailing_newline": (torrent(one_file()) + b"\n", ["name"], ""),
    "unordered": (b"d4:info" + encode(one_file()) + b"8:announce8:http://ae", ["name"], ""),
    "unordered_info": (
        b"d4:infod12:piece lengthi16384e4:name4:name6:pieces20:" + b"h" * 20 + b"6:lengthi10eee", ["name"], ""
    ),
    "duplicate_keys": (
        b"d4:infod6:lengthi5e6:lengthi10e4:name1:x4:name4:name12:piece lengthi16384e6:pieces20:" + b"h" * 20 + b"ee",
        ["name"], "",
    ),
    "leading_zeros": (torrent(one_file()).replace(b"i100e", b"i0100e"), ["name"], ""),
    "unknown_fields": (torrent({**one_file(), b"md5sum": b"x", b"x": [{}]}, publisher=b"me"), ["name"], ""),
    "root_hash": (torrent(one_file(root_hash=b"r" * 20)), ["name"], ""),
    "large": (torrent(one_file(length=1 << 40, piece_length=1 << 22, pieces=1 << 18)), ["name"], ""),
    # names
    "utf8_name": (torrent(one_file(name=b"\xff") | {b"name.utf-8": "naïve".encode()}), ["naïve"], ""),
    "invalid_name2": (
        torrent(many_files(entry(b"a"), name=b"/")), ["e7424ce11cc5e0d74c1256c2c4d65b4ba0b6cc07/a"], "info.name"
    ),
    "empty_name_multi": (
        torrent(many_files(entry(b"a"), name=b"")), ["e79e79418f13ba4b1b5e86231ed50647dc618a5d/a"], "info.name"
    ),
    "slash_name_multi": (torrent(many_files(entry(b"a"), name=b"../x")), ["..x/a"], "info.name"),
    "long_name": (torrent(one_file(name=b"n" * 300 + b".iso")), ["n" * 240 + ".iso"], "info.name"),
    "long_name_without_extension": (torrent(one_file(name=b"n" * 300)), ["n" * 240], "info.name"),
    "long_name_many_bytes": (torrent(one_file(name="é".encode() * 200)), ["é" * 120], "info.name"),
    "long_name_cut_in_character": (torrent(one_file(name=b"n" + "é".encode() * 200)), ["n" + "é" * 120], "info.name"),
    "invalid_utf8_name": (torrent(one_file(name=b"a\xff")), ["a_"], "info.name"),
    "nul_name": (torrent(one_file(name=b"a\0.exe")), ["a.exe"], "info.name"),
    # paths
    "empty_path": (torrent(many_files(entry(b""))), ["name/_"], ""),
    "empty_path_multi": (torrent(many_files(entry(b"", b"a"), entry(b"b"))), ["name/_/a", "name/b"], ""),
    "parent_path": (torrent(many_files(entry(b"..", b"a"))), ["name/_/a"], ""),
    "hidden_parent_path": (torrent(many_files(entry(b"a", b"..", b"..", b"b"))), ["name/a/_/_/b"], ""),
    "dot_path": (torrent(many_files(entry(b".", b"a"))), ["name/_/a"], ""),
    "slash_path": (torrent(many_files(entry(b"/", b"a"))), ["name/_/a"], ""),
    "slash_path2": (torrent(many_files(entry(b"abc/../../def", b"a"))), ["name/abc....def/a"], ""),
    "slash_path3": (torrent(many_files(entry(b"../../.bashrc"))), ["name/.....bashrc"], ""),
    "backslash_path": (torrent(many_files(entry(b"..\\..\\a"))), ["name/....a"], ""),
    "absolute_filename": (torrent(many_files(entry(b"/etc", b"/passwd"))), ["name/etc/passwd"], ""),
    "drive_filename": (torrent(many_files(entry(b"C:", b"a"))), ["name/C:/a"], ""),
    "invalid_filename": (torrent(many_files(entry(b"a\xc3(b"))), ["name/a_b"], ""),
    "overlong_slash": (torrent(many_files(entry(b"a\xc0\xafb"))), ["name/a_b"], ""),
    "surrogates": (torrent(many_files(entry(b"a\xed\xa0\x80b"))), ["name/a_b"], ""),
    "control_characters": (torrent(many_files(entry(b"a\x1b[31m\n\x7f"))), ["name/a_[31m__"], ""),
    "c1_control_characters": (torrent(many_files(entry("a\u009b31m".encode()))), ["name/a_31m"], ""),
    "reversed_writing": (torrent(many_files(entry("evil\u202efdp.exe".encode()))), ["name/evilfdp.exe"], ""),
    "isolated_writing": (torrent(many_files(entry("\u2066a\u2069".encode()))), ["name/a"], ""),
    "only_reversed_writing": (torrent(many_files(entry("\u202e".encode()))), ["name/_"], ""),
    "dots_of_removed": (torrent(many_files(entry("\u202e..".encode(), b"a"))), ["name/_/a"], ""),
    "three_dots": (torrent(many_files(entry(b"..."))), ["name/..."], ""),
    "blanks": (torrent(many_files(entry(b" a "))), ["name/ a "], ""),
    "shell": (torrent(many_files(entry(b"$(reboot)`id`;&|*?<>\"'"))), ["name/$(reboot)`id`;&|*?<>\"'"], ""),
    "emoji": (torrent(many_files(entry("🦀".encode()))), ["name/🦀"], ""),
    "path_utf8": (torrent(many_files(entry(b"\xe9", **{"path.utf-8": ["é".encode()]}))), ["name/é"], ""),
    "path_utf8_no_list": (torrent(many_files(entry(b"a", **{"path.utf-8": b"b"}))), ["name/a"], ""),
    "deepest_path": (torrent(many_files(entry(*[b"d"] * 100))), ["name" + "/d" * 100], ""),
    # files that meet
    "duplicate_files": (
        torrent(many_files(entry(b"a.txt"), entry(b"a.txt"), entry(b"a.txt"))),
        ["name/a.txt", "name/a.1.txt", "name/a.2.txt"], "'name/a.txt' is there twice",
    ),
    "duplicate_of_number": (
        torrent(many_files(entry(b"a"), entry(b"a.1"), entry(b"a"))), ["name/a", "name/a.1", "name/a.2"], "twice"
    ),
    "case_duplicates": (torrent(many_files(entry(b"Read"), entry(b"READ"))), ["name/Read", "name/READ.1"], "twice"),
    "unicode_case_duplicates": (
        torrent(many_files(entry("É".encode()), entry("é".encode()))), ["name/É", "name/é.1"], "twice"
    ),
    "unicode_form_duplicates": (
        torrent(many_files(entry("é".encode()), entry("e\u0301".encode()))), ["name/é", "name/e\u0301.1"], "twice"
    ),
    "sanitized_duplicates": (torrent(many_files(entry(b"a\x01"), entry(b"a\x02"))), ["name/a_", "name/a_.1"], "twice"),
    "duplicate_of_folder": (
        torrent(many_files(entry(b"d"), entry(b"d", b"a"))), ["name/d.1", "name/d/a"], "or a folder too"
    ),
    "duplicate_of_folder_later": (
        torrent(many_files(entry(b"d", b"a"), entry(b"D"))), ["name/d/a", "name/D.1"], "or a folder too"
    ),
    "duplicate_dotfile": (torrent(many_files(entry(b".a"), entry(b".a"))), ["name/.a", "name/.1.a"], "twice"),
    "duplicate_long_names": (
        torrent(many_files(entry(b"n" * 250 + b".iso"), entry(b"n" * 251 + b".iso"))),
        ["name/" + "n" * 240 + ".iso", "name/" + "n" * 240 + ".1.iso"], "twice",
    ),
    # attributes
    "pad_file": (torrent(many_files(*TWO_PADDED, pieces=2)), ["name/a", "name/b"], ""),
    "pad_file_no_path": (
        torrent(many_files(entry(b"a"), {b"attr": b"p", b"length": 5}, entry(b"b"))), ["name/a", "name/b"], ""
    ),
    "pad_files_meet": (torrent(many_files(PAD, entry(b"a"), PAD, entry(b"b"), pieces=2)), ["name/a", "name/b"], ""),
    "bitcomet_padding": (
        torrent(many_files(entry(b"a"), entry(b"_____padding_file_0_if you see this", length=9), entry(b"b"))),
        ["name/a", "name/b"], "",
    ),
    "attr_no_string": (torrent(many_files(entry(b"a", attr=5))), ["name/a"], "info.files[0].attr is not a string"),
    "unknown_attr": (torrent(many_files(entry(b"a", attr=b"qz"))), ["name/a"], ""),
    "empty-files-1": (torrent(many_files(entry(b"a", length=0), entry(b"b"))), ["name/a", "name/b"], ""),
    "empty-files-2": (torrent(many_files(entry(b"a"), entry(b"b", length=0))), ["name/a", "name/b"], ""),
    "empty-files-3": (
        torrent(many_files(entry(b"a"), entry(b"b", length=0), entry(b"c", length=0), entry(b"d"))),
        ["name/a", "name/b", "name/c", "name/d"], "",
    ),
    # symbolic links
    "symlink1": (
        torrent(many_files(entry(b"a", b"b"), entry(b"l", length=0, attr=b"l", symlink_path=[b"a", b"b"]))),
        ["name/a/b", "name/l -> name/a/b"], "",
    ),
    "symlink_zero_size": (
        torrent(many_files(entry(b"a"), {b"path": [b"l"], b"attr": b"l", b"symlink path": [b"a"]})),
        ["name/a", "name/l -> name/a"], "",
    ),
    "symlink_with_size": (
        torrent(many_files(entry(b"a"), entry(b"l", length=99, attr=b"l", symlink_path=[b"a"]))),
        ["name/a", "name/l -> name/a"], "",
    ),
    "symlink_to_folder": (
        torrent(many_files(entry(b"d", b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"d"]))),
        ["name/d/a", "name/l -> name/d"], "",
    ),
    "symlink_to_later": (
        torrent(many_files(entry(b"l", length=0, attr=b"l", symlink_path=[b"z"]), entry(b"z"))),
        ["name/l -> name/z", "name/z"], "",
    ),
    "symlink_chain": (
        torrent(many_files(
            entry(b"l", length=0, attr=b"l", symlink_path=[b"m"]),
            entry(b"m", length=0, attr=b"l", symlink_path=[b"z"]), entry(b"z"),
        )),
        ["name/l -> name/m", "name/m -> name/z", "name/z"], "",
    ),
    "symlink_filtered_path": (
        torrent(many_files(entry(b"a", b"/"), entry(b"l", length=0, attr=b"l", symlink_path=[b"a", b"/"]))),
        ["name/a/_", "name/l -> name/a/_"], "",
    ),
    "overlapping_symlinks": (
        torrent(many_files(
            entry(b"F", b"H", length=0, attr=b"l", symlink_path=[b"F", b"V", b"Current", b"H"]),
            entry(b"F", b"V", b"A", b"H", b"h"),
            entry(b"F", b"V", b"Current", length=0, attr=b"l", symlink_path=[b"F", b"V", b"A"]),
        )),
        ["name/F/H -> name/F/V/Current/H", "name/F/V/A/H/h", "name/F/V/Current -> name/F/V/A"], "",
    ),
    "symlink_outside": (
        torrent(many_files(entry(b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"..", b"..", b"etc"]))),
        ["name/a", "name/l"], "a symbolic link to nothing in the torrent",
    ),
    "symlink_absolute": (
        torrent(many_files(entry(b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"/etc/passwd"]))),
        ["name/a", "name/l"], "a symbolic link to nothing in the torrent",
    ),
    "symlink_circular": (
        torrent(many_files(
            entry(b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"m"]),
            entry(b"m", length=0, attr=b"l", symlink_path=[b"l"]),
        )),
        ["name/a", "name/l", "name/m"], "a symbolic link to nothing in the torrent",
    ),
    "symlink_to_itself": (
        torrent(many_files(entry(b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"l", b"l"]))),
        ["name/a", "name/l"], "a symbolic link to nothing in the torrent",
    ),
    "symlink_without_target": (
        torrent(many_files(entry(b"a"), entry(b"b", attr=b"l", length=BLOCK))), ["name/a", "name/b"], "link to nothing"
    ),
    "file_below_symlink": (
        torrent(many_files(
            entry(b"a"), entry(b"l", length=0, attr=b"l", symlink_path=[b"a"]), entry(b"l", b"x"),
        )),
        ["name/a", "name/l.1 -> name/a", "name/l/x"], "or a folder too",
    ),
    "file_where_padding_is": (
        torrent(many_files(
            entry(b".pad"), entry(b".pad", b"x", b"5", length=5, attr=b"p"),
            entry(b"l", length=0, attr=b"l", symlink_path=[b".pad"]),
        )),
        ["name/.pad", "name/l -> name/.pad"], "",
    ),
    # v2
    "v2_only": (torrent(tree_info({b"name": leaf()}), piece_layers={}), ["name"], ""),
    "v2_other_name": (torrent(tree_info({b"a": leaf()})), ["a"], ""),
    "v2_nameless": (torrent(tree_info({b"a": leaf()}, name=b"")), ["a"], "info.name"),
    "v2_folder_of_one": (torrent(tree_info({b"d": {b"a": leaf()}})), ["name/d/a"], ""),
    "v2_multiple_files": (torrent(tree_info({b"a": leaf(), b"d": {b"b": leaf()}})), ["name/a", "name/d/b"], ""),
    "v2_empty_folder": (torrent(tree_info({b"a": leaf(), b"d": {}})), ["name/a"], ""),
    "v2_empty_file": (torrent(tree_info({b"a": leaf(0, None), b"b": leaf()})), ["name/a", "name/b"], ""),
    "v2_empty_file_with_root": (torrent(tree_info({b"a": leaf(0), b"b": leaf()})), ["name/a", "name/b"], ""),
    "v2_invalid_filename": (torrent(tree_info({b"..": leaf(), b"a/b": leaf()})), ["name/_", "name/ab"], ""),
    "v2_multipiece_file": (
        torrent(tree_info({b"a": leaf(20000, ROOT)}), piece_layers={ROOT: LAYER}), ["a"], ""
    ),
    "v2_twins": (
        torrent(tree_info({b"a": leaf(20000, ROOT), b"b": leaf(20000, ROOT)}), piece_layers={ROOT: LAYER}),
        ["name/a", "name/b"], "",
    ),
    "v2_no_piece_layers": (torrent(tree_info({b"a": leaf(20000, ROOT)})), ["a"], "piece layers misses 1 files"),
    "v2_incomplete_piece_layer": (
        torrent(tree_info({b"a": leaf(20000, ROOT), b"b": leaf(20000)}), piece_layers={ROOT: LAYER}),
        ["name/a", "name/b"], "piece layers misses 1 files",
    ),
    "v2_symlinks": (
        torrent(tree_info({b"a": leaf(), b"l": {b"": {b"attr": b"l", b"symlink path": [b"a"]}}})),
        ["name/a", "name/l -> name/a"], "",
    ),
    "v2_symlink_without_target": (
        torrent(tree_info({b"a": leaf(), b"l": leaf(5, None, attr=b"l")})), ["name/a", "name/l"], "link to nothing"
    ),
    "v2_unordered_around": (b"d8:url-list0:4:info" + encode(tree_info(TWO)) + b"e", ["name/a", "name/b"], ""),
    "v2_most_pieces": (torrent(tree_info({b"a": leaf(MAX_PIECES * BLOCK)})), ["a"], "piece layers misses 1 files"),
    "hybrid": (torrent(tree_info({b"name": leaf()}, length=10, pieces=b"h" * 20)), ["name"], ""),
    "hybrid_folder_of_one": (torrent(tree_info({b"a": leaf()}, files=[entry(b"a")], pieces=b"h" * 20)), ["name/a"], ""),
    "hybrid_padded": (
        torrent(tree_info(TWO, files=[*TWO_PADDED], pieces=b"h" * 40)), ["name/a", "name/b"], ""
    ),
    "hybrid_padded_at_the_end": (
        torrent(tree_info(TWO, files=[*TWO_PADDED, PAD], pieces=b"h" * 40)), ["name/a", "name/b"], ""
    ),
    "v2_pieces_without_files": (torrent(tree_info(TWO, pieces=b"h")), ["name/a", "name/b"], ""),
}
# fmt: on
