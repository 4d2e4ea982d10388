"""The mainline DHT, without a socket or a clock (BEP 5, with 32, 33, 42, 43, 44 and 51).

    endpoint   node_id              where a node is, and which; what an address may call itself
    messages   krpc                 what nodes say, and how that looks in a datagram
    table      lookup   patience    whom we know; finding who is nearest to an id; how long to wait
    tokens     peers    items       who may write; what others stored with us
    serving    limits   bloom       what we answer, and to how many; counting swarms
    searches   upkeep               what a lookup is for; what the table needs
    node       saved                all of it together; and over a restart
    options    status               how it shall be; how it is

IPv4 and IPv6 are two networks, so a program has two nodes, siblings, which help each other to start. The sockets and
the clock are in `trio_torrent.net.dht`.
"""
