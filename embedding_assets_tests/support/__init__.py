"""What several rooms of tests build with, by subject."""
