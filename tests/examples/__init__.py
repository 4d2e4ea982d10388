"""Small complete programs that embed trio-torrent. `test_examples` runs each of them."""
