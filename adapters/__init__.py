"""One folder for each platform: what happens there becomes events, and replies are written there."""
