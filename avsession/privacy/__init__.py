"""What the law gives people, as rules: pure functions that the use cases ask."""
