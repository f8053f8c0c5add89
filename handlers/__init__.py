"""What each kind of event means: at intake, and when its turn has come."""
