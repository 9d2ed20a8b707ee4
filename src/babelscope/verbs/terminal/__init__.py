"""What each verb shows in the terminal."""
