"""The commands of ./lab, one module each; light to import, what is heavy is imported when a command runs."""
