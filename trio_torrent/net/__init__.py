"""Bytes in motion: the tasks that own sockets. They perform decisions and make none."""
