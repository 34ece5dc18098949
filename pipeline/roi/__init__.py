"""What a programme is worth: money over months, what is uncertain about it, and how strong the evidence is."""
