"""The ground: tools that know none of Hitchpost's nouns."""
