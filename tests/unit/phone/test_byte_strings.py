"""Many short texts in one piece of bytes."""

from __future__ import annotations

import numpy as np
import polars as pl

from ekyc_tasks.phone import Texts


def test_texts_are_cut_out_where_somebody_asks():
    texts = Texts.of_lines("+41\n\n é \nlast\n".encode())
    assert texts.gather(np.array([0, 1, 2, 3])).to_list() == ["+41", "", " é ", "last"]
    assert texts.gather(np.array([], dtype=np.int64)).to_list() == []
    assert Texts.of(pl.Series(["a b", None, "", "c"])).without(b" ").gather(np.arange(4)).to_list() == [
        "ab",
        "",
        "",
        "c",
    ]
    assert len(Texts.of_lines(b"")) == 0
