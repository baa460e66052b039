"""helm-values/: our chart rendered by the real helm, and the values of others' charts held to what they say of themselves."""
