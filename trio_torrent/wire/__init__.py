"""Talking to one peer: the peer wire protocol (BEP 3, BEP 6), without I/O.

`handshake` is the first 68 bytes; `messages` are the values; `codec` turns one message into bytes and back;
`connection` turns a stream of bytes into messages, hands out the buffers to receive into, and knows which message may
come when.
"""
