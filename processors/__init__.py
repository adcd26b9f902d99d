"""Pure logic: no Kafka, no event loop, no clock, no environment. Time and randomness are passed in."""
