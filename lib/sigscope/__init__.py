"""A laboratory for cross-modal image retrieval: embed, index, search, measure, show."""
