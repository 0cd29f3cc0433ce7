"""The deep ranker, by components: inputs, crosses, attention over the history, experts."""
