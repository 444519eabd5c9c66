"""`deepseg-train search`: what to try, which trial comes next, what came out."""
