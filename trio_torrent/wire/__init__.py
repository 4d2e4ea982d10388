"""Talking to one peer: the peer wire protocol (BEP 3, 6, 10, 52), without I/O.

`handshake` is the first 68 bytes; `messages` are the values; `codec` turns one message into bytes and back;
`extended` is the extension protocol's handshake; `connection` turns a stream of bytes into messages, hands out the
buffers to receive into, and knows which message may come when. `ut_metadata` and `ut_pex` are extensions' messages
(BEP 9, 11), and `lsd` is what neighbours say in datagrams (BEP 14).
"""
