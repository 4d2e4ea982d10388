"""What things cost, beside libtorrent where it does the same: `nox -s bench`.

Figures of different runs cannot be compared, as the machine is never as quiet as one thinks. So contenders take turns
in one run, and what counts is the ratio of their medians.
"""
