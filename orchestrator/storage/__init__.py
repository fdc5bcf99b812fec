"""Tables, named statements and sessions. Returns plain rows; decides nothing."""
