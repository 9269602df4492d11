"""What happened: every change of a pass leaves an event, written in the change's own transaction."""
