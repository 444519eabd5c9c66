"""From nodes to nodes: what the modules start, poll or wait for, and take back."""
