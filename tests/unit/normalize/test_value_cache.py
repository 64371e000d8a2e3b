"""What distinct texts are read as is remembered, but not without end."""

from __future__ import annotations

from support.provider_rows import STAMP, TG_AVATAR, normalized

from ekyc_tasks.normalize import Normalizer, value_cache, values


def test_a_column_of_many_values_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(value_cache, "MAX_REMEMBERED", 5)
    monkeypatch.setattr(values, "MANY_ROWS", 0)
    normalizer = Normalizer(TG_AVATAR, STAMP)
    for block in range(4):
        words = [f"{'abcdefghij'[at]}{'klmn'[block]}" for at in range(10)]
        rows = [(f"+4179828{at:04}", "yes", word) for at, word in enumerate(words)]
        found = normalized(("number", "telegram", "category"), *rows, normalizer=normalizer)
        assert found.rows["category"].to_list() == words
        assert len(normalizer._reader._readers["category"]._lexicon._place_of) <= 11
